"""Which model, which version of it, which of its signatures a request asks for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """As the request says it; at most one of `version` and `label`, neither: the latest version."""

    name: str
    version: int | None = None
    label: str | None = None
    signature: str = ""
    """Empty: `serving_default`, and so it is named in the answer."""


@dataclass(frozen=True, slots=True)
class Task:
    """One of several questions about the same examples."""

    spec: ModelSpec
    method: str
    """`tensorflow/serving/classify` or `tensorflow/serving/regress`."""
