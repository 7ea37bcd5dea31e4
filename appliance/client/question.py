"""What a person asks of a model: which, with which inputs, and how long to wait."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from appliance.client import images
from appliance.client.errors import ClientError
from appliance.client.inputs import arrays, check_names
from appliance.client.signatures import Shown
from appliance.runtimes.model import Array


@dataclass(frozen=True, slots=True)
class Question:
    """One prediction."""

    name: str
    """The model's, or its folder."""
    signature: str = ""
    version: int | None = None
    label: str | None = None
    typed: Mapping[str, str] = field(default_factory=dict)
    """Values by the inputs' names, as they were typed."""
    image: tuple[str | None, Path] | None = None
    """For which input, None: the only one; and the file."""
    resize: bool = False
    timeout_s: float = 10.0

    def inputs(self, signature: Shown) -> dict[str, Array]:
        """The arrays that this signature takes. Raises: ClientError."""
        given = dict(self.typed)
        pictures: dict[str, Array] = {}
        if self.image is not None:
            spec = images.picture_input(signature, self.image[0])
            pictures[spec.alias] = images.decoded(spec, self.image[1], resize=self.resize)
        if twice := given.keys() & pictures.keys():
            raise ClientError(f"Input {', '.join(sorted(twice))} is given twice: by --input and by --image.")
        check_names(signature, given.keys() | pictures.keys())
        return arrays(signature, given) | pictures
