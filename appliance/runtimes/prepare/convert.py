"""The step that imports tensorflow: `python -m appliance.runtimes.prepare.convert FOLDER STAGING OPTIONS KEYS`.

Writes graph.pb and model.tflite, and says in conversion.json what became of each. The file is written again after
each step, since a converter may take the process with it.
"""

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.prepare.background import become_background
from appliance.runtimes.prepare.conversion import GRAPH, TFLITE, Conversion
from appliance.runtimes.prepare.freezing import NotFreezable, freeze

_THREADS = 2
_GRAPH_BYTES_MAX = 2**31 - 1


def main(arguments: Sequence[str]) -> None:
    source, staging, options, keys = Path(arguments[0]), Path(arguments[1]), arguments[2], json.loads(arguments[3])
    config = RuntimeConfig.model_validate_json(options)
    become_background(config.prepare_memory_max)
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # the GPU is the line's
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(_THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(_THREADS)
    report = Conversion(failed=dict.fromkeys(("tensorflow-frozen", "litert"), _DIED))
    report.write(staging)
    report = _step(report, "tensorflow-frozen", lambda: _freeze(report, source, staging, keys, config))
    if "tensorflow-frozen" in report.failed:
        # Each copy of a LiteRT model would have a memory of its own, so what cannot be frozen is not converted.
        report = report.with_failure("litert", report.failed["tensorflow-frozen"])
    report.write(staging)
    if "litert" in config.engines and "tensorflow-frozen" not in report.failed:
        wanted = [key for key in keys if key not in report.same_as]
        report = _step(report, "litert", lambda: _litert(report, source, staging, wanted, config.tags))
        report.write(staging)


_DIED = "its converter ended the process"


def _step(report: Conversion, engine: str, work: Callable[[], Conversion]) -> Conversion:
    try:
        done = work()
    except NotFreezable as error:
        return report.with_failure(engine, str(error))
    except Exception as error:  # noqa: BLE001 - whatever a converter raises is a reason not to take its engine
        return report.with_failure(engine, _first_line(error))
    return done.without_failure(engine)


def _freeze(report: Conversion, source: Path, staging: Path, keys: list[str], config: RuntimeConfig) -> Conversion:
    frozen = freeze(source, config.tags, keys, optimise=config.gpu is None)
    size = frozen.graph.ByteSize()
    if size > _GRAPH_BYTES_MAX:
        raise NotFreezable(f"the graph has {size} bytes; a graph with its weights can have 2 GiB")
    (staging / GRAPH).write_bytes(frozen.graph.SerializeToString())
    return report.model_copy(update={"tensors": dict(frozen.tensors), "same_as": dict(frozen.same_as)})


def _litert(report: Conversion, source: Path, staging: Path, keys: list[str], tags: Sequence[str]) -> Conversion:
    import tensorflow as tf

    # from_saved_model() drops every signature but one where the exported object has a method named `serve`; the class
    # behind it does not.
    from tensorflow.lite.python.lite import TFLiteSavedModelConverterV2

    converter: Any = TFLiteSavedModelConverterV2(str(source), set(tags), keys)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    (staging / TFLITE).write_bytes(converter.convert())
    return report


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"[:300]


if __name__ == "__main__":
    main(sys.argv[1:])
