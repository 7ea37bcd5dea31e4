"""What the line tells of its models: which there are, which is the latest, and what each says of itself."""

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from appliance.dataplane import Outline
from appliance.dataplane.errors import code_of
from appliance.runtimes.model import Signature, TensorSpec
from appliance.serving import ManagerState, ServableId, ServableState, ServingError

Key = tuple[str, int, str]
"""Name, version and digest: whatever has the same ones, says the same of itself."""


class Told(ServingError):
    """Why a version ended, as the line told it."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class News:
    """Everything, at one moment."""

    states: Sequence[ServableState] = ()
    latest: Mapping[str, int] = field(default_factory=dict)
    """By name: the version that answers where none is asked for."""
    loaded: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """By name and version: the digest of what can be borrowed."""
    labels: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    outlines: Mapping[Key, Outline] = field(default_factory=dict)
    """Of those that were not told before on the same connection."""

    def as_json(self) -> dict[str, Any]:
        """The form it travels in."""
        return {
            "states": [_state_as_json(state) for state in self.states],
            "latest": self.latest,
            "loaded": [[*key, digest] for key, digest in self.loaded.items()],
            "labels": self.labels,
            "outlines": [[*key, _outline_as_json(outline)] for key, outline in self.outlines.items()],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "News":
        """The inverse of `as_json`. Raises: ValueError, KeyError, TypeError."""
        return cls(
            states=[_state(*each) for each in value["states"]],
            latest=value["latest"],
            loaded={(name, version): digest for name, version, digest in value["loaded"]},
            labels=value["labels"],
            outlines={(name, version, digest): _outline(said) for name, version, digest, said in value["outlines"]},
        )


def _state_as_json(state: ServableState) -> list[Any]:
    error = state.error
    told = None if error is None else [str(error), int(code_of(error))]
    return [state.id.name, state.id.version, state.manager_state.value, told, state.since.isoformat(), state.attempts]


def _state(name: str, version: int, said: str, told: Sequence[Any] | None, since: str, attempts: int) -> ServableState:
    error = None if told is None else Told(*told)
    return ServableState(
        ServableId(name, version), ManagerState(said), error, datetime.fromisoformat(since), attempts=attempts
    )


def _outline_as_json(outline: Outline) -> dict[str, Any]:
    return {
        "signatures": [
            [one.key, one.method, _tensors_as_json(one.inputs.values()), _tensors_as_json(one.outputs.values())]
            for one in outline.signatures.values()
        ],
        "signature_defs": {key: base64.b64encode(raw).decode() for key, raw in outline.signature_defs.items()},
        "metadata": json.dumps(dict(outline.metadata)),
        "engine": outline.engine,
        "digest": outline.digest,
    }


def _outline(value: Mapping[str, Any]) -> Outline:
    signatures = [
        Signature(key, method, _tensors(inputs), _tensors(outputs))
        for key, method, inputs, outputs in value["signatures"]
    ]
    return Outline(
        signatures={one.key: one for one in signatures},
        signature_defs={key: base64.b64decode(raw) for key, raw in value["signature_defs"].items()},
        metadata=json.loads(value["metadata"]),
        engine=value["engine"],
        digest=value["digest"],
    )


def _tensors_as_json(specs: Iterable[TensorSpec]) -> list[Any]:
    return [[spec.alias, spec.dtype, spec.shape, spec.tensor] for spec in specs]


def _tensors(said: Iterable[Any]) -> dict[str, TensorSpec]:
    return {
        alias: TensorSpec(alias, dtype, None if shape is None else tuple(shape), tensor)
        for alias, dtype, shape, tensor in said
    }
