"""The settings that TensorFlow takes as serialized protocol buffers: ConfigProto and RunOptions.

Concatenated messages are one message, in which the later of two values counts.
"""

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.tensorflow.overrides import Overrides
from appliance.runtimes.wire import VARINT, bytes_field, double_field, fields, varint_field

RUN_ON_CALLERS_THREAD: bytes = varint_field(3, -1)
"""RunOptions.inter_op_thread_pool = -1: no hand-over, and the work has the caller's priority."""
_RUN_IN_THE_SESSIONS_POOL = b""
_GPU_OPTIONS, _GRAPH_OPTIONS = 6, 10
_INTRA_OP, _INTER_OP = 2, 5


def session_config(config: RuntimeConfig, overrides: Overrides, *, optimise: bool = True) -> bytes:
    """A ConfigProto: our defaults, the operator's, then what the version itself asks for.

    `optimise`: False where the graph was optimised beforehand.
    """
    made = varint_field(_INTRA_OP, config.threads) + varint_field(_INTER_OP, 1)
    made += varint_field(7, 1)  # allow_soft_placement: a graph that names a GPU runs on a box without one
    if config.gpu is None:
        made += bytes_field(1, bytes_field(1, b"GPU") + varint_field(2, 0))  # device_count
    else:
        made += bytes_field(_GPU_OPTIONS, varint_field(4, 1))  # allow_growth
    made += config.session.base
    for field, threads in ((_INTRA_OP, config.session.intra_op), (_INTER_OP, config.session.inter_op)):
        if threads is not None:
            made += varint_field(field, threads)
    if config.gpu is not None and config.gpu.memory_fraction is not None:
        made += bytes_field(_GPU_OPTIONS, double_field(1, config.gpu.memory_fraction))
    if overrides.disable_meta_optimizer or not optimise:
        made += bytes_field(_GRAPH_OPTIONS, bytes_field(10, varint_field(19, 1)))
    return made


def run_options(config: RuntimeConfig) -> bytes:
    """RunOptions: on the caller's thread, unless threads were asked for on which operations run beside each other."""
    inter_op = config.session.inter_op
    if inter_op is None:
        asked = [value for number, kind, value in fields(memoryview(config.session.base)) if (number, kind) == _POOL]
        inter_op = asked[-1] if asked and isinstance(asked[-1], int) else 1
    return RUN_ON_CALLERS_THREAD if inter_op == 1 else _RUN_IN_THE_SESSIONS_POOL


_POOL = (_INTER_OP, VARINT)
