"""A ModelServerConfig against what is in force: may it follow, and what would it be?"""

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any, Final

from appliance.dataplane.errors import Code, RequestError
from appliance.server_core.config import Models, read_models
from appliance.server_core.labels import LabelMap, assign_labels

logger = logging.getLogger(__name__)

_ONLY_LISTS: Final = (
    "Cannot transition to requested config. It is only legal to transition from one ModelConfigList to another."
)


@dataclass(frozen=True, slots=True)
class Served:
    """A configuration in force."""

    models: Models = field(default_factory=dict)
    labels: LabelMap = field(default_factory=dict)


def read_config(
    message: Any,
    before: Served | None,
    platforms: Collection[str],
    available: Callable[[str], Collection[int]],
    *,
    labels_for_unavailable: bool,
) -> Served | None:
    """What a tensorflow.serving.ModelServerConfig asks for, found right; None where it is empty.

    `before` None: there has been no configuration yet. `available`: the versions of a model that serve.
    Raises: RequestError.
    """
    kind = message.WhichOneof("config")
    if before is not None and kind != "model_config_list":
        raise RequestError(Code.FAILED_PRECONDITION, _ONLY_LISTS)
    if kind is None:
        logger.info("Taking no action for empty config.")
        return None
    if kind != "model_config_list":
        raise RequestError(Code.UNIMPLEMENTED, "ModelServer does not yet support custom model config.")
    before = before or Served()
    models = read_models(message.model_config_list, platforms, before.models)
    labels = assign_labels(models, before.labels, available, allow_unavailable=labels_for_unavailable)
    return Served(models, labels)
