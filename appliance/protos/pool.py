"""One pool of descriptors for this package's own use; what others do with protobuf's default pool is their affair."""

import threading
from functools import cache
from typing import Any

from google.protobuf import text_format
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from appliance.errors import ApplianceError
from appliance.protos.declared import DECLARED
from appliance.protos.installed import descriptor_of

_ROOTS = (
    "tensorflow_serving/apis/prediction_service.proto",
    "tensorflow_serving/apis/model_service.proto",
    "tensorflow_serving/apis/prediction_log.proto",
    "tensorflow_serving/config/model_server_config.proto",
    "tensorflow/core/protobuf/meta_graph.proto",
    "grpc/health/v1/health.proto",
)
_building = threading.Lock()


class TextFormatError(ApplianceError):
    """A text-format file does not say what it should; the text says where and what. Correct the file."""


def pool() -> DescriptorPool:
    """Every message that is spoken here; 0.1 s at the first call. Threads: any."""
    with _building:
        return _pool()


@cache
def message(name: str) -> Any:
    """The class of a message, such as `tensorflow.serving.PredictRequest`. Threads: any."""
    return GetMessageClass(pool().FindMessageTypeByName(name))


def parse_text(name: str, text: str) -> Any:
    """A message from protocol buffers' text format. Raises: TextFormatError, in TensorFlow Serving's words."""
    try:
        return text_format.Parse(text, message(name)(), descriptor_pool=pool())
    except text_format.ParseError as error:
        raise TextFormatError(f"Error parsing text-format {name}: {error}") from error


@cache
def _pool() -> DescriptorPool:
    made = DescriptorPool()
    known: set[str] = set()
    for root in _ROOTS:
        _add_with_dependencies(made, root, known)
    for file in DECLARED:
        for dependency in file.dependency:
            _add_with_dependencies(made, dependency, known)
        made.Add(file)
    return made


def _add_with_dependencies(made: DescriptorPool, path: str, known: set[str]) -> None:
    if path in known:
        return
    known.add(path)
    content = descriptor_of(path)
    for dependency in FileDescriptorProto.FromString(content).dependency:
        _add_with_dependencies(made, dependency, known)
    made.AddSerializedFile(content)
