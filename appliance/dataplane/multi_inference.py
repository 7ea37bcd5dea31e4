"""MultiInference's checks, in the order and the words of multi_inference.cc."""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.dataplane.backend import Outline
from appliance.dataplane.errors import Code, RequestError
from appliance.dataplane.examples import to_classify, to_regress
from appliance.dataplane.signatures import CLASSIFY_METHOD, REGRESS_METHOD, found, key_of
from appliance.dataplane.spec import Task
from appliance.runtimes.model import Signature


@dataclass(frozen=True, slots=True)
class Question:
    """A task that can be run."""

    signature: Signature
    method: str
    outputs: Sequence[str]


def questions(outline: Outline, tasks: Sequence[Task], *, check_method: bool) -> list[Question]:
    """Raises: RequestError: INVALID_ARGUMENT, or UNIMPLEMENTED for what is neither classify nor regress."""
    asked: list[Question] = []
    for task in tasks:
        if not task.spec.name:
            raise _invalid("Found ModelSpec with an empty model name.")
        if task.spec.name != tasks[0].spec.name:
            raise _invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
        key = key_of(task.spec.signature)
        if any(key == other.signature.key for other in asked):
            raise _invalid(f"Duplicate evaluation of signature: {key}")
        signature = found(outline, key, _invalid(f"Requested signature not found in model graph: {key}"))
        asked.append(
            Question(signature, task.method, _outputs(outline, signature, task.method, check_method=check_method))
        )
    return asked


def _outputs(outline: Outline, signature: Signature, method: str, *, check_method: bool) -> Sequence[str]:
    if method == CLASSIFY_METHOD:
        return to_classify(outline, signature, check_method=check_method)
    if method == REGRESS_METHOD:
        return to_regress(outline, signature, check_method=check_method)
    raise RequestError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {method}")


def _invalid(message: str) -> RequestError:
    return RequestError(Code.INVALID_ARGUMENT, message)
