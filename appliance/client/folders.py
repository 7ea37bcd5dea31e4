"""A model's folder on this disk: a version's own, or one of numbered versions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.client.errors import ClientError

_GRAPH = "saved_model.pb"


def as_folder(text: str) -> Path | None:
    """The folder that a person means, or None where it is a model's name: a path has a slash in it, or is there."""
    folder = Path(text)
    if "/" in text or text in {".", ".."} or (folder.is_dir() and (_is_version(folder) or versions(folder))):
        return folder
    return None


def versions(folder: Path) -> dict[int, Path]:
    """The numbered folders in it, the newest first. Raises: ClientError."""
    try:
        found = {int(each.name): each for each in folder.iterdir() if each.name.isdecimal() and each.is_dir()}
    except OSError as error:
        raise ClientError(f"{folder} cannot be read: {error.strerror}; name a model's folder.") from error
    return dict(sorted(found.items(), reverse=True))


def version_folder(folder: Path, version: int | None) -> tuple[int | None, Path]:
    """The version asked for, or the newest; a version's own folder tells its number by its name, if at all.

    Raises: ClientError.
    """
    if _is_version(folder):
        return (int(folder.name) if folder.name.isdecimal() else None), folder
    found = versions(folder)
    if not found:
        raise ClientError(f"{folder} holds neither {_GRAPH} nor numbered versions; name a model's folder.")
    wanted = next(iter(found)) if version is None else version
    if wanted not in found:
        raise ClientError(f"{folder} has no version {wanted}; it has {', '.join(map(str, found))}.")
    return wanted, found[wanted]


def classes(metadata: Mapping[str, Any]) -> tuple[str, ...]:
    """The names of the model's classes, from its inspection.json; empty where it has none."""
    named = metadata.get("labels")
    return tuple(map(str, named)) if isinstance(named, list) else ()


def _is_version(folder: Path) -> bool:
    return (folder / _GRAPH).is_file()
