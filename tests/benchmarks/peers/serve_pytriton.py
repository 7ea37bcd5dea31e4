"""`python serve_pytriton.py HTTP_PORT GRPC_PORT SAVED_MODEL NAME OUTPUTS`: Triton in front of a Python function."""

import sys

import numpy as np
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig
from saved_model import shape, signature_call

call = signature_call(sys.argv[3])


def infer(requests):
    return [{"y": call(request["x"])} for request in requests]


config = TritonConfig(
    http_address="127.0.0.1", http_port=int(sys.argv[1]), grpc_port=int(sys.argv[2]), allow_metrics=False
)
with Triton(config=config) as triton:
    triton.bind(
        model_name=sys.argv[4],
        infer_func=infer,
        inputs=[Tensor(name="x", dtype=np.float32, shape=shape())],
        outputs=[Tensor(name="y", dtype=np.float32, shape=(1, int(sys.argv[5])))],
        config=ModelConfig(batching=False),
    )
    triton.serve()
