"""From a reference and the operator's settings to a Remote."""

from collections.abc import Sequence
from pathlib import Path

from appliance.registry.config import DeliveryConfig
from appliance.registry.remote.pace import RateLimiter
from appliance.registry.remote.protocol import Remote
from appliance.registry.remote.reference import Selection


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
    raise NotImplementedError
