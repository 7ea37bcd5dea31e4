"""What is written down of a release beside its folder: `versions/<release>.json`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from appliance.registry.errors import StoreError
from appliance.registry.package.files import PackageFile
from appliance.registry.store.durable import file_size, read_whole, seal, unseal, write_whole
from appliance.registry.store.layout import Layout


@dataclass(frozen=True, slots=True)
class Record:
    """One release, and each of its files."""

    release: int
    version: int
    digest: str
    files: tuple[PackageFile, ...]

    @property
    def bytes(self) -> int:
        """Of all files."""
        return sum(file.size for file in self.files)


def write_record(path: Path, record: Record) -> None:
    """Two fsyncs. Raises OSError."""
    write_whole(
        path,
        seal(
            {
                "release": record.release,
                "version": record.version,
                "digest": record.digest,
                "files": [[file.path, file.size, file.sha256] for file in record.files],
            }
        ),
    )


def read_record(path: Path) -> Record | None:
    """None where there is none. Raises StoreError where its checksum fails, OSError."""
    raw = read_whole(path)
    if raw is None:
        return None
    content = unseal(raw)
    if content is None:
        raise StoreError(f"{path} is damaged; start delivery again: it falls back to a release that is whole")
    files = tuple(PackageFile(*file) for file in content["files"])
    return Record(content["release"], content["version"], content["digest"], files)


def missing(layout: Layout, name: str) -> str | None:
    """What a release lacks, as words; None where all its files are there with the right size. Raises OSError."""
    try:
        record = read_record(layout.record(name))
    except StoreError:
        return "its record is damaged"
    if record is None:
        return "it has no record" if layout.folder(name).is_dir() else "it is not there"
    return next(_lacks(layout.folder(name), record), None)


def _lacks(folder: Path, record: Record) -> Iterator[str]:
    for file in record.files:
        size = file_size(folder / file.path)
        if size is None:
            yield f"{file.path} is missing"
        elif size != file.size:
            yield f"{file.path} has {size} bytes instead of {file.size}"
