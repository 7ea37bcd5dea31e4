"""From what a publisher names to a Destination."""

from collections.abc import Sequence
from pathlib import Path

from appliance.registry.config import DeliveryConfig
from appliance.registry.remote.push import Destination
from appliance.registry.remote.push_folder import FolderDestination
from appliance.registry.remote.push_oci import OciDestination
from appliance.registry.remote.reference import FolderReference, OciReference, ReferenceUnusable, parse_reference


def open_destination(
    where: str,
    config: DeliveryConfig,
    *,
    tags: Sequence[str] = (),
    plain_image: bool = False,
    user_agent: str,
) -> Destination:
    """`oci://host/repository[:tag]`, `oci+http://...`, `file:///folder`, or a folder's path. Asks nobody yet.

    `tags`: names beside the reference's own (`latest` where it says none). `config`: logins, certificates, proxy.
    Raises: ReferenceUnusable, Unavailable (unreadable credentials).
    """
    reference = parse_reference(where)
    if isinstance(reference, OciReference):
        if reference.digest:
            raise ReferenceUnusable(f"{where} names a digest, which only the content can give; name a tag.")
        return OciDestination(reference, config, tags=tags, plain_image=plain_image, user_agent=user_agent)
    if isinstance(reference, FolderReference) and isinstance(reference.location, Path):
        return FolderDestination(reference.location, tags=tags)
    raise ReferenceUnusable(
        f"{where} can be read and not written to; push to oci://host/repository:tag, or to the folder behind it."
    )
