"""What the box says of its models by its own REST `GET /models`; tensorflow_model_server has no such call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from appliance.client import web
from appliance.client.endpoints import Endpoints
from appliance.client.errors import ClientError


@dataclass(frozen=True, slots=True)
class KnownVersion:
    """One version; "" is what the server does not tell."""

    version: int
    state: str
    """START, LOADING, AVAILABLE, UNLOADING or END."""
    error: str = ""
    since: str = ""
    """RFC 3339."""
    engine: str = ""
    digest: str = ""
    classes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class KnownModel:
    """One model, its versions the newest first."""

    name: str
    versions: Sequence[KnownVersion]
    labels: Mapping[str, int]
    """Version by label."""


class NoListing(ClientError):
    """Whoever answers there has no list of models."""


def models(where: Endpoints, timeout_s: float) -> list[KnownModel]:
    """Every model that the box knows, by name. Blocks. Raises: NoListing, ClientError."""
    told = web.ask(where, "/models", timeout_s=timeout_s)
    if told.status != 200:
        raise NoListing(
            f"{where.rest} cannot list its models ({told.error}). tensorflow_model_server has no such call; "
            "ask for one model by its name: `appliance models status NAME`."
        )
    try:
        return sorted((_model(each) for each in told.body), key=lambda known: known.name)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoListing(f"{where.rest}/models is no list of models: {error!r}; is this the box's REST port?") from error


def found(where: Endpoints, timeout_s: float) -> dict[str, KnownModel]:
    """As models(), by name; nothing where there is no list, for what only adds to an answer."""
    try:
        return {known.name: known for known in models(where, timeout_s)}
    except ClientError:
        return {}


def _model(told: Mapping[str, Any]) -> KnownModel:
    versions = sorted((_version(each) for each in told["versions"]), key=lambda known: known.version, reverse=True)
    return KnownModel(told["name"], versions, {label: int(version) for label, version in told["labels"].items()})


def _version(told: Mapping[str, Any]) -> KnownVersion:
    text = {key: str(told.get(key) or "") for key in ("error", "since", "engine", "digest")}
    return KnownVersion(int(told["version"]), told["state"], **text, classes=tuple(map(str, told.get("classes") or ())))
