"""Results that nobody may lose: onto the disk in the line's process, from there to the broker in the gateway's.

`Outbox` is the line's half, `Publisher` the gateway's. Each is imported when it is asked for: paho has no business
in the process that judges parts.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from appliance.outbox.sender.publisher import Publisher
    from appliance.outbox.store import Outbox

__all__ = ["Outbox", "Publisher"]


def __getattr__(name: str) -> Any:
    if name == "Outbox":
        from appliance.outbox.store import Outbox

        return Outbox
    if name == "Publisher":
        from appliance.outbox.sender.publisher import Publisher

        return Publisher
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
