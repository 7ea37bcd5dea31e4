"""Turns what is wrong with the operator's file into sentences: the path, the value, the nearest right one."""

import difflib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Loc = tuple[int | str, ...]

_SHOWN_CHARACTERS: Final = 80


def sentences(model: type[BaseModel], value: Mapping[str, Any], error: ValidationError) -> list[str]:
    """One sentence a finding, in the order of the file."""
    return list(dict.fromkeys(_sentence(model, value, one) for one in error.errors()))


def _sentence(model: type[BaseModel], value: Mapping[str, Any], error: ErrorDetails) -> str:
    loc = _in_file(value, error["loc"])
    where = ".".join(str(step) for step in loc) or "the file"
    kind = error["type"]
    if kind == "extra_forbidden":
        return _unknown_key(model, value, error["loc"], where)
    if kind == "missing":
        return f"{where} is missing; set it{_described(model, error['loc'])}."
    if kind == "value_error":
        text = str(error["ctx"]["error"])
        return f"{text}." if not loc or text.startswith(where) else f"{where}: {text}."
    hint = ""
    if kind == "literal_error":
        hint = _nearest(error["input"], _quoted(error["ctx"]["expected"]))
    if kind == "union_tag_invalid":
        where = f"{where}.{error['ctx']['discriminator'].strip(chr(39))}"
        tag = error["ctx"]["tag"]
        known = _quoted(error["ctx"]["expected_tags"])
        return f"{where} is {tag!r}; known are {', '.join(known)}.{_nearest(tag, known)}"
    if kind == "union_tag_not_found":
        return f"{where}.{error['ctx']['discriminator'].strip(chr(39))} is missing; it says which kind it is."
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{where} is {_shown(error['input'])}: {message}{_described(model, error['loc'])}.{hint}"


def _unknown_key(model: type[BaseModel], value: Mapping[str, Any], loc: Loc, where: str) -> str:
    known = [name for parent in _models_at(model, loc[:-1]) for name in parent.model_fields]
    shown = _shown(_value_at(value, loc))
    hint = _nearest(loc[-1], known) or (f" Known there: {', '.join(known)}." if known else "")
    return f"{where} = {shown}: there is no such key.{hint}"


def _in_file(value: Any, loc: Loc) -> Loc:
    """The location without what stands only in the types (which kind of a union was tried)."""
    kept: list[int | str] = []
    for index, step in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(value, Mapping) and step in value:
            value = value[str(step)]
        elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
            value = value[step]
        elif not last or not isinstance(value, Mapping):
            continue
        kept.append(step)
    return tuple(kept)


def _value_at(value: Any, loc: Loc) -> Any:
    for step in _in_file(value, loc):
        value = value[step]
    return value


def _models_at(model: type[BaseModel], loc: Loc) -> list[type[BaseModel]]:
    """The models that may stand at this place of the file."""
    at: list[Any] = [model]
    for step in loc:
        at = [inner for one in at for inner in _step(one, step)]
    return [one for one in at if isinstance(one, type) and issubclass(one, BaseModel)]


def _step(kind: Any, step: int | str) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        if step in kind.model_fields:
            yield from _alternatives(kind.model_fields[str(step)].annotation)
        elif step in _tags(kind):
            yield kind
        return
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is dict:
        yield from _alternatives(arguments[1])


def _tags(kind: type[BaseModel]) -> Iterator[Any]:
    yield kind.__name__
    for info in kind.model_fields.values():
        yield from typing.get_args(info.annotation)


def _alternatives(annotation: Any) -> Iterator[Any]:
    """What a union, perhaps annotated, consists of."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _alternatives(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for one in typing.get_args(annotation):
            yield from _alternatives(one)
    else:
        yield annotation


def _described(model: type[BaseModel], loc: Loc) -> str:
    if not loc:
        return ""
    for parent in _models_at(model, loc[:-1]):
        info = parent.model_fields.get(str(loc[-1]))
        if info is not None and info.description:
            return f" ({info.description})"
    return ""


def _nearest(given: Any, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(str(given), known, n=1, cutoff=0.5)
    return f" Did you mean {near[0]}?" if near else ""


def _quoted(text: str) -> list[str]:
    """The words in quotes: how pydantic names the values that would do."""
    return text.split("'")[1::2]


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
