"""The root of what the world does to the appliance.

Every domain error ends in one sentence that an engineer can act on: what, where, what to do. A caller's mistake
is a RuntimeError and a bug; it is not in this tree.
"""


class ApplianceError(Exception):
    """Something outside the program is not as it has to be. Its text is shown to a person as it stands."""


class ConfigError(ApplianceError):
    """The operator's file cannot be used. Seen at start, at `check` and at reload; the running settings stay."""
