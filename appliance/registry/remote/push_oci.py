"""Sends packages to an OCI registry: blobs that are not there, the manifest by its digest, and then its tags."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from appliance.registry.config import DeliveryConfig
from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.package.files import PackageFile
from appliance.registry.package.statement import Statement
from appliance.registry.remote.http import Answer, HttpClient
from appliance.registry.remote.push import Advance, Pushed
from appliance.registry.remote.push_files import files_to_send
from appliance.registry.remote.push_manifest import CONTENT, MANIFEST_TYPE, RELEASE, write_manifest
from appliance.registry.remote.push_upload import Uploader, refused
from appliance.registry.remote.reference import OciReference, Selection, release_tag

_FOUND: Final = 200
_NOT_FOUND: Final = 404
_MANIFEST_MAX_BYTES: Final = 4 << 20


class OciDestination:
    """One repository and its tags. One thread."""

    def __init__(
        self,
        reference: OciReference,
        config: DeliveryConfig,
        *,
        tags: Sequence[str],
        plain_image: bool,
        user_agent: str,
    ) -> None:
        """Raises: ReferenceUnusable (a tag), Unavailable (unreadable credentials)."""
        self._reference = reference
        self._tags = tuple(dict.fromkeys((reference.asked, *tags)))
        for tag in self._tags:
            Selection(tag=tag)
        self._plain_image = plain_image
        self._url = f"{reference.scheme}://{reference.host}/v2/{reference.repository}"
        self._scope = f"repository:{reference.repository}:pull,push"
        self._http = HttpClient(config, user_agent=user_agent)

    def newest_release(self) -> int | None:
        """The highest of all tags `release-N`, and of what this reference's own tags name."""
        found = [self._release_of(tag) for tag in self._tags]
        known = [number for number in (*found, *self._release_tags()) if number is not None]
        return max(known, default=None)

    def push(self, folder: Path, statement: Statement, advance: Advance) -> Pushed:
        """Blobs, manifest, tags, in this order: no tag ever names what is not whole."""
        self._refuse_reuse(statement)
        files = files_to_send(folder, statement)
        written = write_manifest(statement, files, plain_image=self._plain_image)
        uploader = Uploader(self._http, self._url, self._scope)
        sent = there = 0
        for file in _each_once(files):
            if self._send_file(uploader, folder, file, advance):
                sent += file.size
            else:
                there += file.size
        sent += self._send_config(uploader, written.config)
        digest = f"sha256:{hashlib.sha256(written.manifest).hexdigest()}"
        names = (release_tag(statement.release), *self._tags)
        for name in (digest, *names):
            self._put_manifest(name, written.manifest)
        return Pushed(
            reference=str(self._reference.selected(Selection(digest=digest))),
            source=str(self._reference),
            digest=digest,
            bytes_sent=sent + len(written.manifest),
            bytes_there=there,
            names=names,
        )

    def close(self) -> None:
        """Let connections go."""
        self._http.close()

    def _send_file(self, uploader: Uploader, folder: Path, file: PackageFile, advance: Advance) -> bool:
        digest = f"sha256:{file.sha256}"
        if uploader.has(digest):
            advance(file.size)
            return False
        with (folder / file.path).open("rb") as opened:
            uploader.send(digest, opened, file.size, advance)
        return True

    def _send_config(self, uploader: Uploader, config: bytes) -> int:
        digest = f"sha256:{hashlib.sha256(config).hexdigest()}"
        if uploader.has(digest):
            return 0
        uploader.send(digest, BytesIO(config), len(config), lambda _: None)
        return len(config)

    def _put_manifest(self, name: str, manifest: bytes) -> None:
        answer = self._http.request(
            "PUT",
            f"{self._url}/manifests/{name}",
            headers={"Content-Type": MANIFEST_TYPE},
            body=manifest,
            length=len(manifest),
            scope=self._scope,
        )
        if answer.status not in {_FOUND, 201, 202}:
            error = self._refused(answer, f"the manifest {name}")
            if answer.status in {400, 415} and not self._plain_image:
                raise type(error)(f"{error} A registry that refuses ModelPack's types may take --plain-image.")
            raise error

    def _refuse_reuse(self, statement: Statement) -> None:
        there = self._annotations(release_tag(statement.release)).get(CONTENT)
        if there not in {None, statement.digest}:
            raise Rejected(
                Refusal.VERSION_REUSED,
                f"Release {statement.release} of {self._reference.repository} is there and is another package; "
                "give this one a release of its own (--release next).",
            )

    def _release_of(self, tag: str) -> int | None:
        said = self._annotations(tag).get(RELEASE)
        return int(said) if isinstance(said, str) and said.isdecimal() else None

    def _annotations(self, tag: str) -> Mapping[str, Any]:
        """Of the manifest that `tag` names; empty where there is none, or one of somebody else's making."""
        url = f"{self._url}/manifests/{tag}"
        headers = {"Accept": MANIFEST_TYPE}
        answer = self._http.request("GET", url, headers=headers, scope=self._scope, max_body=_MANIFEST_MAX_BYTES)
        if answer.status == _NOT_FOUND:
            return {}
        if answer.status != _FOUND:
            raise self._refused(answer, f"reading the manifest {tag}")
        try:
            said = json.loads(answer.body)["annotations"]
        except (ValueError, KeyError, TypeError):
            return {}
        return said if isinstance(said, dict) else {}

    def _refused(self, answer: Answer, doing: str) -> Unavailable:
        said = answer.body.decode(errors="replace") if answer.status not in {401, 403} else ""
        return refused(self._http, answer, doing, self._scope, said)

    def _release_tags(self) -> list[int]:
        answer = self._http.request(
            "GET", f"{self._url}/tags/list?n=10000", scope=self._scope, max_body=_MANIFEST_MAX_BYTES
        )
        if answer.status != _FOUND:
            return []
        try:
            tags = json.loads(answer.body)["tags"] or []
        except (ValueError, KeyError, TypeError):
            return []
        prefix = release_tag(0)[:-1]
        numbers = [tag.removeprefix(prefix) for tag in tags if isinstance(tag, str) and tag.startswith(prefix)]
        return [int(number) for number in numbers if number.isdecimal()]


def _each_once(files: Sequence[PackageFile]) -> list[PackageFile]:
    """Two files with the same bytes are one blob."""
    return list({file.sha256: file for file in files}.values())
