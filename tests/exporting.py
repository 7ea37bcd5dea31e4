"""Scripts that import tensorflow and write SavedModels, each run in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_LIMIT_S = 100


def export(script: Path, folder: Path, *arguments: str) -> Path:
    """Run `script folder arguments` without a GPU and return `folder`. What it says stands in the failure. Seconds."""
    done = subprocess.run(
        [sys.executable, str(script), str(folder), *arguments],
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
        env=os.environ | {"PYTHONPATH": str(_ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"},
    )
    assert done.returncode == 0, done.stderr
    return folder
