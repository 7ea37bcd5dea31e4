"""How a candidate can fail, in words for programs and for people."""

import enum

from appliance.errors import ApplianceError


class Stage(str, enum.Enum):
    """Where an examination is. Values as in JSON."""

    LOADING = "loading"
    ACCEPTING = "accepting"
    SHADOWING = "shadowing"


class Reason(str, enum.Enum):
    """Why a candidate failed."""

    LOAD_ERROR = "load_error"
    OOM = "oom"
    """More memory than resources.model_memory_mb, or than the box has."""
    DOES_NOT_FIT = "does_not_fit"
    """A recipe of this box cannot use it."""
    CHANGED = "changed"
    """What lies in the folder is not what was verified."""
    GOLDEN = "golden"
    """Other answers to the publisher's golden samples than the publisher had."""
    GOLDEN_MISSING = "golden_missing"
    """The package has no golden samples, or none that can be read."""
    ESCAPES = "escapes"
    FALSE_REJECTS = "false_rejects"
    SITE_PICTURES = "site_pictures"
    """The site's own pictures cannot be read or judged; that is not the candidate's fault."""
    NOT_FINITE = "not_finite"
    """Scores that are no numbers."""
    CRASHED = "crashed"
    HUNG = "hung"
    """Nothing was heard of it for the patience that it was given."""


class Failed(ApplianceError):
    """The candidate did not prove itself. Its text says what, where, and what to do."""

    def __init__(self, stage: Stage, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.stage = stage
        self.reason = reason
