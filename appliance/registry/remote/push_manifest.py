"""The manifest of a package in an OCI registry: ModelPack (CNCF model-spec), or an image for strict registries.

One layer a file, its bytes as they are: a file that did not change is a blob that is there already. The layers carry
ModelPack's and ORAS' annotations, so that readers of either see the files' names.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from appliance.registry.package.files import PackageFile
from appliance.registry.package.statement import Statement

MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
_ARTIFACT: Final = "application/vnd.cncf.model.manifest.v1+json"
_CONFIG: Final = "application/vnd.cncf.model.config.v1+json"
_IMAGE_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_IMAGE_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
"""What ORAS, too, calls a file in an image; its title annotation says that it is one."""
_LAYER: Final = "application/vnd.cncf.model.{}.v1.raw"
FILEPATH: Final = "org.cncf.model.filepath"
TITLE: Final = "org.opencontainers.image.title"
RELEASE: Final = "inspection-appliance.release"
CONTENT: Final = "inspection-appliance.digest"


@dataclass(frozen=True, slots=True)
class Written:
    """A manifest, and the config blob that it names. The same package gives the same bytes."""

    manifest: bytes
    config: bytes


def write_manifest(statement: Statement, files: Sequence[PackageFile], *, plain_image: bool) -> Written:
    """`files`: all that is sent, release.json and model.sig among them."""
    config = _json(_image_config(files) if plain_image else _model_config(statement, files))
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(_IMAGE_CONFIG if plain_image else _CONFIG, config),
        "layers": [_layer(file, plain_image=plain_image) for file in files],
        "annotations": _annotations(statement),
    }
    if not plain_image:
        value["artifactType"] = _ARTIFACT
    return Written(_json(value), config)


def descriptor(media_type: str, content: bytes) -> dict[str, Any]:
    """How a manifest names a blob."""
    return {"mediaType": media_type, "digest": f"sha256:{hashlib.sha256(content).hexdigest()}", "size": len(content)}


def _layer(file: PackageFile, *, plain_image: bool) -> dict[str, Any]:
    return {
        "mediaType": _IMAGE_LAYER if plain_image else _LAYER.format(_kind(file.path)),
        "digest": f"sha256:{file.sha256}",
        "size": file.size,
        "annotations": {FILEPATH: file.path, TITLE: file.path},
    }


def _kind(path: str) -> str:
    if path.endswith(".md"):
        return "doc"
    if path.startswith("assets.extra/golden/"):
        return "dataset"
    return "weight.config" if path.endswith(".json") else "weight"


def _annotations(statement: Statement) -> dict[str, str]:
    said = {
        TITLE: statement.model,
        "org.opencontainers.image.version": str(statement.version),
        "org.opencontainers.image.created": _moment(statement),
        RELEASE: str(statement.release),
        CONTENT: statement.digest,
    }
    return {**said, "org.opencontainers.image.description": statement.notes} if statement.notes else said


def _model_config(statement: Statement, files: Sequence[PackageFile]) -> dict[str, Any]:
    return {
        "descriptor": {
            "createdAt": _moment(statement),
            "name": statement.model,
            "version": str(statement.version),
            "revision": str(statement.release),
        },
        "config": {"format": "tensorflow-savedmodel"},
        "modelfs": {"type": "layers", "diffIds": [f"sha256:{file.sha256}" for file in files]},
    }


def _image_config(files: Sequence[PackageFile]) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{file.sha256}" for file in files]},
    }


def _moment(statement: Statement) -> str:
    return statement.issued.strftime("%Y-%m-%dT%H:%M:%SZ")


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
