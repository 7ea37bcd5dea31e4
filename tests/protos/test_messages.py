"""Every message spoken here is the one that clients have from their packages."""

import json
import subprocess
import sys

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from appliance.protos import message, parse_text, pool
from appliance.protos.installed import MissingMessages, descriptor_of
from appliance.protos.pool import TextFormatError

_OTHERS = """
import importlib, json, sys
modules = {"apis": ["predict", "classification", "regression", "inference", "get_model_metadata", "get_model_status",
           "model_management", "prediction_log", "input", "model"], "config": ["model_server_config"]}
shapes = {}
for package, names in modules.items():
    for name in names:
        module = importlib.import_module(f"tensorflow_serving.{package}.{name}_pb2")
        for found in module.DESCRIPTOR.message_types_by_name.values():
            shapes[found.full_name] = sorted((field.name, field.number, field.type) for field in found.fields)
print(json.dumps(shapes))
"""


@pytest.fixture(scope="module")
def others():
    """What the package `tensorflow-serving-api` says, in a process of its own: it imports TensorFlow."""
    ran = subprocess.run([sys.executable, "-c", _OTHERS], capture_output=True, check=True, timeout=100)
    return json.loads(ran.stdout.splitlines()[-1])


def test_each_message_has_the_fields_of_the_package_that_clients_use(others):
    assert len(others) > 30
    for name, fields in others.items():
        ours = sorted([field.name, field.number, field.type] for field in message(name).DESCRIPTOR.fields)
        assert ours == fields, name


def test_tensorflow_is_not_imported_for_them():
    code = (
        "import sys\nfrom appliance.protos import message\nmessage('tensorflow.serving.PredictRequest')\n"
        "print([name for name in sys.modules if name.startswith('tensorflow')])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True, timeout=60)
    assert ran.stdout.strip() == "[]"


def test_a_request_written_by_one_is_read_by_the_other_also_where_both_are_in_one_process():
    code = """
from appliance.protos import message
from tensorflow_serving.apis import predict_pb2
ours = message("tensorflow.serving.PredictRequest")()
ours.model_spec.name = "surface"
ours.inputs["x"].float_val.extend([1.0, 2.0])
theirs = predict_pb2.PredictRequest.FromString(ours.SerializeToString())
assert list(theirs.inputs["x"].float_val) == [1.0, 2.0] and theirs.model_spec.name == "surface"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=100)


def test_batching_parameters_are_read_from_their_text_form():
    text = "max_batch_size { value: 128 }\nallowed_batch_sizes: 32\nallowed_batch_sizes: 128\n"
    read = parse_text("tensorflow.serving.BatchingParameters", text)
    assert read.max_batch_size.value == 128
    assert not read.HasField("batch_timeout_micros")
    assert list(read.allowed_batch_sizes) == [32, 128]


def test_a_mistake_in_a_text_file_is_said_in_tensorflow_servings_words_with_its_place():
    with pytest.raises(TextFormatError) as raised:
        parse_text("tensorflow.serving.ModelServerConfig", "model_config_list {\n  confg {}\n}")
    assert "Error parsing text-format tensorflow.serving.ModelServerConfig: 2:" in str(raised.value)


def test_the_inference_service_names_its_messages():
    service = pool().FindServiceByName("inference.GRPCInferenceService")
    assert {method.name for method in service.methods} >= {"ModelInfer", "ServerReady", "ModelMetadata"}
    assert service.methods_by_name["ModelInfer"].input_type.fields_by_name["raw_input_contents"].number == 7


def test_a_file_that_is_not_installed_is_named():
    with pytest.raises(MissingMessages, match=r"tensorflow_serving/apis/nothing\.proto"):
        descriptor_of("tensorflow_serving/apis/nothing.proto")


def test_a_descriptor_is_read_and_not_run():
    content = descriptor_of("tensorflow_serving/apis/model.proto")
    assert FileDescriptorProto.FromString(content).package == "tensorflow.serving"
