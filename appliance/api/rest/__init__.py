"""TensorFlow Serving's REST API, and beside it Open Inference, pictures as request bodies, and what operators miss."""

from appliance.api.rest.server import RestServer
from appliance.api.rest.settings import RestSettings

__all__ = ["RestServer", "RestSettings"]
