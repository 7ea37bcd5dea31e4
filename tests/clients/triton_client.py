"""NVIDIA's client for the Open Inference Protocol, as its examples use it: `python triton_client.py HTTP GRPC`.

Prints JSON. Runs in an environment of its own: tritonclient wants another protobuf than the appliance.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

IN_JSON = {"binary_data": False}


def about(client):
    """What a program looks at before it sends anything."""
    metadata = client.get_model_metadata("dense")
    inputs = metadata["inputs"] if isinstance(metadata, dict) else metadata.inputs
    [only] = inputs
    named = only if isinstance(only, dict) else {"name": only.name, "datatype": only.datatype, "shape": only.shape}
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready("dense"),
        "version_ready": client.is_model_ready("half_plus", "1"),
        "nope_ready": client.is_model_ready("nope"),
        "input": [named["name"], named["datatype"], [int(size) for size in named["shape"]]],
    }


def infer_image(module, client, **how):
    image = np.ones((2, 28, 28, 1), np.float32)
    given = module.InferInput("keras_tensor", list(image.shape), "FP32")
    given.set_data_from_numpy(image, **how)
    wanted = module.InferRequestedOutput("output_0", **how)
    result = client.infer("dense", [given], outputs=[wanted], request_id="17")
    response = result.get_response()
    answered = response["id"] if isinstance(response, dict) else response.id
    return [answered, result.as_numpy("output_0").tolist()]


def infer_picture(module, client, picture):
    given = module.InferInput("image_bytes", [1], "BYTES")
    given.set_data_from_numpy(np.array([Path(picture).read_bytes()], object))
    return np.argmax(client.infer("jpeg_colours", [given]).as_numpy("output_0"), -1).tolist()


def infer_version(module, client, **how):
    given = module.InferInput("x", [1], "FP32")
    given.set_data_from_numpy(np.float32([1]), **how)
    return client.infer("half_plus", [given], model_version="1").as_numpy("y").tolist()


def refused(module, client, **how):
    given = module.InferInput("x", [1], "FP32")
    given.set_data_from_numpy(np.float32([1]), **how)
    try:
        client.infer("nope", [given])
    except InferenceServerException as error:
        return error.message()
    return None


def ask(module, where, picture, **how):
    with module.InferenceServerClient(url=where) as client:
        heard = {
            "about": about(client),
            "image": infer_image(module, client, **how),
            "version": infer_version(module, client, **how),
            "refused": refused(module, client, **how),
        }
        if how != IN_JSON:  # which has no bytes, only text
            heard["picture"] = infer_picture(module, client, picture)
        return heard


def main():
    rest, grpc, picture = sys.argv[1:]
    heard = {
        "JSON": ask(tritonclient.http, rest, picture, **IN_JSON),
        "HTTP with binary tensors": ask(tritonclient.http, rest, picture),
        "gRPC": ask(tritonclient.grpc, grpc, picture),
    }
    print(json.dumps(heard))


main()
