"""What the box says of its models by its own REST `GET /models`; tensorflow_model_server has no such call."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

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
    attempts: int = 0
    """To load it, begun so far."""
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
    return sorted(_models(where, told.body), key=lambda known: known.name)


def model(where: Endpoints, name: str, timeout_s: float) -> KnownModel | None:
    """One of them, with more about it; None where it is not there, or nobody tells: for what only adds to an answer."""
    try:
        told = web.ask(where, f"/models/{quote(name, safe='')}", timeout_s=timeout_s)
        found = _models(where, told.body) if told.status == 200 else []
    except ClientError:
        return None
    return next((known for known in found if known.name == name), None)


def version(where: Endpoints, name: str, number: int, timeout_s: float) -> KnownVersion | None:
    """One version; None as model() says."""
    known = model(where, name, timeout_s)
    return next((each for each in known.versions if each.version == number), None) if known else None


def names(where: Endpoints, timeout_s: float) -> list[str]:
    """Of all models; empty where nobody tells."""
    try:
        return [known.name for known in models(where, timeout_s)]
    except ClientError:
        return []


def _models(where: Endpoints, body: Any) -> list[KnownModel]:
    try:
        return [_model(each) for each in body["models"]]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise NoListing(f"{where.rest}/models is no list of models: {error!r}; is this the box's REST port?") from error


def _model(told: Mapping[str, Any]) -> KnownModel:
    versions = sorted((_version(each) for each in told["versions"]), key=lambda known: known.version, reverse=True)
    return KnownModel(told["name"], versions, {label: int(number) for label, number in told["labels"].items()})


def _version(told: Mapping[str, Any]) -> KnownVersion:
    text = {key: str(told.get(key) or "") for key in ("error", "since", "engine", "digest")}
    return KnownVersion(
        version=int(told["version"]),
        state=told["state"],
        attempts=int(told.get("attempts") or 0),
        classes=tuple(map(str, told.get("classes") or ())),
        **text,
    )
