"""The real server on a free port, and channels to it."""

from contextlib import ExitStack

import grpc

from appliance.api.rpc import GrpcServer, GrpcSettings
from appliance.protos import message

PREDICTION = "tensorflow.serving.PredictionService"
MODELS = "tensorflow.serving.ModelService"
INFERENCE = "inference.GRPCInferenceService"


class Client:
    """One channel; calls take and give messages of this package's pool."""

    def __init__(self, target, credentials=None):
        self.channel = (
            grpc.insecure_channel(target) if credentials is None else grpc.secure_channel(target, credentials)
        )

    def call(self, method, request, response, **options):
        """`method` such as `tensorflow.serving.PredictionService/Predict`."""
        options.setdefault("timeout", 30)
        return self._stub(method, response)(request, **options)

    def start(self, method, request, response, **options):
        """As call(), answered later."""
        return self._stub(method, response).future(request, **options)

    def _stub(self, method, response):
        return self.channel.unary_unary(
            f"/{method}",
            request_serializer=lambda request: request if isinstance(request, bytes) else request.SerializeToString(),
            response_deserializer=message(response).FromString,
        )

    def predict(self, request, **options):
        return self.call(
            "tensorflow.serving.PredictionService/Predict", request, "tensorflow.serving.PredictResponse", **options
        )

    def close(self):
        self.channel.close()


class Box:
    """A started server over a Serving; `settings` as GrpcSettings."""

    def __init__(self, serving, reload=None, **settings):
        self.serving = serving
        self.server = GrpcServer(
            serving.plane, GrpcSettings(**{"host": "127.0.0.1", "port": 0, "threads": 2, **settings}), reload
        )
        self.server.start()
        self.open = ExitStack()

    def client(self, target=None, credentials=None):
        client = Client(target or f"127.0.0.1:{self.server.port}", credentials)
        self.open.callback(client.close)
        return client

    def end(self):
        self.open.close()
        self.server.stop(5)


def predict_request(*values, name="half"):
    request = message("tensorflow.serving.PredictRequest")()
    request.model_spec.name = name
    if values:
        tensor = request.inputs["x"]
        tensor.dtype = 1
        tensor.tensor_shape.dim.add(size=len(values))
        tensor.float_val.extend(values)
    return request
