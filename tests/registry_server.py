"""Debian's docker-registry on loopback, and the smallest uploader that can fill it."""

import base64
import hashlib
import json
import shutil
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from running import free_port, until

USER = "box"
PASSWORD = "correct-horse"
_HTPASSWD = f"{USER}:$2b$04$B79KP9OxZpH.hfSNEO5ezeDKzNIK.rPEvACtQ.pDA8ESRkW7djXQq\n"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class Registry:
    """A registry of its own; may be stopped and started again on the same port, with what it held.

    `upstream`, as `http://127.0.0.1:5000`: a pull-through cache of that one. `htpasswd`: asks for USER and PASSWORD.
    `delete`: manifests may be deleted.
    """

    def __init__(self, folder: Path, htpasswd: bool = False, upstream: str | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self.log_file = folder / "registry.log"
        self.data = folder / "data"
        self._config = folder / "registry.yml"
        settings: dict[str, Any] = {
            "version": "0.1",
            "log": {"level": "info"},
            "storage": {
                "filesystem": {"rootdirectory": str(self.data)},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": {"addr": self.host, "secret": "of a test"},
        }
        if htpasswd:
            (folder / "htpasswd").write_text(_HTPASSWD)
            settings["auth"] = {"htpasswd": {"realm": "test", "path": str(folder / "htpasswd")}}
        if upstream:
            settings["proxy"] = {"remoteurl": upstream}
        self._config.write_text(json.dumps(settings))  # JSON is YAML
        self._process: subprocess.Popen | None = None

    def start(self) -> "Registry":
        program = shutil.which("docker-registry")
        assert program, "Debian's docker-registry is missing: apt-get install docker-registry"
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen([program, "serve", str(self._config)], stdout=log, stderr=log)
        until(self._listens, "docker-registry to listen", 20)
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def requests(self) -> list[str]:
        """`METHOD /path status` of each request so far, from its own log; the last may lag behind the answer."""
        found = []
        for line in self.log_file.read_text(errors="replace").splitlines():
            _, quote, rest = line.partition(' "')
            if quote and "HTTP/1." in rest and not line.startswith("time="):
                request, _, after = rest.partition('" ')
                method, path, _ = request.split(" ")
                found.append(f"{method} {path} {after.split(' ')[0]}")
        return found

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_file.read_text()[-2000:]
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.5).close()
        except OSError:
            return False
        return True


def put_package(
    registry_url: str,
    repo: str,
    tag: str,
    folder: Path,
    *,
    login: tuple[str, str] | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> str:
    """Upload every file of `folder` as a ModelPack raw layer, and name that `tag`; returns the manifest's digest.

    `manifest`: put this one instead; its blobs have to be there (see `put_blob`).
    """
    if manifest is None:
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        layers = []
        for file in files:
            layer = put_blob(registry_url, repo, file.read_bytes(), login=login)
            layer["mediaType"] = "application/vnd.cncf.model.weight.v1.raw"
            layer["annotations"] = {"org.cncf.model.filepath": str(file.relative_to(folder))}
            layers.append(layer)
        config = put_blob(registry_url, repo, b"{}", login=login)
        config["mediaType"] = "application/vnd.cncf.model.config.v1+json"
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "artifactType": "application/vnd.cncf.model.manifest.v1+json",
            "config": config,
            "layers": layers,
        }
    raw = json.dumps(manifest).encode()
    content_type = {"Content-Type": manifest.get("mediaType", MANIFEST)}
    _send("PUT", f"{registry_url}/v2/{repo}/manifests/{tag}", raw, login, content_type)
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def put_blob(registry_url: str, repo: str, data: bytes, *, login: tuple[str, str] | None = None) -> dict[str, Any]:
    """Upload one blob unless it is there; returns its descriptor, without a media type of meaning."""
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    try:
        _send("HEAD", f"{registry_url}/v2/{repo}/blobs/{digest}", None, login)
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
        where = _send("POST", f"{registry_url}/v2/{repo}/blobs/uploads/", b"", login)["Location"]
        where = where if "://" in where else registry_url + where
        put = f"{where}{'&' if '?' in where else '?'}digest={digest}"
        _send("PUT", put, data, login, {"Content-Type": "application/octet-stream"})
    return {"mediaType": "application/octet-stream", "digest": digest, "size": len(data)}


def _send(
    method: str,
    url: str,
    body: bytes | None,
    login: tuple[str, str] | None,
    headers: Mapping[str, str] = {},
) -> Any:
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
    if login is not None:
        request.add_header("Authorization", "Basic " + base64.b64encode(":".join(login).encode()).decode())
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        answer.read()
        return answer.headers
