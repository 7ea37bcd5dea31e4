"""Messages that no installed package carries, declared here from their documentation.

TensorFlow Serving's files for batching, TLS and monitoring (tensorflow_serving/servables/tensorflow/
session_bundle_config.proto and tensorflow_serving/config/*.proto); the Open Inference Protocol, version 2
(github.com/kserve/open-inference-protocol, specification/protocol/inference_grpc.md).
"""

from collections.abc import Mapping, Sequence
from typing import Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto

_SCALARS: Final = {
    "double": FieldDescriptorProto.TYPE_DOUBLE,
    "float": FieldDescriptorProto.TYPE_FLOAT,
    "int64": FieldDescriptorProto.TYPE_INT64,
    "uint64": FieldDescriptorProto.TYPE_UINT64,
    "int32": FieldDescriptorProto.TYPE_INT32,
    "uint32": FieldDescriptorProto.TYPE_UINT32,
    "bool": FieldDescriptorProto.TYPE_BOOL,
    "string": FieldDescriptorProto.TYPE_STRING,
    "bytes": FieldDescriptorProto.TYPE_BYTES,
}

Fields = Mapping[str, str]
"""Field name → `number type`, `number repeated type`, `number oneof NAME type` or `number map type`; a type that is no
scalar is a message's full name, a map's keys are strings."""


def _file(path: str, package: str, messages: Mapping[str, Fields], imports: Sequence[str] = ()) -> FileDescriptorProto:
    file = FileDescriptorProto(name=path, package=package, syntax="proto3", dependency=imports)
    for name, fields in messages.items():
        outer, _, inner = name.rpartition(".")
        place = next((one for one in file.message_type if one.name == outer), None)
        declared = file.message_type.add() if place is None else place.nested_type.add()
        declared.name = inner
        for field, text in fields.items():
            _add_field(declared, f".{package}.{name}", field, text.split())
    return file


def _add_field(declared: DescriptorProto, full_name: str, name: str, words: Sequence[str]) -> None:
    number, *qualifiers, kind = words
    label = FieldDescriptorProto.LABEL_OPTIONAL
    if "repeated" in qualifiers:
        label = FieldDescriptorProto.LABEL_REPEATED
    if "map" in qualifiers:
        label = FieldDescriptorProto.LABEL_REPEATED
        entry = declared.nested_type.add(name="".join(part.capitalize() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _add_field(entry, "", "key", ("1", "string"))
        _add_field(entry, "", "value", ("2", kind))
        kind = f"{full_name}.{entry.name}"
    field = declared.field.add(name=name, number=int(number), label=label)
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type = FieldDescriptorProto.TYPE_MESSAGE
        field.type_name = kind if kind.startswith(".") else f".{kind}"
    if "oneof" in qualifiers:
        choice = qualifiers[1]
        if choice not in [one.name for one in declared.oneof_decl]:
            declared.oneof_decl.add(name=choice)
        field.oneof_index = [one.name for one in declared.oneof_decl].index(choice)


_WRAPPERS = "google/protobuf/wrappers.proto"
_TFS = "tensorflow.serving"
_INT64, _BOOL, _STRING = (f"google.protobuf.{kind}Value" for kind in ("Int64", "Bool", "String"))

_BATCHING = _file(
    "tensorflow_serving/servables/tensorflow/session_bundle_config.proto",
    _TFS,
    {
        "BatchingParameters": {
            "max_batch_size": f"1 {_INT64}",
            "batch_timeout_micros": f"2 {_INT64}",
            "max_enqueued_batches": f"3 {_INT64}",
            "num_batch_threads": f"4 {_INT64}",
            "thread_pool_name": f"5 {_STRING}",
            "allowed_batch_sizes": "6 repeated int64",
            "pad_variable_length_inputs": "7 bool",
            "enable_large_batch_splitting": f"8 {_BOOL}",
            "max_execution_batch_size": f"9 {_INT64}",
        }
    },
    [_WRAPPERS],
)
_SSL = _file(
    "tensorflow_serving/config/ssl_config.proto",
    _TFS,
    {
        "SSLConfig": {
            "server_key": "1 string",
            "server_cert": "2 string",
            "custom_ca": "3 string",
            "client_verify": "4 bool",
        }
    },
)
_MONITORING = _file(
    "tensorflow_serving/config/monitoring_config.proto",
    _TFS,
    {
        "PrometheusConfig": {"enable": "1 bool", "path": "2 string"},
        "MonitoringConfig": {"prometheus_config": f"1 {_TFS}.PrometheusConfig"},
    },
)

_OIP = "inference"
_INFERENCE = _file(
    "open_inference_grpc.proto",
    _OIP,
    {
        "ServerLiveRequest": {},
        "ServerLiveResponse": {"live": "1 bool"},
        "ServerReadyRequest": {},
        "ServerReadyResponse": {"ready": "1 bool"},
        "ModelReadyRequest": {"name": "1 string", "version": "2 string"},
        "ModelReadyResponse": {"ready": "1 bool"},
        "ServerMetadataRequest": {},
        "ServerMetadataResponse": {"name": "1 string", "version": "2 string", "extensions": "3 repeated string"},
        "ModelMetadataRequest": {"name": "1 string", "version": "2 string"},
        "ModelMetadataResponse": {
            "name": "1 string",
            "versions": "2 repeated string",
            "platform": "3 string",
            "inputs": f"4 repeated {_OIP}.ModelMetadataResponse.TensorMetadata",
            "outputs": f"5 repeated {_OIP}.ModelMetadataResponse.TensorMetadata",
        },
        "ModelMetadataResponse.TensorMetadata": {
            "name": "1 string",
            "datatype": "2 string",
            "shape": "3 repeated int64",
        },
        "InferParameter": {
            "bool_param": "1 oneof parameter_choice bool",
            "int64_param": "2 oneof parameter_choice int64",
            "string_param": "3 oneof parameter_choice string",
            "double_param": "4 oneof parameter_choice double",
            "uint64_param": "5 oneof parameter_choice uint64",
        },
        "InferTensorContents": {
            "bool_contents": "1 repeated bool",
            "int_contents": "2 repeated int32",
            "int64_contents": "3 repeated int64",
            "uint_contents": "4 repeated uint32",
            "uint64_contents": "5 repeated uint64",
            "fp32_contents": "6 repeated float",
            "fp64_contents": "7 repeated double",
            "bytes_contents": "8 repeated bytes",
        },
        "ModelInferRequest": {
            "model_name": "1 string",
            "model_version": "2 string",
            "id": "3 string",
            "parameters": f"4 map {_OIP}.InferParameter",
            "inputs": f"5 repeated {_OIP}.ModelInferRequest.InferInputTensor",
            "outputs": f"6 repeated {_OIP}.ModelInferRequest.InferRequestedOutputTensor",
            "raw_input_contents": "7 repeated bytes",
        },
        "ModelInferRequest.InferInputTensor": {
            "name": "1 string",
            "datatype": "2 string",
            "shape": "3 repeated int64",
            "parameters": f"4 map {_OIP}.InferParameter",
            "contents": f"5 {_OIP}.InferTensorContents",
        },
        "ModelInferRequest.InferRequestedOutputTensor": {
            "name": "1 string",
            "parameters": f"2 map {_OIP}.InferParameter",
        },
        "ModelInferResponse": {
            "model_name": "1 string",
            "model_version": "2 string",
            "id": "3 string",
            "parameters": f"4 map {_OIP}.InferParameter",
            "outputs": f"5 repeated {_OIP}.ModelInferResponse.InferOutputTensor",
            "raw_output_contents": "6 repeated bytes",
        },
        "ModelInferResponse.InferOutputTensor": {
            "name": "1 string",
            "datatype": "2 string",
            "shape": "3 repeated int64",
            "parameters": f"4 map {_OIP}.InferParameter",
            "contents": f"5 {_OIP}.InferTensorContents",
        },
    },
)
_INFERENCE_METHODS = (
    "ServerLive",
    "ServerReady",
    "ModelReady",
    "ServerMetadata",
    "ModelMetadata",
    "ModelInfer",
)
_service = _INFERENCE.service.add(name="GRPCInferenceService")
for _method in _INFERENCE_METHODS:
    _service.method.add(name=_method, input_type=f".{_OIP}.{_method}Request", output_type=f".{_OIP}.{_method}Response")

DECLARED: Final[Sequence[FileDescriptorProto]] = (_BATCHING, _SSL, _MONITORING, _INFERENCE)
