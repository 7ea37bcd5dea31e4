"""Where in what was published the package begins."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.files import RELEASE_FILE
from appliance.registry.package.paths import check_paths, shown
from appliance.registry.remote.protocol import RemoteFile

_MARKS: Final = (RELEASE_FILE, "saved_model.pb")


def package_files(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """The files of the one package among `files`, named from its root.

    Tools put the folder's name in front (archives), or documents beside it; those are not the package's. Two packages,
    or none, are left as they are: then the statement refuses them.
    Raises: Rejected(PATH).
    """
    found = tuple(files)
    root = _root([file.path for file in found])
    if root:
        found = tuple(replace(file, path=file.path[len(root) :]) for file in found if file.path.startswith(root))
    names: set[str] = set()
    for file in found:
        if file.path in names:
            raise Rejected(Refusal.PATH, f"{shown(file.path)} is there twice; publish it again without one of them.")
        names.add(file.path)
    check_paths(names)
    return found


def _root(paths: list[str]) -> str:
    """With a slash at its end; empty where there is none to strip."""
    for mark in _MARKS:
        roots = [path[: -len(mark)] for path in paths if path == mark or path.endswith(f"/{mark}")]
        if "" in roots:
            return ""
        if roots:
            return roots[0] if len(roots) == 1 else ""
    return ""
