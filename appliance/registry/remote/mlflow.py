"""MLflow's aliases: an alias names a version, a version has artifacts, and these are files. All over its REST API.

MLflow gives no digests, and a version's files can be overwritten; so the package's own signature is what counts, and a
new version is what a box takes for something new. Read as MLflow 3 answers (also 2.x).
"""

import hashlib
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final
from urllib.parse import quote, urlencode, urlsplit

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.package.files import RELEASE_FILE
from appliance.registry.package.strict_json import NotStrict, read_json
from appliance.registry.remote.copying import ignore_progress
from appliance.registry.remote.http import HttpClient
from appliance.registry.remote.package_root import package_files
from appliance.registry.remote.protocol import Listing, Progress, RemoteFile, Seen
from appliance.registry.remote.ranges import Fetcher
from appliance.registry.remote.reference import MlflowReference

ANSWER_MAX: Final = 1 << 20
FILES_MAX: Final = 10_000
FOLDERS_MAX: Final = 200
_API: Final = "/api/2.0/mlflow"
_ARTIFACTS: Final = "/api/2.0/mlflow-artifacts/artifacts"


@dataclass(frozen=True, slots=True)
class _Version:
    number: str
    source: str
    run: str

    def identity(self, name: str) -> str:
        return f"sha256:{hashlib.sha256(chr(10).join((name, self.number, self.source)).encode()).hexdigest()}"


class MlflowRemote:
    """One alias of one registered model."""

    def __init__(self, reference: MlflowReference, client: HttpClient, fetcher: Fetcher) -> None:
        self._reference = reference
        self._client = client
        self._fetcher = fetcher

    def look(self) -> Seen:
        """As Remote. MLflow answers in full each time, with about 400 bytes and what people wrote on the version."""
        return self._seen(self._version())

    def list(self, seen: Seen) -> Listing:
        """As Remote: every file of the version that is the package."""
        version = self._version()
        if self._seen(version).identity != seen.identity:
            raise Rejected(Refusal.MOVED, f"{self._reference} names another version by now; it is looked at again.")
        files = tuple(self._walk(self._artifact_path(version)))
        self._refuse_keras(files)
        return Listing(seen, package_files(files))

    def read(self, file: RemoteFile, max_bytes: int) -> bytes:
        """As Remote."""
        if file.size > max_bytes:
            raise Rejected(Refusal.TOO_LARGE, f"{file.path} has {file.size} bytes, and {max_bytes} are the most.")
        sink = io.BytesIO()
        self.fetch(file, file.size, sink, ignore_progress)
        return sink.getvalue()

    def fetch(self, file: RemoteFile, size: int, sink: BinaryIO, progress: Progress) -> None:
        """As Remote."""
        if file.size > size:
            raise Rejected(Refusal.TOO_LARGE, f"{file.path} has {file.size} bytes where {size} were signed.")
        self._fetcher.fetch(f"{self._reference.server}{_ARTIFACTS}/{quote(file.key)}", size, sink, progress)

    def close(self) -> None:
        """As Remote."""
        self._client.close()

    def _seen(self, version: _Version) -> Seen:
        return Seen(version.identity(self._reference.name), f"{self._reference} (version {version.number})")

    def _version(self) -> _Version:
        query = {"name": self._reference.name, "alias": self._reference.alias}
        found = self._ask(f"{_API}/registered-models/alias", query, f"reading {self._reference}").get("model_version")
        if not isinstance(found, dict):
            raise self._strange("has no model_version in its answer")
        number, source, run = (str(found.get(key) or "") for key in ("version", "source", "run_id"))
        if not number or not source:
            raise self._strange("names no version and source")
        return _Version(number, source, run)

    def _artifact_path(self, version: _Version) -> str:
        """Where the version's files lie below the server's artifacts."""
        uri = version.source
        if not uri.startswith("runs:/"):
            query = {"name": self._reference.name, "version": version.number}
            answer = self._ask(f"{_API}/model-versions/get-download-uri", query, f"reading version {version.number}")
            uri = str(answer.get("artifact_uri") or uri)
        if uri.startswith("runs:/"):
            uri = self._of_run(uri)
        return self._served_path(uri)

    def _of_run(self, uri: str) -> str:
        run, _, path = uri.removeprefix("runs:/").partition("/")
        answer = self._ask(f"{_API}/runs/get", {"run_id": run}, f"reading the run {run[:64]}")
        try:
            return f"{str(answer['run']['info']['artifact_uri']).rstrip('/')}/{path}"
        except (LookupError, TypeError):
            raise self._strange("says nothing of the run's artifacts") from None

    def _served_path(self, uri: str) -> str:
        parts = urlsplit(uri)
        if parts.scheme == "mlflow-artifacts":
            return parts.path.strip("/")
        own = urlsplit(self._reference.server)
        if parts.scheme in {"http", "https"} and parts.netloc == own.netloc and _ARTIFACTS in parts.path:
            return parts.path.partition(_ARTIFACTS)[2].strip("/")
        raise Unavailable(
            f"The files of {self._reference} lie in {parts.scheme or 'a folder'}: storage that MLflow does not serve "
            f"itself; start it with --serve-artifacts, or push the package to a registry or a folder."
        )

    def _walk(self, top: str) -> Iterator[RemoteFile]:
        waiting = [""]
        folders = files = 0
        while waiting:
            folder = waiting.pop()
            folders += 1
            for name, is_folder, size in self._entries(f"{top}/{folder}".strip("/")):
                path = f"{folder}/{name}".lstrip("/")
                if is_folder:
                    waiting.append(path)
                else:
                    files += 1
                    yield RemoteFile(path, size, None, f"{top}/{path}")
                if folders + len(waiting) > FOLDERS_MAX or files > FILES_MAX:
                    raise Rejected(Refusal.TOO_LARGE, f"{self._reference} has more files than any package.")

    def _entries(self, path: str) -> Iterator[tuple[str, bool, int]]:
        answer = self._ask(_ARTIFACTS, {"path": path}, f"listing the artifacts of {self._reference}")
        for entry in answer.get("files") or []:
            try:
                name = str(entry["path"]).rstrip("/").rpartition("/")[2]
                size = int(entry.get("file_size") or 0)
                is_folder = bool(entry.get("is_dir"))
            except (LookupError, TypeError, ValueError, AttributeError):
                raise self._strange("lists a file without a name and a size") from None
            if not name or name in {".", ".."} or size < 0:
                raise Rejected(Refusal.PATH, f"{self._reference} lists a file of the name {name!r}.")
            yield name, is_folder, size

    def _refuse_keras(self, files: tuple[RemoteFile, ...]) -> None:
        names = {file.path.rpartition("/")[2] for file in files}
        if RELEASE_FILE in names:
            return
        if "model.keras" in names and "saved_model.pb" not in names:
            raise Rejected(
                Refusal.NOT_A_PACKAGE,
                f"{self._reference} holds model.keras, as mlflow.tensorflow.log_model stores it, and no SavedModel; "
                f"make a package of it with `appliance package` and `appliance sign`, log its folder with "
                f"mlflow.log_artifacts, and register that.",
            )
        raise Rejected(
            Refusal.NOT_A_PACKAGE,
            f"{self._reference} holds no {RELEASE_FILE}, so it is not signed; make a package with `appliance package` "
            f"and `appliance sign`, log its folder with mlflow.log_artifacts, and register that.",
        )

    def _ask(self, path: str, query: Mapping[str, str], doing: str) -> dict[str, Any]:
        url = f"{self._reference.server}{path}?{urlencode(query)}"
        answer = self._client.request("GET", url, max_body=ANSWER_MAX)
        if answer.status != 200:
            raise self._client.refused(answer, doing)
        try:
            value = read_json(answer.body, max_bytes=ANSWER_MAX)
        except NotStrict as error:
            raise self._strange(f"answers with what is no JSON ({error})") from error
        if not isinstance(value, dict):
            raise self._strange("answers with what is no JSON object")
        return value

    def _strange(self, what: str) -> Unavailable:
        return Unavailable(f"{self._reference.server} {what}; is it an MLflow server?")
