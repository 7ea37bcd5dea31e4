"""`appliance models reload` and `label`: the server's configuration changes as a whole, or not at all."""

import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from appliance.client.answer import Answer
from appliance.client.connection import Refused, connect
from appliance.client.endpoints import Endpoints
from appliance.client.errors import ClientError
from appliance.client.labels import relabelled
from appliance.dataplane import RequestError
from appliance.errors import ApplianceError
from appliance.protos import parse_text
from appliance.server_core import read_models

_MAX_BYTES: Final = 4 << 20


def reload(file: Path, where: Endpoints, timeout_s: float) -> Answer:
    """Check the file here, then have the server take it over; returns when that is done. Raises: ClientError."""
    return _answer(file, _apply(file, _parsed(file, _text(file)), where, timeout_s), where)


def relabel(
    file: Path, name: str, wanted: Mapping[str, int], removed: Iterable[str], where: Endpoints, timeout_s: float
) -> Answer:
    """Change labels in the file's text, have the server take it over, and keep the file only where it did.

    Raises: ClientError; the file is then as it was.
    """
    try:
        text, config = relabelled(_text(file), name, wanted, removed)
    except ApplianceError as error:
        raise ClientError(f"{file} was not changed: {error}") from error
    _apply(file, config, where, timeout_s)
    try:
        _replace(file.resolve(), text)
    except OSError as error:
        raise ClientError(
            f"The server has taken the labels over, and {file} could not be written ({error.strerror}): "
            "write them there, or they are gone at its next start."
        ) from error
    return _answer(file, config, where)


def _parsed(file: Path, text: str) -> Any:
    try:
        return parse_text("tensorflow.serving.ModelServerConfig", text)
    except ApplianceError as error:
        raise ClientError(f"{file}: {str(error).rstrip('.')}. Nothing was sent.") from error


def _apply(file: Path, config: Any, where: Endpoints, timeout_s: float) -> Any:
    listed = config.model_config_list
    if not listed.config:
        raise ClientError(f"{file} lists no models (model_config_list {{ config {{ ... }} }}). Nothing was sent.")
    try:
        read_models(listed, {each.model_platform or "tensorflow" for each in listed.config}, {})
    except RequestError as error:
        raise ClientError(f"{file}: {str(error).rstrip('.')}. Nothing was sent.") from error
    with connect(where) as server:
        try:
            response = server.reload(config, timeout_s)
        except Refused as refused:
            raise _refused(where, refused.code, str(refused)) from refused
    if response.status.error_code:
        codes = type(response.status).DESCRIPTOR.fields_by_name["error_code"].enum_type.values_by_number
        raise _refused(where, codes[response.status.error_code].name, response.status.error_message)
    return config


def _refused(where: Endpoints, code: str, said: str) -> ClientError:
    return ClientError(
        f"{where.grpc} refuses the configuration ({code}): {' '.join(said.split()).rstrip('.')}. "
        "`appliance models status` shows what it serves."
    )


def _answer(file: Path, config: Any, where: Endpoints) -> Answer:
    models = {each.name: dict(each.version_labels) for each in config.model_config_list.config}
    lines = [f"{where.grpc} has taken over {file}. It serves:"]
    for name, labels in sorted(models.items()):
        shown = ", ".join(f"{label}={version}" for label, version in sorted(labels.items()))
        lines.append(f"  {name}  {shown}".rstrip())
    return Answer("\n".join(lines), {"config": str(file), "models": models})


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ClientError(f"{file} is longer than {_MAX_BYTES} bytes; that is no server's configuration.")
        return content.decode()
    except OSError as error:
        raise ClientError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ClientError(f"{file} is no text: {error}") from error


def _replace(file: Path, text: str) -> None:
    """Whole or not at all, also after a power cut; its owner's permissions stay. Raises: OSError."""
    staging = file.with_name(f".{file.name}.new")
    with staging.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    shutil.copymode(file, staging)
    staging.replace(file)
    descriptor = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
