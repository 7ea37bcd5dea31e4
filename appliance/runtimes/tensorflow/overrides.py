"""What a version asks of its own session: TensorFlow Serving's SavedModelConfig, in its `assets.extra`."""

import logging
from dataclasses import dataclass
from pathlib import Path

from appliance.runtimes.errors import LoadRefused
from appliance.runtimes.wire import BYTES, VARINT, WireError, fields

_FILE = Path("assets.extra") / "saved_model_config.pb"
_BYTES_MAX = 4 << 20
_SESSION_OVERRIDES, _RUNTIME = 1, 2
_REMOTE_OP_REMAP, _BATCH_OP_REWRITER, _DISABLE_META_OPTIMIZER = 1, 2, 3
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Overrides:
    """Those that make sense here."""

    disable_meta_optimizer: bool = False
    """Run the graph as it is, without TensorFlow's optimising it first."""


def overrides_of(folder: Path) -> Overrides:
    """Read the file, where there is one; what cannot be done here is said to the log and left out.

    Raises: LoadRefused, OSError.
    """
    file = folder / _FILE
    try:
        with file.open("rb") as opened:
            content = opened.read(_BYTES_MAX + 1)
    except FileNotFoundError:
        return Overrides()
    if len(content) > _BYTES_MAX:
        raise _Unreadable(f"Unable to parse SavedModelConfig: {file} (it is longer than 4 MiB)")
    try:
        left_out, found = _read(memoryview(content))
    except WireError as error:
        raise _Unreadable(f"Unable to parse SavedModelConfig: {file} ({error})") from error
    if left_out:
        _logger.warning("%s asks for %s; it is left out: this box has none.", file, " and ".join(left_out))
    return found


class _Unreadable(LoadRefused):
    code = 13  # INTERNAL, as TensorFlow Serving says it


def _read(message: memoryview) -> tuple[list[str], Overrides]:
    left_out = []
    disable = False
    for number, kind, value in fields(message):
        if number == _SESSION_OVERRIDES and kind == BYTES and isinstance(value, memoryview):
            for part, part_kind, asked in fields(value):
                if part == _REMOTE_OP_REMAP:
                    left_out.append("operations on other machines (remote_op_remap_config)")
                elif part == _BATCH_OP_REWRITER:
                    left_out.append("batching inside the graph (batch_op_rewriter_config)")
                elif part == _DISABLE_META_OPTIMIZER and part_kind == VARINT:
                    disable = bool(asked)
        elif number == _RUNTIME:
            left_out.append("TensorFlow's other runtime (tfrt_runtime_config)")
    return left_out, Overrides(disable)
