"""The messages of TensorFlow Serving and of the Open Inference Protocol, without importing TensorFlow.

    PredictRequest = message("tensorflow.serving.PredictRequest")

`tensorflow_serving.apis.predict_pb2` would do, and would bring TensorFlow's Python package with it: 3 s and 500 MB. So
the descriptors are read out of the installed files (deploy/decisions/0011-messages-without-importing-tensorflow.md).
"""

from appliance.protos.pool import message, parse_text, pool

__all__ = ["message", "parse_text", "pool"]
