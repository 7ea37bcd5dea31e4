"""A plain folder: a package itself, or one that names a package among its subfolders.

`release.json` in it: it is the package. Else `latest.json`, or another tag's, says `{"release": 12, "path": "12"}`.
What a folder cannot do: say what belongs to a package. The signed statement does.
"""

import hashlib
from typing import BinaryIO, Final, Protocol

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.package.files import RELEASE_FILE, SIGNATURE_FILE
from appliance.registry.package.paths import check_path
from appliance.registry.package.strict_json import NotStrict, read_json
from appliance.registry.remote.protocol import Listing, Progress, RemoteFile, Seen
from appliance.registry.remote.reference import Selection

SMALL_MAX: Final = 4 << 20
"""Bytes of a statement or a signature: what of them is read to know them."""
POINTER_MAX: Final = 4096


class Files(Protocol):
    """How the files below a folder are reached: on a disk, over the web. Paths are checked ones.

    Raises, all: Unavailable, Rejected.
    """

    def read(self, path: str, max_bytes: int) -> bytes | None:
        """A small file whole; None where there is none."""

    def size(self, path: str) -> int | None:
        """Bytes; None where there is none."""

    def fetch(self, path: str, size: int, sink: BinaryIO, progress: Progress) -> None:
        """As Remote.fetch."""

    def close(self) -> None:
        """Let connections go."""


class FolderRemote:
    """One folder. Its identity is the SHA-256 of release.json's bytes."""

    def __init__(self, files: Files, name: str, selection: Selection | None = None) -> None:
        """`name`: the folder's reference, for people."""
        self._files = files
        self._name = name.rstrip("/")
        self._selection = selection
        self._direct: bool | None = None
        """The folder itself is the package; None: not known yet."""
        self._listed: str | None = None
        """The subfolder that `list` was about, with a slash; empty: the folder itself."""

    def look(self) -> Seen:
        """As Remote."""
        package = self._find()
        statement = self._files.read(package + RELEASE_FILE, SMALL_MAX)
        if statement is None:
            self._direct = None
            raise Unavailable(f"{self._name}/{package} holds no {RELEASE_FILE}; `appliance push` puts packages there.")
        seen = Seen(_identity(statement), f"{self._name}/{package}")
        wanted = self._selection.digest if self._selection else None
        if wanted is not None and wanted != seen.identity:
            raise Unavailable(f"{self._name} holds {seen.identity} at present, and not {wanted}; ask for a release.")
        return seen

    def list(self, seen: Seen) -> Listing:
        """As Remote: the statement and the signature."""
        package = self._found_again(seen)
        statement = self._files.read(package + RELEASE_FILE, SMALL_MAX)
        if statement is None or _identity(statement) != seen.identity:
            raise Rejected(
                Refusal.MOVED, f"{self._name}/{package} was changed while it was read; it is looked at again."
            )
        self._listed = package
        digest = seen.identity.removeprefix("sha256:")
        found = [RemoteFile(RELEASE_FILE, len(statement), digest, RELEASE_FILE)]
        size = self._files.size(package + SIGNATURE_FILE)
        if size is not None:
            found.append(RemoteFile(SIGNATURE_FILE, size, None, SIGNATURE_FILE))
        return Listing(seen, tuple(found))

    def read(self, file: RemoteFile, max_bytes: int) -> bytes:
        """As Remote; a file whose digest is known and differs was changed meanwhile: Rejected(MOVED)."""
        content = self._files.read(self._path(file), max_bytes)
        if content is None:
            raise Rejected(Refusal.MISSING_FILE, f"{self._name} has no {file.path}; publish the package again.")
        if file.sha256 is not None and hashlib.sha256(content).hexdigest() != file.sha256:
            raise Rejected(Refusal.MOVED, f"{file.path} in {self._name} was changed while it was read.")
        return content

    def fetch(self, file: RemoteFile, size: int, sink: BinaryIO, progress: Progress) -> None:
        """As Remote."""
        self._files.fetch(self._path(file), size, sink, progress)

    def close(self) -> None:
        """As Remote."""
        self._files.close()

    def _path(self, file: RemoteFile) -> str:
        check_path(file.key)
        if self._listed is None:
            self._listed = self._find()
        return self._listed + file.key

    def _found_again(self, seen: Seen) -> str:
        """Where `seen` was; that may hold it still when the pointer names another."""
        start = f"{self._name}/"
        before = seen.reference.removeprefix(start)
        if seen.reference.startswith(start) and _is_package_name(before):
            return before
        return self._find()

    def _find(self) -> str:
        if self._selection is not None and self._selection.release is not None:
            return f"{self._selection.release}/"
        tag = self._selection.tag if self._selection else None
        if tag is None:
            if self._direct is None:
                self._direct = self._files.size(RELEASE_FILE) is not None
            if self._direct:
                return ""
        pointer = f"{tag or 'latest'}.json"
        raw = self._files.read(pointer, POINTER_MAX)
        if raw is None:
            self._direct = None
            what = f"no {pointer}" if tag else f"neither {RELEASE_FILE} nor {pointer}"
            raise Unavailable(f"{self._name} holds {what}; `appliance push` puts packages there.")
        return self._pointed_to(pointer, raw)

    def _pointed_to(self, pointer: str, raw: bytes) -> str:
        try:
            value = read_json(raw, max_bytes=POINTER_MAX)
            path = value["path"].rstrip("/")
        except (NotStrict, LookupError, TypeError, AttributeError) as error:
            raise Rejected(
                Refusal.NOT_A_PACKAGE, f'{self._name}/{pointer} is not as {{"release": 12, "path": "12"}}; push again.'
            ) from error
        check_path(path)
        return f"{path}/"


def _is_package_name(text: str) -> bool:
    if not text.endswith("/"):
        return text == ""
    try:
        check_path(text[:-1])
    except Rejected:
        return False
    return True


def _identity(statement: bytes) -> str:
    return f"sha256:{hashlib.sha256(statement).hexdigest()}"
