"""An environment for each rival, in the user's cache: made once, and never inside the repository."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "inspection-appliance-benchmarks"
CONSTRAINTS = Path(__file__).with_name("constraints.txt")

PACKAGES = {
    "flask": ("flask", "waitress"),
    "litserve": ("litserve",),
    "bentoml": ("bentoml",),
    "mlserver": ("mlserver", "protobuf<7", "fastapi<0.125"),
    "pytriton": ("nvidia-pytriton", "protobuf<7"),
}
"""What each needs beside tensorflow-cpu; the upper bounds are what they do not say of themselves."""


def python_of(name: str) -> Path:
    """The interpreter of a rival's environment; installs it where it is not there: some minutes and 1.7 GB."""
    folder = CACHE / name
    done = folder / "installed.txt"
    wanted = CONSTRAINTS.read_text() + " ".join(PACKAGES[name])
    if done.is_file() and done.read_text() == wanted:
        return folder / "bin" / "python"
    print(f"installing {name} into {folder} ...", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check", "-c", str(CONSTRAINTS)]
    subprocess.run([*pip, "tensorflow-cpu", *PACKAGES[name]], check=True)
    done.write_text(wanted)
    return python
