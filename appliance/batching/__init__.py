"""Requests of many callers run as one, as TensorFlow Serving's --enable_batching does it.

Worth it where running a batch costs less than running its rows one by one: on a GPU, or with many small requests. A
single camera that waits for each verdict gains nothing.
"""

from appliance.batching.batcher import Batcher, Observe
from appliance.batching.errors import BatchError
from appliance.batching.parameters import BatchingParameters, parameters_of

__all__ = ["BatchError", "Batcher", "BatchingParameters", "Observe", "parameters_of"]
