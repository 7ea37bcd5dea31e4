"""From the JSON of a Classify or Regress request to serialized tensorflow.Example messages."""

from collections.abc import Mapping
from typing import Any

from appliance.api.rest.fragment import kind_of, shown
from appliance.api.rest.numbers import Numbers
from appliance.api.rest.strings import is_base64
from appliance.api.rest.tensors import base64_bytes, invalid, lists_of
from appliance.protos import message

_INT64_MAX = 2**63 - 1
_KINDS = {"int64_list": "int64", "float_list": "float", "bytes_list": "bytes"}


def examples_of(document: Mapping[str, Any]) -> list[bytes]:
    """The `examples`, each with the `context` merged into it. Raises: RequestError."""
    context = _example(document["context"]) if "context" in document else None
    if "examples" not in document:
        # said of regress, too
        raise _format(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list | Numbers):
        raise _format(document, "Expecting 'examples' value to be an list/array")
    if isinstance(examples, list) and not examples:
        raise _format(document, "'examples' value is an empty array")
    made = [_example(example) for example in lists_of(examples)]
    if context is None:
        return [example.SerializeToString() for example in made]
    return [_merged(context, example) for example in made]


def _format(document: Mapping[str, Any], what: str) -> Exception:
    return invalid(f"JSON Value: {shown(document)} {what}")


def _merged(context: Any, example: Any) -> bytes:
    """The context's features, and the example's in the place of those that both have."""
    whole = message("tensorflow.Example")()
    whole.CopyFrom(context)
    for name, feature in example.features.feature.items():
        whole.features.feature[name].CopyFrom(feature)
    serialized: bytes = whole.SerializeToString()
    return serialized


def _example(value: Any) -> Any:
    if not isinstance(value, dict):
        raise invalid(f"Example must be JSON object but got JSON {kind_of(value)}")
    example = message("tensorflow.Example")()
    for name, content in value.items():
        feature = example.features.feature[name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")]
        for element in lists_of(content) if isinstance(content, list | Numbers) else [content]:
            _add(feature, name, element)
    return example


def _add(feature: Any, name: str, value: Any) -> None:
    kind, element = _element(name, value)
    known = feature.WhichOneof("kind")
    if known not in {None, kind}:
        raise invalid(f"Unexpected element type in feature: {name} expecting type: {_KINDS[known]}")
    getattr(feature, kind).value.append(base64_bytes(element) if isinstance(element, dict) else element)


def _element(name: str, value: Any) -> tuple[str, Any]:
    """Which list of the feature a value belongs to, and the value."""
    if isinstance(value, bool | int):
        if value > _INT64_MAX:
            raise invalid(f"Feature: {name} has uint64_t element. Only int64_t is supported.")
        return "int64_list", int(value)
    if isinstance(value, float):
        return "float_list", value
    if isinstance(value, bytes) or is_base64(value):
        return "bytes_list", value
    raise invalid(f"Feature: {name} has element with unexpected JSON type: {kind_of(value)}")
