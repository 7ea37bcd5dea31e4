"""GetModelStatus' answer, as get_model_status_impl.cc makes it; its JSON form is what REST answers."""

from collections.abc import Sequence
from typing import Any

from appliance.dataplane.errors import code_of
from appliance.protos import message
from appliance.serving import ManagerState, ServableState


def model_status(states: Sequence[ServableState]) -> Any:
    """A tensorflow.serving.GetModelStatusResponse.

    A version that waits for its next attempt is LOADING without an error, as TensorFlow Serving says it: a client that
    saw one would give up too early. The error is told when the version has ended with it.
    """
    response = message("tensorflow.serving.GetModelStatusResponse")()
    for state in states:
        added = response.model_version_status.add(version=state.id.version, state=state.manager_state.value)
        added.status.error_code = 0
        if state.error is not None and state.manager_state is ManagerState.END:
            added.status.error_code = int(code_of(state.error))
            added.status.error_message = str(state.error)
    return response
