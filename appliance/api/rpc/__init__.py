"""gRPC: TensorFlow Serving's services, the Open Inference Protocol, health and reflection, over one data plane."""

from appliance.api.rpc.server import GrpcServer
from appliance.api.rpc.settings import GrpcSettings, Tls

__all__ = ["GrpcServer", "GrpcSettings", "Tls"]
