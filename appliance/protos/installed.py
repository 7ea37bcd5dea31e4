"""Descriptors out of the generated files of installed packages: read as text, never run."""

import ast
import importlib.util
import re
from pathlib import Path
from typing import Final

import google.protobuf

from appliance.errors import ApplianceError

_FILE_MAX_BYTES: Final = 1 << 20
_DESCRIPTOR: Final = re.compile(r"AddSerializedFile\((b(?P<quote>['\"]).*(?P=quote))\)\s*$", re.MULTILINE)

_MOVED: Final = {
    "xla/": "tensorflow/compiler/xla/",
    "tsl/": "tensorflow/tsl/",
    "grpc/health/v1/": "grpc_health/v1/",
}
"""Where a package keeps what its .proto's path does not say."""


class MissingMessages(ApplianceError):
    """The package that carries the messages is not installed, or is another than we know. Install it again."""


def descriptor_of(path: str) -> bytes:
    """The serialized FileDescriptorProto of `package/folder/name.proto`. Raises: MissingMessages."""
    file = _generated(path)
    if file is None:
        raise MissingMessages(
            f"The messages of {path} are not installed; install tensorflow, tensorflow-serving-api, "
            "grpcio-health-checking and protobuf with deploy/constraints.txt."
        )
    found = _DESCRIPTOR.search(file.read_text(encoding="utf-8")[:_FILE_MAX_BYTES])
    if found is None:
        raise MissingMessages(f"{file} holds no descriptor that can be read; install its package again.")
    content = ast.literal_eval(found[1])
    if not isinstance(content, bytes):
        raise MissingMessages(f"{file} holds no descriptor that can be read; install its package again.")
    return content


def _generated(path: str) -> Path | None:
    """Where the generated file of a .proto lies. Only its top package is looked for; none is imported."""
    relative = path.removesuffix(".proto") + "_pb2.py"
    for was, now in _MOVED.items():
        if relative.startswith(was):
            relative = now + relative.removeprefix(was)
    top, _, rest = relative.partition("/")
    if top == "google":  # protobuf's own: the namespace is shared, so not looked for by its name
        folders = [str(Path(google.protobuf.__file__).parent.parent)]
    else:
        spec = importlib.util.find_spec(top)
        folders = list((spec and spec.submodule_search_locations) or ())
    files = (Path(folder) / rest for folder in folders)
    return next((file for file in files if file.is_file()), None)
