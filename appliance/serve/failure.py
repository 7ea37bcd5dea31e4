"""What is said when the server cannot start."""

from appliance.dataplane.errors import Code, RequestError, code_of
from appliance.errors import ApplianceError


def told(error: ApplianceError) -> str:
    """`INVALID_ARGUMENT: ...`, as tensorflow_model_server shows a status; without a code where there is none."""
    code = code_of(error)
    is_known = isinstance(error, RequestError) or code is not Code.UNKNOWN
    return f"{code.name}: {error}" if is_known else str(error)
