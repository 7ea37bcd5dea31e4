"""A registered model from an MLflow server, over its REST API; MLflow itself is not needed.

`models:/NAME@ALIAS` and `models:/NAME/VERSION`, as MLflow writes them. MLflow keeps no digests and lets versions be
overwritten: what comes is packaged and signed here, and boxes trust that.
"""

import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from appliance import __version__
from appliance.publishing.errors import PublishError
from appliance.publishing.progress import Progress
from appliance.registry.config import DeliveryConfig
from appliance.registry.remote.http import HttpClient

_NAMED: Final = re.compile(r"models:/(?P<name>[^/@]{1,250})(@(?P<alias>[^/@]{1,250})|/(?P<version>\d{1,18}))")
_FILES_MAX: Final = 5_000
_DEPTH_MAX: Final = 20
_BYTES_MAX: Final = 8 << 30
_SLOWEST: Final = 20_000
"""Bytes a second: a file may take as long as this says, and two minutes."""
_READ_BYTES: Final = 1 << 20


def is_tracked(source: str) -> bool:
    """Whether SOURCE names a model of an MLflow server."""
    return source.startswith("models:/")


def download(source: str, server: str | None, into: Path, progress: Progress) -> Path:
    """Fetch all files of the model version. Raises: PublishError, Unavailable."""
    named = _NAMED.fullmatch(source)
    if named is None:
        raise PublishError(f"{source} names no registered model; write models:/NAME@ALIAS or models:/NAME/VERSION.")
    server = (server or os.environ.get("MLFLOW_TRACKING_URI", "")).rstrip("/")
    if urlsplit(server).scheme not in {"http", "https"}:
        raise PublishError(
            f"{source} is on an MLflow server; say which: --tracking https://host:5000, or MLFLOW_TRACKING_URI."
        )
    tracking = _Tracking(server)
    try:
        version = named["version"] or tracking.version_of(named["name"], named["alias"])
        root = tracking.artifacts_of(named["name"], version)
        files = tracking.files(root)
        progress.step(f"Fetching {named['name']} version {version} from MLflow", sum(file.size for file in files))
        for file in files:
            tracking.fetch(file, into, progress)
    finally:
        tracking.close()
    return into


@dataclass(frozen=True, slots=True)
class _File:
    artifact: str
    """Its path below the server's artifacts."""
    path: str
    """Its path in the model."""
    size: int


class _Tracking:
    """One server. One thread."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._http = HttpClient(DeliveryConfig(), user_agent=f"appliance/{__version__}")
        self._headers = _login()

    def version_of(self, name: str, alias: str) -> str:
        """The version that an alias names."""
        found = self._get("registered-models/alias", {"name": name, "alias": alias}, f"{name}@{alias}")
        return str(found["model_version"]["version"])

    def artifacts_of(self, name: str, version: str) -> str:
        """Where the version's files lie below the server's artifacts."""
        found = self._get("model-versions/get-download-uri", {"name": name, "version": version}, f"{name}/{version}")
        uri = str(found["artifact_uri"])
        if uri.startswith("mlflow-artifacts:"):
            return urlsplit(uri).path.strip("/")
        raise PublishError(
            f"{name} version {version} lies at {uri}, which its server does not hand out; start it with "
            "--serve-artifacts, or download the model (mlflow artifacts download) and package that folder."
        )

    def files(self, root: str) -> list[_File]:
        """All files below `root`."""
        found: list[_File] = []
        folders = [(root, 0)]
        while folders:
            folder, depth = folders.pop()
            url = f"{self._server}/api/2.0/mlflow-artifacts/artifacts?{urlencode({'path': folder})}"
            for each in self._json(url, f"listing {folder}").get("files", []):
                path = f"{folder}/{each['path']}"
                inside = str(PurePosixPath(path).relative_to(root))
                if ".." in PurePosixPath(inside).parts or inside.startswith("/"):
                    raise PublishError(f"{self._server} lists {path!r}, which climbs out of the model.")
                if each.get("is_dir"):
                    folders.append((path, depth + 1))
                else:
                    found.append(_File(path, inside, int(each.get("file_size") or 0)))
            if len(found) > _FILES_MAX or depth > _DEPTH_MAX or sum(file.size for file in found) > _BYTES_MAX:
                raise PublishError(f"{root} on {self._server} is too large to be one model; name its own folder.")
        if not found:
            raise PublishError(f"{root} on {self._server} holds no files; was the model logged to the end?")
        return found

    def fetch(self, file: _File, into: Path, progress: Progress) -> None:
        """Write one file, of exactly the bytes that were listed."""
        target = into / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        url = f"{self._server}/api/2.0/mlflow-artifacts/artifacts/{quote(file.artifact)}"
        count = 0
        with (
            self._http.stream("GET", url, headers=self._headers, whole_s=120 + file.size / _SLOWEST) as stream,
            target.open("wb") as opened,
        ):
            if stream.status != 200:
                raise self._http.refused(stream, f"reading {file.path}")
            while chunk := stream.read(_READ_BYTES):
                opened.write(chunk)
                count += len(chunk)
                progress.advance(len(chunk))
                if count > file.size:
                    break
        if count != file.size:
            raise PublishError(f"{file.path} came with {count} bytes and has {file.size} on the server; try again.")

    def close(self) -> None:
        """Let connections go."""
        self._http.close()

    def _get(self, what: str, query: Mapping[str, str], asked: str) -> dict[str, Any]:
        return self._json(f"{self._server}/api/2.0/mlflow/{what}?{urlencode(query)}", f"looking for {asked}")

    def _json(self, url: str, doing: str) -> dict[str, Any]:
        answer = self._http.request("GET", url, headers=self._headers, max_body=16 << 20)
        if answer.status != 200:
            raise self._http.refused(answer, doing)
        try:
            found = json.loads(answer.body)
        except ValueError as error:
            raise PublishError(f"{self._server} answers with no JSON; is it an MLflow server?") from error
        if not isinstance(found, dict):
            raise PublishError(f"{self._server} answers with no JSON object; is it an MLflow server?")
        return found


def _login() -> dict[str, str]:
    """As MLflow's own client takes it from the environment."""
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    user, password = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_PASSWORD")
    if user and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    return {}
