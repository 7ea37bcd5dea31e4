"""`python serve_litserve.py PORT SAVED_MODEL`: one worker, {"data": base64} as its documentation shows for pictures."""

import base64
import sys

import litserve
import numpy as np
from saved_model import shape, signature_call


class Api(litserve.LitAPI):
    def setup(self, device):
        self.call = signature_call(sys.argv[2])

    def decode_request(self, request):
        return np.frombuffer(base64.b64decode(request["data"]), np.float32).reshape(shape())

    def predict(self, x):
        return self.call(x)

    def encode_response(self, output):
        return {"y": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Api(), accelerator="cpu", workers_per_device=1, timeout=False)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
