"""From a reference and the operator's settings to a Remote."""

from collections.abc import Sequence
from pathlib import Path

from appliance.registry.config import DeliveryConfig
from appliance.registry.remote.disk_files import DiskFiles
from appliance.registry.remote.folder import FolderRemote
from appliance.registry.remote.http import HttpClient
from appliance.registry.remote.mirrors import Mirrored
from appliance.registry.remote.mlflow import MlflowRemote
from appliance.registry.remote.oci import OciRemote
from appliance.registry.remote.pace import RateLimiter
from appliance.registry.remote.protocol import Remote
from appliance.registry.remote.ranges import Fetcher
from appliance.registry.remote.reference import (
    FolderReference,
    OciReference,
    Reference,
    ReferenceUnusable,
    Selection,
    parse_reference,
)
from appliance.registry.remote.web_files import WebFiles


def open_remote(
    source: str,
    config: DeliveryConfig,
    *,
    mirrors: Sequence[str] = (),
    user_agent: str,
    select: Selection | None = None,
    limiter: RateLimiter | None = None,
    temporary: Path | None = None,
) -> Remote:
    """The place that `source` names; its mirrors are asked first. Connects to nothing yet.

    `user_agent` names the box. `select` looks at something else than the configured tag. `limiter` is shared by all
    downloads of a process; default: one of its own, from the settings. `temporary`: where an archive (a registry's
    tar layers) lies while its files are read; default: the system's.
    Raises: ReferenceUnusable, Unavailable (an unreadable credentials or CA file).
    """
    references = [parse_reference(text) for text in (*mirrors, source)]
    for reference in references[:-1]:
        if type(reference) is not type(references[-1]):
            raise ReferenceUnusable(
                f"The mirror {reference} is of another kind than {references[-1]}; name one like it."
            )
    if select is not None:
        references = [reference.selected(select) for reference in references]
    if limiter is None and config.rate_limit_mbit:
        limiter = RateLimiter(config.rate_limit_mbit * 1e6 / 8)
    remotes = [(str(one), _open(one, config, user_agent, limiter, temporary)) for one in references]
    return remotes[0][1] if len(remotes) == 1 else Mirrored(remotes)


def _open(
    reference: Reference, config: DeliveryConfig, user_agent: str, limiter: RateLimiter | None, temporary: Path | None
) -> Remote:
    if isinstance(reference, FolderReference) and isinstance(reference.location, Path):
        return FolderRemote(DiskFiles(reference.location, limiter), str(reference), reference.selection)
    client = HttpClient(config, user_agent=user_agent, limiter=limiter)
    fetcher = Fetcher(client, config)
    if isinstance(reference, OciReference):
        return OciRemote(reference, config, client, fetcher, temporary)
    if isinstance(reference, FolderReference):
        return FolderRemote(WebFiles(str(reference.location), client, fetcher), str(reference), reference.selection)
    return MlflowRemote(reference, client, fetcher)
