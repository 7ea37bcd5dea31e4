"""Weights that a package carries twice."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from appliance.publishing.checkpoint import Variable, variables
from appliance.publishing.errors import PublishError
from appliance.publishing.findings import Finding, error, warning
from appliance.publishing.progress import in_bytes
from appliance.runtimes.description import Description

_KERAS_COPY: Final = "_all_variables/"
"""Where keras.Model.export() puts the second copy (keras-team/keras issue 23553)."""
_SHARE: Final = 0.4
_WORTH_BYTES: Final = 1_000_000
_DATA: Final = "variables/variables.data-00000-of-00001"


def look_at_weights(folder: Path, _description: Description) -> Iterator[Finding]:
    """Read the checkpoint's index; the weights themselves are not read."""
    try:
        found = variables(folder)
    except PublishError as problem:
        yield error("damaged", "variables/variables.index", str(problem).rstrip("."), "Export the model again")
        return
    twice, total = stored_twice(found), sum(one.size for one in found)
    if twice:
        yield warning(
            "weights_twice",
            _DATA,
            f"weights are stored twice: {in_bytes(twice)} of {in_bytes(total)} are a second copy",
            "Every download and every box' memory pays for it: package the .keras file, which stores them once, "
            "or export a tf.Module that holds the variables and nothing of Keras",
        )


def stored_twice(found: Sequence[Variable]) -> int:
    """Bytes of second copies, where they are many enough not to be chance: zeros are equal to zeros."""
    seen: set[tuple[int, int, bytes, int]] = set()
    copies = 0
    for one in found:
        if one.same_as in seen:
            copies += one.size
        seen.add(one.same_as)
    keras = any(one.name.startswith(_KERAS_COPY) for one in found)
    many = copies >= _WORTH_BYTES and copies >= _SHARE * sum(one.size for one in found)
    return copies if keras or many else 0
