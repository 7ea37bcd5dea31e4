"""`bentoml serve serve_bentoml:Model`: one worker, {"data": base64}."""

import base64
import os

import bentoml
import numpy as np
from saved_model import shape, signature_call


@bentoml.service(workers=1, traffic={"timeout": 60})
class Model:
    def __init__(self) -> None:
        self.call = signature_call(os.environ["BENCH_MODEL"])

    @bentoml.api
    def predict(self, data: str) -> dict:
        x = np.frombuffer(base64.b64decode(data), np.float32).reshape(shape())
        return {"y": self.call(x).tolist()}
