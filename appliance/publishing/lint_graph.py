"""Whether boxes can run the graph, and may."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from appliance.publishing.findings import Finding, error, warning
from appliance.registry.errors import Rejected
from appliance.registry.package.ops import lint_graph, scan_ops
from appliance.runtimes.description import Description
from appliance.runtimes.model import DEFAULT_SIGNATURE

_GRAPH: Final = "saved_model.pb"


def look_at_graph(folder: Path, description: Description) -> Iterator[Finding]:
    """Ops, variables, signatures: read as bytes."""
    try:
        scan_ops(folder)
        lost = lint_graph(folder)
        if lost:
            more = "" if len(lost) == 1 else f" {len(lost) - 1} more are lost so"
            yield error("lost_variable", _GRAPH, f"{lost[0]}{more}".rstrip("."), "Or package the .keras file itself")
    except Rejected as refusal:
        yield error(
            refusal.reason.value,
            _GRAPH,
            str(refusal).rstrip("."),
            "Boxes refuse it: leave out what reads, writes or calls out of the graph, and export again",
        )
    if DEFAULT_SIGNATURE in description.left_out:
        why = description.left_out[DEFAULT_SIGNATURE]
        yield error("signature", _GRAPH, f"{DEFAULT_SIGNATURE} cannot be called: {why}", "Export it with dense tensors")
    elif DEFAULT_SIGNATURE not in description.signatures:
        have = ", ".join(description.signatures) or "none"
        yield error(
            "signature",
            _GRAPH,
            f"there is no signature {DEFAULT_SIGNATURE}; it has {have}",
            "Export it with signatures={'serving_default': ...}",
        )
    if len(description.signatures) > 1:
        others = ", ".join(key for key in description.signatures if key != DEFAULT_SIGNATURE)
        yield warning("more_signatures", _GRAPH, f"it has more signatures: {others}", "Leave out what nobody calls")
