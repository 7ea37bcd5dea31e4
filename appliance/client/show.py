"""`appliance models show`: what a model takes and gives, from a server or from the model's folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from appliance.client.answer import Answer
from appliance.client.endpoints import Endpoints
from appliance.client.folders import as_folder, classes, version_folder, versions
from appliance.client.signatures import Shown, dtype_of, of_folder
from appliance.client.tables import table
from appliance.dataplane import RequestError
from appliance.dataplane.tensors import array_of
from appliance.runtimes.description import describe
from appliance.runtimes.digest import digest_of
from appliance.runtimes.model import TensorSpec, shown


def show(name: str, version: int | None, label: str | None, where: Endpoints, timeout_s: float) -> Answer:
    """A model's signatures; `name` may be a folder, which is read without TensorFlow. Raises: ClientError."""
    folder = as_folder(name)
    if folder is None:
        return _of_server(name, version, label, where, timeout_s)
    return _of_folder(folder, version)


def _of_folder(asked: Path, version: int | None) -> Answer:
    number, folder = version_folder(asked, version)
    description = describe(folder)
    facts = {
        "folder": str(folder),
        "version": number,
        "versions": [] if folder == asked else list(versions(asked)),
        "tags": list(description.tags),
        "written by": f"TensorFlow {description.written_by}" if description.written_by else "",
        "classes": list(classes(description.metadata)),
        "digest": digest_of(folder),
    }
    return _answer(str(asked), facts, of_folder(description.signature_defs), description.left_out)


def _of_server(name: str, version: int | None, label: str | None, where: Endpoints, timeout_s: float) -> Answer:
    from appliance.client import by_grpc, by_rest, listing

    ask = by_rest.metadata if where.grpc is None else by_grpc.metadata
    number, signatures = ask(name, version, label, where, timeout_s)
    model = listing.one(name, where, timeout_s)
    this = next((each for each in model.versions if each.version == number), None)
    facts = {
        "version": number,
        "versions": [f"{each.version} {each.state}" for each in model.versions],
        "labels": [f"{key}={value}" for key, value in sorted(model.labels.items())],
        "engine": this.engine if this else "",
        "classes": list(this.classes) if this else [],
        "digest": this.digest if this else "",
    }
    return _answer(name, facts, signatures, {})


def _answer(
    name: str, facts: Mapping[str, Any], signatures: Mapping[str, Shown], left_out: Mapping[str, str]
) -> Answer:
    known = {key: value for key, value in facts.items() if value not in ("", None, [])}
    width = max(map(len, known), default=0)
    lines = [name, *(f"  {key:<{width}}  {_plain(value)}" for key, value in known.items())]
    for key, signature in signatures.items():
        lines += ["", _heading(signature), _indented(_tensors(signature))]
        if key in left_out:
            lines.append(f"  It cannot be called here: {left_out[key]}.")
    data = {
        "model": name,
        **{key.replace(" ", "_"): value for key, value in facts.items()},
        "signatures": {key: _data(signature, left_out.get(key)) for key, signature in signatures.items()},
    }
    return Answer("\n".join(lines), data)


def _heading(signature: Shown) -> str:
    return f"{signature.key}  ({signature.method or 'no method'})"


def _tensors(signature: Shown) -> str:
    sides = (("input", signature.inputs), ("output", signature.outputs))
    rows = [
        (side, spec.alias, dtype_of(spec), shown(spec.shape), _default(signature, side, spec.alias), spec.tensor)
        for side, specs in sides
        for spec in specs.values()
    ]
    if not signature.defaults:
        return table(["", "name", "dtype", "shape", "tensor"], [(*row[:4], row[5]) for row in rows])
    return table(["", "name", "dtype", "shape", "default", "tensor"], rows)


def _default(signature: Shown, side: str, alias: str) -> str:
    if side == "output" or alias not in signature.defaults:
        return "-"
    try:
        return str(array_of(signature.defaults[alias]).tolist())
    except RequestError as error:
        return f"({error})"


def _data(signature: Shown, reason: str | None) -> dict[str, Any]:
    return {
        "method": signature.method,
        "inputs": {
            alias: _spec(spec)
            | ({"default": _default(signature, "input", alias)} if alias in signature.defaults else {})
            for alias, spec in signature.inputs.items()
        },
        "outputs": {alias: _spec(spec) for alias, spec in signature.outputs.items()},
        **({"not_callable": reason} if reason else {}),
    }


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {
        "dtype": dtype_of(spec),
        "shape": None if spec.shape is None else [-1 if size is None else size for size in spec.shape],
        "tensor": spec.tensor,
    }


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
