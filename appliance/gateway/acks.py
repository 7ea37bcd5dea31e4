"""What a consumer of results says: how far it has come. Pure."""

import json
from typing import Any, Final

from appliance.errors import ApplianceError
from appliance.outbox.consumers import Confirmed

ACK: Final = "ack"
"""`<base>/ack/<consumer>/<camera>`."""
PAYLOAD_MAX_BYTES: Final = 1024
_STREAM_MAX: Final = 64
_SEQUENCE_MAX: Final = 2**63 - 1


class NotBelieved(ApplianceError):
    """What a consumer says cannot be; said once in the journal."""


def read_ack(payload: bytes) -> Confirmed:
    """How far it is. Raises: NotBelieved."""
    if len(payload) > PAYLOAD_MAX_BYTES:
        raise NotBelieved(f"it has {len(payload)} bytes, and {PAYLOAD_MAX_BYTES} are the most")
    try:
        value: Any = json.loads(payload)
    except (ValueError, RecursionError):
        raise NotBelieved("it is no JSON") from None
    stream, sequence = (value.get(name) if isinstance(value, dict) else None for name in ("stream", "sequence"))
    if not isinstance(stream, str) or not 0 < len(stream) <= _STREAM_MAX:
        raise NotBelieved("it names no stream; it has to be {stream, sequence} of the newest result")
    if not isinstance(sequence, int) or isinstance(sequence, bool) or not 0 <= sequence <= _SEQUENCE_MAX:
        raise NotBelieved("its sequence is no whole number")
    return Confirmed(stream, sequence)
