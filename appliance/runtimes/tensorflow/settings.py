"""The settings that TensorFlow takes as serialized protocol buffers: ConfigProto and RunOptions."""

from appliance.runtimes.wire import bytes_field, double_field, varint_field

RUN_ON_CALLERS_THREAD: bytes = varint_field(3, -1)
"""RunOptions.inter_op_thread_pool = -1: no hand-over, and the work has the caller's priority."""


def session_config(
    *, threads: int, gpu: bool, gpu_memory_fraction: float | None = None, optimise: bool = True
) -> bytes:
    """A ConfigProto.

    `threads`: how many threads one operation may use; with 1 everything runs on the caller's own.
    `optimise`: False where the graph was optimised beforehand.
    """
    config = varint_field(2, threads) + varint_field(5, 1)  # intra-op, inter-op
    config += varint_field(7, 1)  # allow_soft_placement: a graph that names a GPU runs on a box without one
    if gpu:
        gpu_options = varint_field(4, 1)  # allow_growth
        if gpu_memory_fraction is not None:
            gpu_options += double_field(1, gpu_memory_fraction)
        config += bytes_field(6, gpu_options)
    else:
        config += bytes_field(1, bytes_field(1, b"GPU") + varint_field(2, 0))  # device_count
    if not optimise:
        config += bytes_field(10, bytes_field(10, varint_field(19, 1)))  # disable_meta_optimizer
    return config
