"""A client as TensorFlow Serving's tutorials write them: `python tutorial_grpc.py HOST:PORT PICTURE`. Prints JSON.

It knows tensorflow, tensorflow-serving-api and grpcio, and nothing of the appliance.
"""

import json
import sys
import threading
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

TIMEOUT_S = 20.0


def predict_image(stub):
    """An image array, answered in `output_0`."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "dense"
    request.model_spec.signature_name = "serving_default"
    image = np.ones((28, 28, 1), np.float32)
    request.inputs["keras_tensor"].CopyFrom(tf.make_tensor_proto(image, shape=[1, 28, 28, 1]))
    result = stub.Predict(request, TIMEOUT_S)
    return {
        "version": result.model_spec.version.value,
        "values": list(result.outputs["output_0"].float_val),
        "array": tf.make_ndarray(result.outputs["output_0"]).tolist(),
    }


def predict_jpeg(stub, picture):
    """The bytes of a JPEG file; the graph decodes them."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "jpeg_colours"
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([Path(picture).read_bytes()]))
    return np.argmax(tf.make_ndarray(stub.Predict(request, TIMEOUT_S).outputs["output_0"]), -1).tolist()


def predict_many_at_once(stub):
    """Futures with callbacks, each answer checked, as the MNIST client counts its errors."""
    right, done = [], threading.Semaphore(0)

    def check(number):
        def callback(future):
            right.append(tf.make_ndarray(future.result().outputs["y"]).tolist() == [0.5 * number + 3.0])
            done.release()

        return callback

    for number in range(50):
        request = predict_pb2.PredictRequest()
        request.model_spec.name = "half_plus"
        request.inputs["x"].CopyFrom(tf.make_tensor_proto([float(number)]))
        stub.Predict.future(request, TIMEOUT_S).add_done_callback(check(number))
    return sum(done.acquire(timeout=TIMEOUT_S) for _ in range(50)) * all(right)


def classify(stub):
    request = classification_pb2.ClassificationRequest()
    request.model_spec.name = "lengths"
    for length in (7.0, 3.0):
        example = tf.train.Example()
        example.features.feature["length"].float_list.value.append(length)
        request.input.example_list.examples.append(example)
    result = stub.Classify(request, TIMEOUT_S).result
    return [max(each.classes, key=lambda one: one.score).label for each in result.classifications]


def metadata(stub):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "dense"
    request.metadata_field.append("signature_def")
    signatures = get_model_metadata_pb2.SignatureDefMap()
    stub.GetModelMetadata(request, TIMEOUT_S).metadata["signature_def"].Unpack(signatures)
    signature = signatures.signature_def["serving_default"]
    return {
        "inputs": {name: [dim.size for dim in info.tensor_shape.dim] for name, info in signature.inputs.items()},
        "outputs": sorted(signature.outputs),
        "dtype": signature.inputs["keras_tensor"].dtype == tf.float32.as_datatype_enum,
    }


def status(models):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half_plus"
    found = models.GetModelStatus(request, TIMEOUT_S).model_version_status
    available = get_model_status_pb2.ModelVersionStatus.AVAILABLE
    return [[one.version, one.state == available, one.status.error_code] for one in found]


def reload(models, config_file):
    """The same configuration once more, as scripts do that add a model."""
    request = model_management_pb2.ReloadConfigRequest()
    text_format.Parse(Path(config_file).read_text(), request.config)
    assert isinstance(request.config, model_server_config_pb2.ModelServerConfig)
    return models.HandleReloadConfigRequest(request, 60.0).status.error_code


def unknown(stub):
    """What a client that waits for its model sees meanwhile."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "nope"
    try:
        stub.Predict(request, TIMEOUT_S)
    except grpc.RpcError as error:
        return [error.code().name, error.details()]
    return None


def main():
    server, picture, config_file = sys.argv[1:]
    with grpc.insecure_channel(server) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        models = model_service_pb2_grpc.ModelServiceStub(channel)
        print(
            json.dumps(
                {
                    "predict_image": predict_image(stub),
                    "predict_jpeg": predict_jpeg(stub, picture),
                    "predict_many_at_once": predict_many_at_once(stub),
                    "classify": classify(stub),
                    "metadata": metadata(stub),
                    "status": status(models),
                    "reload": reload(models, config_file),
                    "unknown": unknown(stub),
                }
            )
        )


main()
