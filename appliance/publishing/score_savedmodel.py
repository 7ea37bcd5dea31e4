"""Runs a SavedModel on golden samples, as boxes do, in a process of its own.

Called as `python -m appliance.publishing.score_savedmodel ORDER RESULT`, with JSON in both files.
"""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from appliance.errors import ApplianceError
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving import ServableId


def main(order_file: Path, result_file: Path) -> None:
    """Do what the order says; always leaves a result."""
    order = json.loads(order_file.read_text())
    result: dict[str, Any]
    try:
        result = {"scores": _scores(Path(order["out"]), order["input"], order["output"], np.load(order["batch"]))}
    except (ApplianceError, OSError) as error:
        result = {"error": str(error).rstrip(".")}
    result_file.write_text(json.dumps(result))


def _scores(folder: Path, alias: str, output: str, batch: Any) -> list[list[float]]:
    with TemporaryDirectory(prefix="appliance-package-") as scratch:
        loader = SavedModelLoader(folder, RuntimeConfig(cache=Path(scratch), engines=("tensorflow-saved-model",)))
        model = loader.load(ServableId("package", 0))
        try:
            rows = [model.predict({alias: batch[i : i + 1]})[output] for i in range(len(batch))]
        finally:
            loader.unload()
    return [[float(score) for score in row.reshape(-1)] for row in rows]


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
