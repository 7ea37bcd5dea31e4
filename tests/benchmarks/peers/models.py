"""The benchmark's models, exported once into the cache."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.peers.environments import CACHE

EXPORT = Path(__file__).with_name("export_models.py")
QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "GRPC_VERBOSITY": "NONE",
    "PYTHONWARNINGS": "ignore",
}


@dataclass(frozen=True)
class BenchModel:
    """`base` holds version 1; `x` is the question, `y` what TensorFlow answers."""

    name: str
    base: Path
    keras_file: Path
    x: np.ndarray
    y: np.ndarray


def models() -> dict[str, BenchModel]:
    folder = CACHE / "models"
    wanted = EXPORT.read_text()
    mark = folder / "exported.txt"
    if not mark.is_file() or mark.read_text() != wanted:
        print(f"exporting the models into {folder} ...", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        command = [sys.executable, str(EXPORT), str(folder)]
        subprocess.run(command, check=True, capture_output=True, env=os.environ | QUIET)
        mark.write_text(wanted)
    return {name: _read(folder, name) for name in ("cnn", "trivial")}


def _read(folder: Path, name: str) -> BenchModel:
    with np.load(folder / f"{name}.npz") as archive:
        return BenchModel(name, folder / name, folder / f"{name}.keras", archive["x"], archive["y"])
