"""Names for versions ("stable", "canary"), which may point at what serves only."""

from collections.abc import Callable, Collection, Mapping

from appliance.dataplane.errors import Code, RequestError
from appliance.server_core.config import Models

LabelMap = Mapping[str, Mapping[str, int]]
"""Model → label → version."""


def assign_labels(
    models: Models, before: LabelMap, available: Callable[[str], Collection[int]], *, allow_unavailable: bool
) -> LabelMap:
    """The labels of a configuration, where each may be assigned.

    A label points at a version that is AVAILABLE. With `allow_unavailable` one that is not in use yet may point at
    any; one in use still moves to an AVAILABLE version only. Raises: RequestError.
    """
    assigned: dict[str, Mapping[str, int]] = {}
    for model in models.values():
        if not model.labels:
            continue
        serving = available(model.name)
        in_use = before.get(model.name, {})
        for label, version in model.labels.items():
            is_free = allow_unavailable and in_use.get(label, version) == version
            if not is_free and version not in serving:
                raise RequestError(
                    Code.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {model.name}, which is not currently "
                    "available for inference",
                )
        assigned[model.name] = model.labels
    return assigned
