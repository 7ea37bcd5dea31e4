"""Predict's checks, in the order and the words of predict_util.cc and saved_model/util.cc."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from appliance.dataplane.errors import Code, RequestError
from appliance.dataplane.tensors import array_of, dtype_name, tensorflow_name
from appliance.runtimes.model import Array, Signature


class TensorInputs(Mapping[str, Array]):
    """The inputs of a request as arrays, each read from its TensorProto when it is asked for.

    So a tensor that no signature wants is never read, and one that cannot be read is told of after what comes before.
    """

    def __init__(self, protos: Mapping[str, Any]) -> None:
        self._protos = protos

    def __getitem__(self, alias: str) -> Array:
        """Raises: RequestError, naming the alias."""
        if alias not in self._protos:  # a message's map would make an entry
            raise KeyError(alias)
        return parsed(alias, self._protos[alias])

    def __contains__(self, alias: object) -> bool:
        return alias in self._protos

    def __iter__(self) -> Iterator[str]:
        return iter(self._protos)

    def __len__(self) -> int:
        return len(self._protos)


def parsed(alias: str, proto: Any) -> Array:
    """Raises: RequestError, naming the alias."""
    try:
        return array_of(proto)
    except RequestError as error:
        raise RequestError(error.code, f"tensor parsing error: {alias}: {error}") from error


def bound(signature: Signature, inputs: Mapping[str, Array], defaults: Mapping[str, Any]) -> dict[str, Array]:
    """One array per input of the signature. Raises: RequestError (INVALID_ARGUMENT)."""
    if len(inputs) != len(signature.inputs) and (len(inputs) > len(signature.inputs) or not defaults):
        raise _differing_count(signature, inputs)
    arrays = {}
    used = []
    for alias, spec in signature.inputs.items():
        if alias in inputs:
            arrays[alias] = inputs[alias]
            used.append(alias)
        elif alias in defaults:
            arrays[alias] = parsed(alias, defaults[alias])
        else:
            raise _invalid(
                f"Signature input alias: {alias}(feed name: {spec.tensor}) not found in request and no default value "
                f"provided. Inputs expected to be in the request {{{_set(inputs)}}}, or default input alias set: "
                f"{_set(defaults)}"
            )
    if len(used) != len(inputs):
        raise _invalid(
            f"Inputs contains invalid name. Used request inputs: {_set(used)}, request input: {_set(inputs)}"
        )
    return arrays


def chosen(signature: Signature, output_filter: Sequence[str]) -> Sequence[str] | None:
    """The outputs to compute; None for all. Raises: RequestError (INVALID_ARGUMENT)."""
    seen = set()
    for alias in output_filter:
        if alias not in signature.outputs:
            raise _invalid(
                f"output tensor alias not found in signature: {alias} Outputs expected to be in the set "
                f"{{{_set(signature.outputs)}}}."
            )
        if alias in seen:
            raise _invalid(f"duplicate output tensor alias: {alias}")
        seen.add(alias)
    return list(output_filter) or None


def check_dtypes(signature: Signature, arrays: Mapping[str, Array]) -> None:
    """Raises: RequestError, as TensorFlow's session says it."""
    for index, (alias, spec) in enumerate(signature.inputs.items()):
        given = dtype_name(arrays[alias])
        if given != spec.dtype:
            raise _invalid(
                f"Expects arg[{index}] to be {tensorflow_name(spec.dtype)} but {tensorflow_name(given)} is provided"
            )


def _differing_count(signature: Signature, inputs: Mapping[str, Array]) -> RequestError:
    given, wanted = set(inputs), set(signature.inputs)
    return _invalid(
        f"input size does not match signature: {len(given)}!={len(wanted)} len({{{_set(given)}}}) != "
        f"len({{{_set(wanted)}}}). Sent extra: {{{_set(given - wanted)}}}. "
        f"Missing but required: {{{_set(wanted - given)}}}."
    )


def _set(aliases: Iterable[str]) -> str:
    return ",".join(sorted(aliases))


def _invalid(message: str) -> RequestError:
    return RequestError(Code.INVALID_ARGUMENT, message)
