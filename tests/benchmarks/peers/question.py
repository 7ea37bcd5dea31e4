"""What a client sends, and how its answer is read: prepared beforehand, so that asking costs next to nothing."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np
from benchmarks.peers.models import BenchModel

from appliance.protos import message

PREDICT = "/tensorflow.serving.PredictionService/Predict"
INFER = "/inference.GRPCInferenceService/ModelInfer"


@dataclass(frozen=True)
class Question:
    """`path` is a gRPC method, or where HTTP posts to."""

    is_grpc: bool
    path: str
    body: bytes
    read: Callable[[bytes], np.ndarray] = field(compare=False)
    headers: tuple[tuple[str, str], ...] = ()


def tfs_grpc(model: BenchModel) -> Question:
    request = message("tensorflow.serving.PredictRequest")()
    request.model_spec.name = model.name
    tensor = request.inputs["x"]
    tensor.dtype = 1
    for size in model.x.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = model.x.tobytes()
    return Question(True, PREDICT, request.SerializeToString(), read_predict_response)


def read_predict_response(answer: bytes) -> np.ndarray:
    tensor = message("tensorflow.serving.PredictResponse").FromString(answer).outputs["y"]
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, np.float32)
    return np.asarray(tensor.float_val, np.float32)


def version_in(answer: bytes) -> int:
    return message("tensorflow.serving.PredictResponse").FromString(answer).model_spec.version.value


def oip_grpc(model: BenchModel) -> Question:
    request = message("inference.ModelInferRequest")(model_name=model.name)
    request.inputs.add(name="x", datatype="FP32", shape=model.x.shape)
    request.raw_input_contents.append(model.x.tobytes())
    return Question(True, INFER, request.SerializeToString(), read_infer_response)


def read_infer_response(answer: bytes) -> np.ndarray:
    response = message("inference.ModelInferResponse").FromString(answer)
    if response.raw_output_contents:
        return np.frombuffer(response.raw_output_contents[0], np.float32)
    return np.asarray(response.outputs[0].contents.fp32_contents, np.float32)


def tfs_rest(model: BenchModel) -> Question:
    body = json.dumps({"instances": model.x.tolist()}).encode()
    return Question(False, f"/v1/models/{model.name}:predict", body, _member("predictions"), _JSON)


def jpeg_rest(model: BenchModel) -> Question:
    """The decoded picture differs from `x` as JPEG does, so nothing is compared but the shape of the answer."""
    done, file = cv2.imencode(".jpg", cv2.GaussianBlur(model.x[0].astype(np.uint8), (0, 0), 9))
    assert done
    headers = (("Content-Type", "image/jpeg"),)
    return Question(False, f"/v1/models/{model.name}:predict", file.tobytes(), lambda _: model.y, headers)


def base64_json(model: BenchModel) -> Question:
    body = json.dumps({"data": base64.b64encode(model.x.tobytes()).decode()}).encode()
    return Question(False, "/predict", body, _member("y"), _JSON)


def raw(model: BenchModel) -> Question:
    return Question(False, "/predict", model.x.tobytes(), lambda answer: np.frombuffer(answer, np.float32))


_JSON = (("Content-Type", "application/json"),)


def _member(name: str) -> Callable[[bytes], np.ndarray]:
    return lambda answer: np.asarray(json.loads(answer)[name], np.float32)
