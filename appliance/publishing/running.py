"""Runs one of the modules that load TensorFlow in a process of its own, and reads what it found."""

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from appliance.publishing.errors import PublishError
from appliance.runtimes.child import Child

_LIMIT_S: Final = 900.0
_QUIET: Final = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def run_module(module: str, order: Mapping[str, Any], arrays: Mapping[str, Any], what: Path) -> dict[str, Any]:
    """Its result. `arrays` are handed over as files of the names that the order then has. Raises: PublishError."""
    import numpy as np

    with TemporaryDirectory(prefix="appliance-package-") as scratch:
        files = {name: str(Path(scratch) / f"{name}.npy") for name in arrays}
        for name, array in arrays.items():
            np.save(files[name], array, allow_pickle=False)
        order_file, result_file = Path(scratch) / "order.json", Path(scratch) / "result.json"
        order_file.write_text(json.dumps({**order, **files}))
        ended = Child(module, [str(order_file), str(result_file)], _QUIET).wait(_LIMIT_S)
        if not result_file.is_file():
            raise PublishError(f"{what} could not be run: {ended.how.rstrip('.')}.")
        result: dict[str, Any] = json.loads(result_file.read_text())
    if "error" in result:
        raise PublishError(f"{what} cannot be packaged: {result['error']}.")
    return result
