"""What a request means, whichever way it came: gRPC, REST, the Open Inference Protocol and the batcher all end here.

No bytes of any transport are known here: tensors are numpy arrays, errors are a code and a sentence.
"""

from appliance.dataplane.backend import Backend, Borrowed, Outline
from appliance.dataplane.errors import Code, RequestError
from appliance.dataplane.metrics import Metrics
from appliance.dataplane.plane import Classifications, DataPlane, Predicted, Regressions
from appliance.dataplane.spec import ModelSpec, Task

__all__ = [
    "Backend",
    "Borrowed",
    "Classifications",
    "Code",
    "DataPlane",
    "Metrics",
    "ModelSpec",
    "Outline",
    "Predicted",
    "Regressions",
    "RequestError",
    "Task",
]
