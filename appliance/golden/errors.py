"""What can be wrong with golden samples, or with the model that is to give their scores.

GoldenError
├── GoldenMissing     there are none, or they cannot be read
├── GoldenFailed      the model does not give the publisher's scores
└── GoldenNotFinite   it gives scores that are no numbers
"""

from typing import Final

from appliance.errors import ApplianceError

_REMEDY: Final = "`appliance package --golden` puts them into the package, and `appliance lint` looks at them."


class GoldenError(ApplianceError):
    """Root."""


class GoldenMissing(GoldenError):
    """No samples, or none that can be used."""

    def __init__(self, sentence: str) -> None:
        super().__init__(f"{sentence} {_REMEDY}")


class GoldenFailed(GoldenError):
    """Other answers than the publisher had."""


class GoldenNotFinite(GoldenError):
    """Answers that are no numbers."""
