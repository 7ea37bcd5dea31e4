"""An OCI registry: a HEAD says whether something is new, everything else goes by digest."""

import errno
import hashlib
import io
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from appliance.registry.config import DeliveryConfig
from appliance.registry.errors import NoSpace, Refusal, Rejected, Unavailable
from appliance.registry.package.strict_json import NotStrict, read_json
from appliance.registry.remote.archive import decompress, list_members
from appliance.registry.remote.copying import copy_bytes, ignore_progress
from appliance.registry.remote.http import Answer, HttpClient
from appliance.registry.remote.layouts import (
    INDEX_TYPES,
    MANIFEST_TYPES,
    Layer,
    not_a_package,
    only_manifest,
    read_layers,
)
from appliance.registry.remote.package_root import package_files
from appliance.registry.remote.protocol import Listing, Progress, RemoteFile, Seen
from appliance.registry.remote.ranges import Fetcher
from appliance.registry.remote.reference import DIGEST, OciReference

MANIFEST_MAX: Final = 4 << 20
"""Bytes; what the distribution specification asks registries to take."""
_ACCEPT: Final = ", ".join(sorted(MANIFEST_TYPES) + sorted(INDEX_TYPES))


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a member of an archive lies."""

    archive: BinaryIO
    offset: int
    size: int


class OciRemote:
    """One repository. `look` costs one HEAD; the connection stays open between calls."""

    def __init__(
        self,
        reference: OciReference,
        config: DeliveryConfig,
        client: HttpClient,
        fetcher: Fetcher,
        temporary: Path | None = None,
    ) -> None:
        """`temporary`: where archives lie while their files are read."""
        self._reference = reference
        self._client = client
        self._fetcher = fetcher
        self._max_bytes = config.package_max_mb * 1_000_000
        self._temporary = temporary
        self._base = f"{reference.scheme}://{reference.host}/v2/{reference.repository}"
        self._scope = f"repository:{reference.repository}:pull"
        self._etag: tuple[str, Seen] | None = None
        self._archives = ExitStack()
        self._members: dict[str, _Place] = {}

    def look(self) -> Seen:
        """As Remote: HEAD, with If-None-Match after the first."""
        headers = {"Accept": _ACCEPT}
        if self._etag is not None:
            headers["If-None-Match"] = self._etag[0]
        answer = self._client.request(
            "HEAD", self._manifest_url(self._reference.asked), headers=headers, scope=self._scope
        )
        if answer.status == 304 and self._etag is not None:
            return self._etag[1]
        if answer.status not in {200, 405}:
            raise self._refused(answer, f"looking at {self._reference}")
        digest = answer.headers.get("docker-content-digest", "")
        if answer.status == 405 or not DIGEST.fullmatch(digest):
            digest = _digest(self._manifest(self._reference.asked, f"reading {self._reference}").body)
        if self._reference.digest is not None and digest != self._reference.digest:
            raise Rejected(
                Refusal.CONTENT, f"{self._reference} is there with another digest, {digest}; ask its registry."
            )
        seen = Seen(digest, f"{str(self._reference).partition('@')[0]}@{digest}")
        etag = answer.headers.get("etag")
        self._etag = (etag, seen) if etag and len(etag) < 200 else None
        return seen

    def list(self, seen: Seen) -> Listing:
        """As Remote. Layers that are archives are fetched here, as their files' names are in them."""
        manifest = self._verified_manifest(seen.identity)
        if isinstance(manifest.get("manifests"), list) and "layers" not in manifest:
            manifest = self._verified_manifest(only_manifest(manifest)[0])
        layers = read_layers(manifest)
        if sum(layer.size for layer in layers) > self._max_bytes:
            raise Rejected(
                Refusal.TOO_LARGE,
                f"{seen.reference} has more than {self._max_bytes} bytes, the most by delivery.package_max_mb.",
            )
        self._forget_archives()
        files: list[RemoteFile] = []
        for layer in layers:
            files.extend(self._files_of(layer))
        return Listing(seen, package_files(files))

    def read(self, file: RemoteFile, max_bytes: int) -> bytes:
        """As Remote; its digest is checked."""
        if file.size > max_bytes:
            raise Rejected(Refusal.TOO_LARGE, f"{file.path} has {file.size} bytes, and {max_bytes} are the most.")
        sink = io.BytesIO()
        self.fetch(file, file.size, sink, ignore_progress)
        content = sink.getvalue()
        if file.sha256 is not None and hashlib.sha256(content).hexdigest() != file.sha256:
            raise Rejected(
                Refusal.CONTENT, f"{file.path} came from {self._reference.host} with other bytes than it names."
            )
        return content

    def fetch(self, file: RemoteFile, size: int, sink: BinaryIO, progress: Progress) -> None:
        """As Remote."""
        if file.size > size:
            raise Rejected(Refusal.TOO_LARGE, f"{file.path} has {file.size} bytes where {size} were signed.")
        place = self._members.get(file.key)
        if place is not None:
            copy_bytes(place.archive, place.offset, size, sink, progress)
        elif DIGEST.fullmatch(file.key):
            self._fetcher.fetch(f"{self._base}/blobs/{file.key}", size, sink, progress, scope=self._scope)
        else:
            raise Unavailable(f"{file.path} lies in an archive that is not here any more; list the package again.")

    def close(self) -> None:
        """As Remote."""
        self._forget_archives()
        self._client.close()

    def _manifest_url(self, asked: str) -> str:
        return f"{self._base}/manifests/{asked}"

    def _manifest(self, asked: str, doing: str) -> Answer:
        answer = self._client.request(
            "GET", self._manifest_url(asked), headers={"Accept": _ACCEPT}, scope=self._scope, max_body=MANIFEST_MAX
        )
        if answer.status != 200:
            raise self._refused(answer, doing)
        return answer

    def _verified_manifest(self, digest: str) -> dict[str, Any]:
        answer = self._client.request(
            "GET", self._manifest_url(digest), headers={"Accept": _ACCEPT}, scope=self._scope, max_body=MANIFEST_MAX
        )
        name = f"{str(self._reference).partition('@')[0]}@{digest}"
        if answer.status in {404, 410}:
            raise Rejected(Refusal.MOVED, f"{name} is not there any more; what its tag names now is looked at next.")
        if answer.status != 200:
            raise self._refused(answer, f"reading the manifest {name}")
        if _digest(answer.body) != digest:
            raise Rejected(
                Refusal.CONTENT, f"{self._reference.host} gives another manifest for {digest}; ask its operator."
            )
        try:
            manifest = read_json(answer.body, max_bytes=MANIFEST_MAX)
        except NotStrict as error:
            raise not_a_package(f"its manifest cannot be read, as {error}") from error
        if not isinstance(manifest, dict):
            raise not_a_package("its manifest is no JSON object")
        return manifest

    def _refused(self, answer: Answer, doing: str) -> Unavailable:
        return self._client.refused(answer, doing, self._scope)

    def _files_of(self, layer: Layer) -> Iterable[RemoteFile]:
        if layer.form == "file":
            yield RemoteFile(layer.path, layer.size, layer.digest.removeprefix("sha256:"), layer.digest)
            return
        try:
            archive = self._fetched(layer)
        except OSError as error:
            raise _no_room(error, layer) from error
        for number, member in enumerate(list_members(archive, self._max_bytes)):
            key = f"{layer.digest}#{number}"
            self._members[key] = _Place(archive, member.offset, member.size)
            yield RemoteFile(member.path, member.size, member.sha256, key)

    def _fetched(self, layer: Layer) -> BinaryIO:
        """The layer, uncompressed, in a file that has no name and is gone with us. Raises: OSError of the disk."""
        packed = self._new_file()
        url = f"{self._base}/blobs/{layer.digest}"
        self._fetcher.fetch(url, layer.size, packed, ignore_progress, scope=self._scope)
        packed.seek(0)
        total = hashlib.sha256()
        while data := packed.read(1 << 20):
            total.update(data)
        if f"sha256:{total.hexdigest()}" != layer.digest:
            raise Rejected(Refusal.CONTENT, f"The layer {layer.digest} came with other bytes; try again.")
        if layer.form == "tar":
            return packed
        plain = self._new_file()
        decompress(packed, plain, self._max_bytes)
        packed.close()
        return plain

    def _new_file(self) -> BinaryIO:
        return self._archives.enter_context(tempfile.TemporaryFile(dir=self._temporary))

    def _forget_archives(self) -> None:
        self._members.clear()
        self._archives.close()


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _no_room(error: OSError, layer: Layer) -> NoSpace | Unavailable:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return NoSpace(f"No room for an archive of {layer.size} bytes in the temporary folder; push files unpacked.")
    return Unavailable(f"The temporary folder cannot be used: {error.strerror}.")
