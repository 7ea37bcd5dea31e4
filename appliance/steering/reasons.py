"""What of deliveries belongs into the device health. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from appliance.health import DeviceHealth, Reason
from appliance.steering.document import Document

_STORE: Final = "store_"


def reasons_of(document: Document) -> list[Reason]:
    """Findings about delivered models; none while all is well."""
    return [reason for name, part in sorted(document["models"].items()) for reason in _of_model(name, part)]


def _of_model(name: str, part: Mapping[str, Any]) -> list[Reason]:
    component = f"model/{name}"
    flags, details, deployment = part["flags"], part["flag_details"], part["deployment"] or {}
    found = []
    if flags.get("revoked"):
        otherwise = f"The release of {name} that serves is revoked; deploy another one."
        found.append(Reason(DeviceHealth.OFF_SPEC, "MODEL_REVOKED", component, details.get("revoked") or otherwise))
    if deployment.get("state") == "rollback_failed":
        otherwise = f"A release of {name} that disappointed could not be taken back; deploy another one."
        detail = deployment.get("detail") or otherwise
        found.append(Reason(DeviceHealth.OFF_SPEC, "ROLLBACK_FAILED", component, detail))
    if flags.get("stale"):
        otherwise = f"No registry has answered for {name} for long; check the network, and delivery's source."
        detail = details.get("stale") or otherwise
        found.append(Reason(DeviceHealth.MAINTENANCE_REQUIRED, "DELIVERY_STALE", component, detail))
    troubles = (str(detail) for trouble, detail in details.items() if trouble.startswith(_STORE) and detail)
    maintenance = DeviceHealth.MAINTENANCE_REQUIRED
    return found + [Reason(maintenance, "MODEL_STORE", component, trouble) for trouble in troubles]
