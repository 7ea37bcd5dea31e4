"""What ends a command of `appliance models`.

ApplianceError
└── ClientError       the world's: no server, no such model, an input that does not fit
    └── WrongUsage    the command line's: exit code 2
"""

from appliance.errors import ApplianceError


class ClientError(ApplianceError):
    """The question could not be asked, or the server refused it; the text says what to do. Seen by the person."""


class WrongUsage(ClientError):
    """These options do not go together. Correct the command."""
