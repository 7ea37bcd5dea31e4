"""What the world does to a delivery: it is not as signed, it does not arrive, or the box has no room."""

import enum

from appliance.errors import ApplianceError


class Refusal(str, enum.Enum):
    """Why a package is `rejected`: never loaded, nothing of it left, and its digest not tried again."""

    SIGNATURE = "signature"
    """No signature, a broken one, or one by a key that this box does not trust."""
    STATEMENT = "statement"
    """The statement is signed, and cannot be read as one."""
    WRONG_MODEL = "wrong_model"
    WRONG_LINE = "wrong_line"
    WRONG_PRODUCT = "wrong_product"
    OLDER_RELEASE = "older_release"
    """Not above the highest release that this box has verified."""
    VERSION_REUSED = "version_reused"
    """A version number that stands for other content here."""
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    """Issued in the future, by this box' clock."""
    RUNTIME = "runtime"
    """Asks for a newer appliance."""
    CONTENT = "content"
    """A file is not what was signed: its bytes, its size."""
    EXTRA_FILE = "extra_file"
    MISSING_FILE = "missing_file"
    LINK = "link"
    """A symbolic link, a device, a pipe: packages hold plain files."""
    PATH = "path"
    """A name that climbs out of the package, or that this box could not store."""
    TOO_LARGE = "too_large"
    """More bytes than were signed, or than this box takes."""
    MOVED = "moved"
    """The registry's content changed between two reads."""
    REDIRECT = "redirect"
    """The registry sends us to a host that is not allowed."""
    TOO_SLOW = "too_slow"
    """Below the lowest rate, or over the time limit."""
    FORBIDDEN_OP = "forbidden_op"
    INPUT_SPEC = "input_spec"
    """What the model wants to see is not what the statement, or a recipe of this box, says."""
    NOT_A_PACKAGE = "not_a_package"
    """Nothing that this box could read as a model package."""


class Rejected(ApplianceError):
    """What arrived is not to be trusted. Its text names file and remedy; `reason` is for programs."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class Unavailable(ApplianceError):
    """It did not arrive: the network, the registry, its credentials. Worth trying again."""

    def __init__(self, detail: str, *, retry_after_s: float | None = None) -> None:
        """`retry_after_s`: the server asked us not to come back before."""
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class NoSpace(ApplianceError):
    """The box' disk is full, or has no room for what is announced."""


class StoreError(ApplianceError):
    """The store on disk cannot be used as it is."""
