"""`appliance models list` and `status`: which models there are, and how their versions are."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote

from google.protobuf import json_format

from appliance.client import repository, web
from appliance.client.answer import Answer
from appliance.client.connection import Refused, connect, model_spec
from appliance.client.endpoints import Endpoints
from appliance.client.errors import ClientError
from appliance.client.repository import KnownModel, KnownVersion, NoListing
from appliance.client.tables import age, table
from appliance.protos import message, pool


def list_models(where: Endpoints, timeout_s: float) -> Answer:
    """A line for each model. Raises: ClientError."""
    known = repository.models(where, timeout_s)
    rows = [(model.name, _serving(model), _others(model), _labels(model)) for model in known]
    text = table(["model", "available", "other versions", "labels"], rows) if rows else "The box has no models."
    return Answer(text, [asdict(model) for model in known])


def status(name: str | None, where: Endpoints, timeout_s: float) -> Answer:
    """A line for each version of one model, or of all. Raises: ClientError."""
    known = _all(where, timeout_s) if name is None else [one(name, where, timeout_s)]
    now = datetime.now(timezone.utc)
    rows = [_row(model, version, now) for model in known for version in model.versions]
    headings = ["model", "version", "state", "for", "labels", "error"]
    return Answer(table(headings, rows) if rows else "The box has no models.", [asdict(model) for model in known])


def one(name: str, where: Endpoints, timeout_s: float) -> KnownModel:
    """What can be known of a model: by REST, with ages, engine and labels, or else by gRPC. Raises: ClientError."""
    known = repository.model(where, name, timeout_s)
    if known is not None:
        return known
    try:
        told = _by_rest(name, where, timeout_s) if where.grpc is None else _by_grpc(name, where, timeout_s)
    except Refused as refused:
        if refused.code not in {"NOT_FOUND", "HTTP 404"}:
            raise
        raise _no_such_model(name, where, repository.names(where, timeout_s), str(refused)) from refused
    return KnownModel(name, [_version(each) for each in told.model_version_status], {})


def unknown_model(name: str, where: Endpoints, timeout_s: float, said: str) -> ClientError:
    """The sentence for a model, or a version of it, that the server does not serve."""
    try:
        model = one(name, where, timeout_s)
    except ClientError as error:
        return error
    has = ", ".join(f"{version.version} ({version.state})" for version in model.versions)
    labels = f"; labels: {_labels(model)}" if model.labels else ""
    return ClientError(
        f"{where.grpc or where.rest} says: {said.rstrip('.')}. {name} has the versions {has}{labels}; "
        f"`appliance models status {name}` says more."
    )


def _by_grpc(name: str, where: Endpoints, timeout_s: float) -> Any:
    with connect(where) as server:
        return server.status(model_spec(name), timeout_s)


def _by_rest(name: str, where: Endpoints, timeout_s: float) -> Any:
    told = web.ask(where, f"/v1/models/{quote(name, safe='')}", timeout_s=timeout_s)
    if told.status != 200:
        raise Refused(f"HTTP {told.status}", told.error)
    response = message("tensorflow.serving.GetModelStatusResponse")()
    return json_format.ParseDict(told.body, response, ignore_unknown_fields=True, descriptor_pool=pool())


def _all(where: Endpoints, timeout_s: float) -> list[KnownModel]:
    try:
        return repository.models(where, timeout_s)
    except NoListing:
        raise
    except ClientError as error:
        raise ClientError(f"{error} Without REST, ask for one model: `appliance models status NAME`.") from error


def _no_such_model(name: str, where: Endpoints, listed: Sequence[str], said: str) -> ClientError:
    has = f"it has {', '.join(listed)}" if listed else "`appliance models list` names those it has"
    return ClientError(f"{where.grpc or where.rest} has no model {name} ({said}); {has}.")


def _version(told: Any) -> KnownVersion:
    """From a ModelVersionStatus."""
    states = message("tensorflow.serving.ModelVersionStatus").State
    return KnownVersion(told.version, states.Name(told.state), told.status.error_message)


def _serving(model: KnownModel) -> str:
    return ", ".join(str(version.version) for version in model.versions if version.state == "AVAILABLE") or "none"


def _others(model: KnownModel) -> str:
    others = (f"{version.version} {version.state}" for version in model.versions if version.state != "AVAILABLE")
    return ", ".join(others) or "-"


def _labels(model: KnownModel, version: int | None = None) -> str:
    shown = (label if version else f"{label}={at}" for label, at in model.labels.items() if version in (None, at))
    return ", ".join(sorted(shown)) or "-"


def _row(model: KnownModel, version: KnownVersion, now: datetime) -> tuple[str, ...]:
    return (
        model.name,
        str(version.version),
        version.state,
        age(version.since, now),
        _labels(model, version.version),
        _error(version),
    )


def _error(version: KnownVersion) -> str:
    """After how many attempts, where there were more than one."""
    if not version.error:
        return "-"
    said = " ".join(version.error.split())
    return f"{said} (attempt {version.attempts})" if version.attempts > 1 else said
