"""Small packages, and how delivery brings one into a store: fetched in pieces, staged, published."""

import hashlib
import os
from pathlib import Path

from appliance.registry.package.files import PackageFile, content_digest

FACTORY = {"saved_model.pb": b"factory" * 10, "variables/variables.index": b"", "assets.extra/x.json": b"{}"}
WEIGHTS = b"weights shared by all releases" * 20


def package(release: int) -> dict[str, bytes]:
    """Two of its files are its own; the weights are in every release."""
    return {
        "saved_model.pb": f"graph of {release}".encode() * 9,
        "variables/variables.data": WEIGHTS,
        "release.json": f"statement {release}".encode(),
    }


def listed(content: dict[str, bytes]) -> list[PackageFile]:
    return [PackageFile(path, len(raw), hashlib.sha256(raw).hexdigest()) for path, raw in content.items()]


def digest(content: dict[str, bytes]) -> str:
    return content_digest(listed(content))


def lay(folder: Path, content: dict[str, bytes]) -> Path:
    for path, raw in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(raw)
    return folder


def fetch(store, content: dict[str, bytes], pieces: int = 2) -> list[PackageFile]:
    """What delivery does with a listing; goes on where an earlier life stopped."""
    files = listed(content)
    for file in files:
        raw = content[file.path]
        if store.holds(file.sha256):
            continue
        step = max(1, -(-len(raw) // pieces))
        with store.partial(file.sha256, file.size) as sink:
            while (have := os.fstat(sink.fileno()).st_size) < len(raw):
                os.write(sink.fileno(), raw[have : have + step])
        store.keep(file.sha256, file.size)
    return files


def deploy(store, release: int, content: dict[str, bytes] | None = None) -> str:
    """Up to `published`. Returns the digest."""
    content = content or package(release)
    files = fetch(store, content)
    store.stage(release, files)
    store.publish(release, release + 100, digest(content))
    return digest(content)


def content_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def on_disk(folder: Path) -> set[str]:
    """All entries of a store, but those that are always there."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")} - {"lock", "ballast"}
