"""How the operator's file names a place for packages, and what a command may name instead of its tag."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from appliance.errors import ApplianceError

REFERENCE_MAX: Final = 2048
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_REPOSITORY: Final = re.compile(r"[a-z0-9]+(?:(?:[._]|__|-+|/)[a-z0-9]+)*")
_TAG: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_MLFLOW: Final = re.compile(r"([^/@:]{1,250})@([^/@:]{1,250})")
_SCHEMES: Final = "oci://, https://, file://, mlflow+https:// or a folder's path"


class ReferenceUnusable(ApplianceError):
    """What should name a place for packages names none."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a command may name instead of the configured tag: at the same host, in the same repository."""

    tag: str | None = None
    """A tag; an alias for MLflow; `<tag>.json` for a folder."""
    digest: str | None = None
    """`sha256:...`: an OCI manifest's, or that of a folder's release.json: `Seen.identity`, both."""
    release: int | None = None
    """The tag `release-12`, or the folder `12/`."""

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.tag, self.digest, self.release)) != 1:
            raise ReferenceUnusable("Name exactly one of tag, digest and release.")
        if self.tag is not None and not _TAG.fullmatch(self.tag):
            raise ReferenceUnusable(f"{self.tag!r:.200} is no tag: letters, digits and ._- only, at most 128.")
        if self.digest is not None and not DIGEST.fullmatch(self.digest):
            raise ReferenceUnusable(f"{self.digest!r:.200} is no digest; write sha256: and 64 hexadecimal digits.")
        if self.release is not None and not 0 <= self.release < 2**63:
            raise ReferenceUnusable(f"{self.release} is no release; releases are whole numbers from 0 on.")


def release_tag(release: int) -> str:
    """The tag that publishers give a release beside their own: it is not moved, so that a box can go back to it."""
    return f"release-{release}"


@dataclass(frozen=True, slots=True)
class OciReference:
    """A repository of an OCI registry, and what to look at in it."""

    scheme: str
    """https or http."""
    host: str
    """With the port where one is given; `[::1]:5000` for IPv6."""
    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        prefix = "oci" if self.scheme == "https" else "oci+http"
        at = f"@{self.digest}" if self.digest else f":{self.tag}"
        return f"{prefix}://{self.host}/{self.repository}{at}"

    @property
    def asked(self) -> str:
        """Tag or digest, as a manifest's URL has it."""
        return self.digest or self.tag or "latest"

    def selected(self, selection: Selection) -> "OciReference":
        """The same repository at what a command names."""
        if selection.digest:
            return replace(self, tag=None, digest=selection.digest)
        tag = release_tag(selection.release) if selection.release is not None else selection.tag
        return replace(self, tag=tag, digest=None)


@dataclass(frozen=True, slots=True)
class FolderReference:
    """A folder, on the disk or behind a web server: a package itself, or with `latest.json` that names one."""

    location: str | Path
    """A URL with a slash at its end, or an absolute path."""
    selection: Selection | None = None

    def __str__(self) -> str:
        return self.location if isinstance(self.location, str) else self.location.as_uri()

    def selected(self, selection: Selection) -> "FolderReference":
        """The same folder at what a command names."""
        return replace(self, selection=selection)


@dataclass(frozen=True, slots=True)
class MlflowReference:
    """An alias of a registered model."""

    server: str
    """`https://host:port`, with a path where the server lies below one; no slash at its end."""
    name: str
    alias: str

    def __str__(self) -> str:
        return f"mlflow+{self.server}/{self.name}@{self.alias}"

    def selected(self, selection: Selection) -> "MlflowReference":
        """The same model at another alias. Raises: ReferenceUnusable for digest and release."""
        if selection.tag is None:
            raise ReferenceUnusable("MLflow knows neither digests nor releases; name one of the model's aliases.")
        return replace(self, alias=selection.tag)


Reference = OciReference | FolderReference | MlflowReference


def parse_reference(text: str, *, plain_http: bool = False) -> Reference:
    """`oci://host[:port]/repo[:tag|@sha256:..]`, `https://host/folder/`, `file:///folder`, `mlflow+https://host/NAME@ALIAS`.

    `oci+http://` and `mlflow+http://` go without TLS; `oci://` does so where `plain_http` asks for it.
    Raises: ReferenceUnusable.
    """
    if not text or len(text) > REFERENCE_MAX or not text.isprintable():
        raise ReferenceUnusable(f"A place for packages is named by 1 to {REFERENCE_MAX} printable characters.")
    scheme, separator, _ = text.partition("://")
    if not separator:
        if re.match(r"[\w.-]+(:\d+)?/", text) and not text.startswith((".", "/")):
            raise ReferenceUnusable(f"{text!r} does not say what it is; write {_SCHEMES}.")
        return FolderReference(Path(text).absolute())
    if scheme == "file":
        return _of_file(text)
    if scheme not in {"oci", "oci+http", "https", "http", "mlflow+https", "mlflow+http"}:
        raise ReferenceUnusable(
            f"{_shown(text)} begins with {scheme}://, which no client here knows; write {_SCHEMES}."
        )
    url = _split(text)
    if scheme.startswith("oci"):
        return _oci(text, url, "http" if plain_http or scheme == "oci+http" else "https")
    if scheme.startswith("mlflow"):
        return _mlflow(text, url, scheme.removeprefix("mlflow+"))
    if url.query or url.fragment:
        raise ReferenceUnusable(f"{_shown(text)}: a folder's address has neither ? nor #.")
    return FolderReference(f"{scheme}://{url.netloc}{url.path.rstrip('/')}/")


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ReferenceUnusable(f"{_shown(text)} is no address: {error}.") from error
    if "@" in url.netloc:
        raise ReferenceUnusable(
            f"{_shown(text)} carries a login; put it into delivery.credentials_file, as docker's config.json has it."
        )
    if not url.hostname or port == 0:
        raise ReferenceUnusable(f"{_shown(text)} names no host.")
    return url


def _oci(text: str, url: SplitResult, scheme: str) -> OciReference:
    rest, at, digest = url.path.lstrip("/").partition("@")
    repository, colon, tag = rest.partition(":")
    if url.query or url.fragment or not _REPOSITORY.fullmatch(repository) or len(repository) > 255:
        raise ReferenceUnusable(
            f"{_shown(text)} names no repository; write oci://host/repository:tag, the repository in small letters."
        )
    if at and not DIGEST.fullmatch(digest):
        raise ReferenceUnusable(f"{_shown(text)}: after @ stands sha256: and 64 hexadecimal digits.")
    if colon and not _TAG.fullmatch(tag):
        raise ReferenceUnusable(f"{_shown(text)}: {tag!r} is no tag: letters, digits and ._- only, at most 128.")
    if at:
        return OciReference(scheme, url.netloc, repository, None, digest)
    return OciReference(scheme, url.netloc, repository, tag or "latest", None)


def _mlflow(text: str, url: SplitResult, scheme: str) -> MlflowReference:
    path, _, last = url.path.rpartition("/")
    named = _MLFLOW.fullmatch(unquote(last))
    if named is None or url.query or url.fragment:
        raise ReferenceUnusable(f"{_shown(text)} names no model and alias; write mlflow+https://host/NAME@ALIAS.")
    return MlflowReference(f"{scheme}://{url.netloc}{path}", named[1], named[2])


def _of_file(text: str) -> FolderReference:
    host, slash, path = text.removeprefix("file://").partition("/")
    if host not in {"", "localhost"} or not slash:
        raise ReferenceUnusable(f"{text!r} is no folder of this box; write file:///folder, with three slashes.")
    return FolderReference(Path("/" + unquote(path)))


def _shown(text: str) -> str:
    """The reference for people, without a login that somebody wrote into it."""
    return repr(re.sub(r"//[^/@]*@", "//", text))
