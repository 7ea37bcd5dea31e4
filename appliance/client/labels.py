"""Version labels in the text of a ModelServerConfig: set, moved, taken away; everything else stays as it stands."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from appliance.client.errors import ClientError
from appliance.client.textconfig import Field, fields_of
from appliance.protos import parse_text

_MESSAGE: Final = "tensorflow.serving.ModelServerConfig"
_LABEL: Final = re.compile(r"[^\"'\\/:\x00-\x1f]+")


def relabelled(text: str, name: str, wanted: Mapping[str, int], removed: Iterable[str]) -> tuple[str, Any]:
    """The text with the labels of model `name` changed, and the message that it says.

    Raises: ClientError, TextFormatError; also where the outcome would not be exactly what was asked for.
    """
    expected = parse_text(_MESSAGE, text)
    _change(expected, name, wanted, removed)
    changed = text
    for label in removed:
        changed = _without(changed, name, label)
    for label, version in wanted.items():
        changed = _with(changed, name, label, version)
    if parse_text(_MESSAGE, changed) != expected:
        raise ClientError(f"The text is written in a way that is not understood here; change {name}'s labels by hand.")
    return changed, expected


def _change(config: Any, name: str, wanted: Mapping[str, int], removed: Iterable[str]) -> None:
    models = {each.name: each for each in config.model_config_list.config}
    if name not in models:
        raise ClientError(f"The file has no model {name}; it has {', '.join(sorted(models)) or 'none'}.")
    labels = models[name].version_labels
    for label in removed:
        if label not in labels:
            raise ClientError(f"{name} has no label {label}; it has {', '.join(sorted(labels)) or 'none'}.")
        del labels[label]
    for label, version in wanted.items():
        if _LABEL.fullmatch(label) is None:
            raise ClientError(f"{label!r} cannot be a label: no quotes, slashes, colons or control characters.")
        labels[label] = version


def _with(text: str, name: str, label: str, version: int) -> str:
    model = _model(text, name)
    for entry in _entries(model, label):
        for value in entry.all("value"):
            return text[: value.value.start] + str(version) + text[value.value.end :]
        return _with(_without(text, name, label), name, label, version)
    made = f'version_labels {{ key: "{label}" value: {version} }}'
    line, indent = _line_start(text, model.value.start)
    if line is None or not model.fields:  # the closing brace shares its line: so does what is added
        return f"{text[: model.value.start].rstrip()} {made} {text[model.value.start :]}"
    before = _line_start(text, model.fields[-1].start)[1]
    return f"{text[:line]}{before or indent + '  '}{made}\n{text[line:]}"


def _without(text: str, name: str, label: str) -> str:
    for entry in _entries(_model(text, name), label):
        start, end = entry.start, entry.end
        while text[end : end + 1] in {" ", ",", ";", "\t"} and text[end : end + 1]:
            end += 1
        line = _line_start(text, start)[0]
        if line is not None and text[end : end + 1] == "\n":
            start, end = line, end + 1
        return text[:start] + text[end:]
    return text


def _model(text: str, name: str) -> Field:
    for listed in fields_of(text):
        for model in listed.all("config"):
            if model.scalar("name") == name:
                return model
    raise ClientError(f"Model {name} was not found in the text; change the file by hand.")


def _entries(model: Field, label: str) -> list[Field]:
    return [entry for entry in model.all("version_labels") if entry.scalar("key") == label]


def _line_start(text: str, place: int) -> tuple[int | None, str]:
    """Where the line of `place` starts, None where something else stands before it on that line; and its indent."""
    start = text.rfind("\n", 0, place) + 1
    before = text[start:place]
    indent = before[: len(before) - len(before.lstrip())]
    return (start if not before.strip() else None), indent
