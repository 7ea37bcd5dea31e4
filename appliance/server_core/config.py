"""A ModelServerConfig as we keep it, and what has to be true of one before any of it is applied.

Codes and texts are TensorFlow Serving's (model_servers/server_core.cc).
"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from appliance.dataplane.errors import Code, RequestError
from appliance.serving import All, Latest, Specific, VersionPolicy

logger = logging.getLogger(__name__)

_TENSORFLOW: Final = 1
"""ModelType.TENSORFLOW: the deprecated way to say model_platform "tensorflow"."""


@dataclass(frozen=True, slots=True)
class ModelConfig:
    """What is to be served under one name."""

    name: str
    base_path: Path
    platform: str
    versions: VersionPolicy = field(default_factory=Latest)
    labels: Mapping[str, int] = field(default_factory=dict)


Models = Mapping[str, ModelConfig]
"""Everything that is to be served, by name."""


def read_models(message: Any, platforms: Collection[str], before: Models) -> Models:
    """The models of a tensorflow.serving.ModelConfigList, all of them found right.

    `platforms`: those that can be loaded here; `before`: what is served now. Raises: RequestError.
    """
    _check_names(message.config)
    _check_paths(message.config)
    models = {each.name: _model(each) for each in message.config}
    for model in models.values():
        _check_platform(model, platforms, before.get(model.name))
    return models


def _check_names(listed: Collection[Any]) -> None:
    names: set[str] = set()
    for each in listed:
        if not each.name:
            raise RequestError(Code.INVALID_ARGUMENT, "Illegal to list a model without a name in config list")
        if each.name in names:
            raise RequestError(
                Code.INVALID_ARGUMENT, f"Illegal to list model {each.name} multiple times in config list"
            )
        names.add(each.name)


def _check_paths(listed: Collection[Any]) -> None:
    for each in listed:
        scheme, is_uri, _ = each.base_path.partition("://")
        if not is_uri and not each.base_path.startswith("/"):
            raise RequestError(
                Code.INVALID_ARGUMENT,
                f"Expected model {each.name} to have an absolute path or URI; got base_path()={each.base_path}",
            )
        if is_uri and scheme != "file":
            raise RequestError(
                Code.INVALID_ARGUMENT,
                f"The base path of model {each.name} is {each.base_path}: this server reads local disks only; bring "
                "the versions onto one",
            )


def _model(message: Any) -> ModelConfig:
    if message.HasField("logging_config"):
        logger.warning("The logging_config of model %s has no effect: requests are not logged here", message.name)
    return ModelConfig(
        name=message.name,
        base_path=Path(message.base_path.removeprefix("file://")),
        platform=_platform(message),
        versions=_versions(message.model_version_policy),
        labels=dict(message.version_labels),
    )


def _platform(message: Any) -> str:
    if message.model_type:
        logger.warning("Deprecated ModelServerConfig::model_type field used. Prefer ModelServerConfig::model_platform.")
        if message.model_platform:
            raise RequestError(
                Code.INVALID_ARGUMENT,
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                f"ModelServerConfig::model_platform, model name is {message.name}",
            )
        if message.model_type != _TENSORFLOW:
            raise RequestError(
                Code.INVALID_ARGUMENT,
                f"ModelServerConfig::model_type choice {message.model_type} not supported.",
            )
        return "tensorflow"
    if not message.model_platform:
        raise RequestError(
            Code.INVALID_ARGUMENT,
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {message.name}",
        )
    return str(message.model_platform)


def _versions(message: Any) -> VersionPolicy:
    match message.WhichOneof("policy_choice"):
        case "all":
            return All()
        case "specific":
            return Specific(frozenset(message.specific.versions))
        case _:
            return Latest(message.latest.num_versions or 1)


def _check_platform(model: ModelConfig, platforms: Collection[str], before: ModelConfig | None) -> None:
    if before is not None and before.platform != model.platform:
        raise RequestError(
            Code.INVALID_ARGUMENT,
            f"Illegal to change a model's platform. For model {model.name} platform was {before.platform} and new "
            f"platform requested is {model.platform}",
        )
    if model.platform not in platforms:
        raise RequestError(Code.INVALID_ARGUMENT, f"Model {model.name} requests unsupported platform {model.platform}")
