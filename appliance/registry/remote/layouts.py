"""What a manifest's layers are: files, or archives of files. Their annotations say, never an artifact's type.

Read here: ModelPack (`org.cncf.model.filepath`), ORAS (`org.opencontainers.image.title`), KitOps' ModelKit, and plain
images. Whoever published it, the signed statement decides what of it counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.paths import shown
from appliance.registry.remote.reference import DIGEST

LAYERS_MAX: Final = 10_000
FILEPATH: Final = "org.cncf.model.filepath"
TITLE: Final = "org.opencontainers.image.title"
UNPACK: Final = "io.deis.oras.content.unpack"
_ALWAYS_BY_TYPE: Final = ("application/vnd.cncf.model.", "application/vnd.kitops.modelkit.")
_EMPTY: Final = frozenset({"application/vnd.oci.empty.v1+json", "application/vnd.oci.scratch.v1+json"})
INDEX_TYPES: Final = frozenset(
    {"application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"}
)
MANIFEST_TYPES: Final = frozenset(
    {"application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"}
)
Form = Literal["file", "tar", "tar+gzip"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One blob of a manifest."""

    digest: str
    size: int
    """Bytes, as the manifest says."""
    form: Form
    path: str
    """A file's; empty for an archive, whose members have their own."""


def read_layers(manifest: Mapping[str, Any]) -> tuple[Layer, ...]:
    """The layers of an image manifest. Raises: Rejected(NOT_A_PACKAGE)."""
    layers = manifest.get("layers")
    if not isinstance(layers, list) or not 0 < len(layers) <= LAYERS_MAX:
        raise not_a_package(f"its manifest has no list of 1 to {LAYERS_MAX} layers")
    return tuple(
        _layer(layer) for layer in layers if not (isinstance(layer, dict) and layer.get("mediaType") in _EMPTY)
    )


def only_manifest(index: Mapping[str, Any]) -> tuple[str, int]:
    """Digest and size of the one manifest in an index, besides attestations. Raises: Rejected(NOT_A_PACKAGE)."""
    entries = index.get("manifests")
    entries = [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    found = [entry for entry in entries if not _is_attestation(entry)]
    if len(found) != 1:
        raise not_a_package(f"its index names {len(found)} manifests where one was expected; push for one platform")
    return descriptor(found[0])


def descriptor(value: Any) -> tuple[str, int]:
    """Digest and size. Raises: Rejected(NOT_A_PACKAGE)."""
    digest, size = (value.get("digest"), value.get("size")) if isinstance(value, dict) else (None, None)
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise not_a_package("its manifest names a blob without a sha256 digest")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise not_a_package("its manifest names a blob without a size")
    return digest, size


def not_a_package(why: str) -> Rejected:
    """What lies there is something else."""
    return Rejected(Refusal.NOT_A_PACKAGE, f"What lies there is no model package: {why}; `appliance push` makes one.")


def _layer(value: Any) -> Layer:
    digest, size = descriptor(value)
    media_type = str(value.get("mediaType", ""))
    annotations = value.get("annotations")
    annotations = annotations if isinstance(annotations, dict) else {}
    path = annotations.get(FILEPATH) or annotations.get(TITLE)
    by_type = media_type.startswith(_ALWAYS_BY_TYPE)
    packed = str(annotations.get(UNPACK, "")).lower() == "true"
    if by_type or packed or path is None:
        form = _archive_form(media_type, packed=packed)
        if form is not None:
            return Layer(digest, size, form, "")
    if not isinstance(path, str) or not path:
        raise not_a_package(f"a layer of type {shown(media_type)} has no file name and is no archive")
    return Layer(digest, size, "file", path.removeprefix("./"))


def _archive_form(media_type: str, *, packed: bool) -> Form | None:
    kind = media_type.rpartition("/")[2]
    if kind.endswith(("tar+zstd", "tar.zstd")):
        raise not_a_package("a layer is compressed with zstd, which this box does not unpack; push it raw or with gzip")
    if kind.endswith(("tar+gzip", "tar.gzip")):
        return "tar+gzip"
    if kind.endswith((".tar", "+tar")):
        return "tar"
    return "tar+gzip" if packed else None


def _is_attestation(entry: Mapping[str, Any]) -> bool:
    platform = entry.get("platform")
    return isinstance(platform, dict) and platform.get("os") == "unknown"
