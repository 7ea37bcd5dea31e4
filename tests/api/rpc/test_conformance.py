"""The shared conformance cases, and TensorFlow Serving's own stubs as its tutorials use them, against real models."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
SHARED = REPOSITORY.parent / "shared"
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "PYTHONPATH": str(REPOSITORY)}

pytestmark = pytest.mark.skipif(
    not (SHARED / "conformance/tfs_grpc_cases.jsonl").is_file(),
    reason="the conformance cases and their models (../shared beside the checkout) are not here: nothing was compared",
)

TUTORIAL = """
import sys
import grpc
import tensorflow as tf
from tensorflow_serving.apis import model_service_pb2_grpc, predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

channel = grpc.insecure_channel("127.0.0.1:" + sys.argv[1])
stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
request = predict_pb2.PredictRequest()
request.model_spec.name = "half_plus_two"
request.model_spec.signature_name = "serving_default"
request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0, 2.0, 5.0], shape=[3]))
later = stub.Predict.future(request, 5.0)
assert list(later.result().outputs["y"].float_val) == [2.5, 3.0, 4.5]
assert tf.make_ndarray(later.result().outputs["y"]).tolist() == [2.5, 3.0, 4.5]

request = get_model_metadata_pb2.GetModelMetadataRequest()
request.model_spec.name = "half_plus_two"
request.metadata_field.append("signature_def")
signatures = get_model_metadata_pb2.SignatureDefMap()
assert stub.GetModelMetadata(request, 5.0).metadata["signature_def"].Unpack(signatures)
assert signatures.signature_def["serving_default"].inputs["x"].dtype == tf.float32

request = get_model_status_pb2.GetModelStatusRequest()
request.model_spec.name = "half_plus_two"
status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request, 5.0)
assert get_model_status_pb2.ModelVersionStatus.AVAILABLE == status.model_version_status[0].state
print("the tutorial works")
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory):
    """A server of every fixture, in a process of its own."""
    folder = tmp_path_factory.mktemp("conformance")
    made = subprocess.run(
        [sys.executable, str(SHARED / "conformance/fixtures_config.py")], check=True, capture_output=True, timeout=30
    )
    config = folder / "models.config"
    config.write_bytes(made.stdout)
    command = [sys.executable, str(Path(__file__).with_name("serve_fixtures.py")), str(config), str(folder / "cache")]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=os.environ | QUIET
        ) as process,
    ):
        line = process.stdout.readline()
        assert line, (folder / "log").read_text()
        yield line.decode().strip()
        process.stdin.close()
        process.wait(20)


def run(*command):
    return subprocess.run(
        [sys.executable, *command], check=False, capture_output=True, text=True, timeout=110, env=os.environ | QUIET
    )


def test_every_shared_case_is_answered_as_tensorflow_serving_answers_it(port):
    runner = str(SHARED / "conformance/tfs_grpc_runner.py")

    found = run(runner, f"127.0.0.1:{port}", "--tier", "must,exact,quirk")

    assert found.returncode == 0, found.stdout + found.stderr


def test_the_tutorials_client_works_unchanged(port):
    found = run("-c", TUTORIAL, port)

    assert "the tutorial works" in found.stdout, found.stderr
