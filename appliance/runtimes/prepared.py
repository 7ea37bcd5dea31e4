"""Prepared versions on disk: made once for a box, checked before every load, and removed when there are too many.

A folder per version, named by everything that its content depends on: the SavedModel's digest, the settings, the
versions of the libraries, the processor. It holds `prepared.json` and, except for the SavedModel itself, one file.
"""

import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.digest import file_digest, size_of
from appliance.runtimes.model import Engine

SCHEMA_VERSION = 1
_RECORD = "prepared.json"
_RECORD_BYTES_MAX = 16 << 20
_STAGING = ".staging-"
_PACKAGES = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "ai-edge-litert", "numpy")


class EngineFile(BaseModel, extra="forbid", frozen=True):
    """What an engine loads instead of the SavedModel."""

    name: Annotated[str, Field(pattern=r"^[a-z]+\.[a-z]+$")]
    sha256: str
    size_bytes: int


class Trial(BaseModel, extra="forbid", frozen=True):
    """How an engine did in a process of its own, loaded and called as the line would do it."""

    load_s: float
    first_run_ms: float
    p50_ms: float
    p99_ms: float
    cpu_p50_ms: float
    """Processor time of the calling thread: what counts where a model runs on one thread, since it does not see who
    else used the processor."""
    resident_bytes: int
    """Memory that the model took."""


class Parity(BaseModel, extra="forbid", frozen=True):
    """How far an engine's answers are from the SavedModel's, over all samples."""

    samples: int
    largest_difference: float
    """Of any two numbers, absolute."""
    agrees: bool


class Tensors(BaseModel, extra="forbid", frozen=True):
    """What a signature's inputs and outputs are called in a frozen graph, by alias."""

    inputs: dict[str, str]
    outputs: dict[str, str]


class Prepared(BaseModel, extra="forbid", frozen=True):
    """The record of a prepared version: `prepared.json`."""

    schema_version: int = SCHEMA_VERSION
    source_digest: str
    engine: Engine
    engine_reason: str
    file: EngineFile | None = None
    same_as: dict[str, str] = {}
    """Signatures that are the same function as another one, and share it."""
    tensors: dict[str, Tensors] = {}
    rejected: dict[Engine, str] = {}
    """Engines that were not taken, each with a sentence."""
    trials: dict[Engine, Trial] = {}
    parity: dict[Engine, Parity] = {}
    made_with: dict[str, str] = {}


class PreparedCache:
    """The folder of prepared versions. Threads: any; processes too, since entries appear and go whole."""

    def __init__(self, folder: Path, size_max_bytes: int) -> None:
        self._folder = folder
        self._size_max_bytes = size_max_bytes

    def find(self, key: str) -> tuple[Prepared, Path | None] | None:
        """Return the record and the file to load, its digest checked; a damaged entry is removed and not returned.

        Raises: OSError.
        """
        entry = self._folder / key
        try:
            record = _read(entry / _RECORD)
        except FileNotFoundError:
            return None
        except (ValueError, ValidationError):
            shutil.rmtree(entry, ignore_errors=True)
            return None
        file = None
        if record.file is not None:
            file = entry / record.file.name
            if not _is_whole(file, record.file):
                shutil.rmtree(entry, ignore_errors=True)
                return None
        with suppress(OSError):  # a disk that can only be read is good enough to load from
            os.utime(entry)  # the time of the last use
        return record, file

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder to make an entry in, gone afterwards unless it was placed. Raises: OSError."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned()
        staging = Path(tempfile.mkdtemp(dir=self._folder, prefix=f"{_STAGING}{os.getpid()}-"))
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def place(self, staging: Path, key: str, record: Prepared) -> None:
        """Make `staging`, with its record, the entry `key`: whole, on disk, or not at all. Raises: OSError."""
        (staging / _RECORD).write_text(record.model_dump_json(indent=1) + "\n")
        for file in staging.iterdir():
            _sync(file)
        _sync(staging)
        shutil.rmtree(self._folder / key, ignore_errors=True)
        staging.rename(self._folder / key)
        _sync(self._folder)
        self._make_room(keep=key)

    def _make_room(self, keep: str) -> None:
        entries = [entry for entry in self._folder.iterdir() if not entry.name.startswith(".")]
        sizes = {entry: size_of(entry) for entry in entries if entry.is_dir()}
        total = sum(sizes.values())
        for entry in sorted(sizes, key=lambda each: each.stat().st_mtime):
            if total <= self._size_max_bytes:
                return
            if entry.name != keep:
                shutil.rmtree(entry, ignore_errors=True)
                total -= sizes[entry]

    def _remove_abandoned(self) -> None:
        """What a process that was killed left behind."""
        for staging in self._folder.glob(f"{_STAGING}*"):
            owner = staging.name.removeprefix(_STAGING).partition("-")[0]
            if not Path("/proc", owner).exists():
                shutil.rmtree(staging, ignore_errors=True)


def key_of(source_digest: str, config: RuntimeConfig) -> str:
    """Name everything that a prepared version depends on, in 32 characters."""
    settings = config.model_dump(
        mode="json",
        include={"engines", "threads", "gpu", "session", "tags", "tolerance_absolute", "tolerance_relative"},
    )
    whole = {"schema": SCHEMA_VERSION, "source": source_digest, "settings": settings, "made_with": made_with()}
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]


def made_with() -> Mapping[str, str]:
    """The versions and the processor that a prepared version is made for."""
    found = {"python": platform.python_version(), "machine": platform.machine(), "cpu": _processor()}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def engine_file(file: Path) -> EngineFile:
    return EngineFile(name=file.name, sha256=file_digest(file).hex(), size_bytes=file.stat().st_size)


def _processor() -> str:
    """A digest of what the processor can do: which kernels are fastest hangs on it."""
    if sys.platform != "linux":
        return platform.processor()
    wanted = ("model name", "flags", "Features", "CPU part")
    lines = {line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith(wanted)}
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _read(file: Path) -> Prepared:
    with file.open("rb") as opened:
        content = opened.read(_RECORD_BYTES_MAX + 1)
    record = Prepared.model_validate_json(content)
    if record.schema_version != SCHEMA_VERSION:
        raise ValueError(f"schema {record.schema_version}")
    return record


def _is_whole(file: Path, wanted: EngineFile) -> bool:
    try:
        return file.stat().st_size == wanted.size_bytes and file_digest(file).hex() == wanted.sha256
    except FileNotFoundError:
        return False


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
