"""Who answers on a control socket: the delivery process, the line's own, or the gateway; what each is asked."""

from dataclasses import dataclass
from typing import Final

from appliance.steering.requests import OF_THE_GATEWAY, OF_THE_LINE, Verb


@dataclass(frozen=True, slots=True)
class Side:
    """One of the three processes. Immutable."""

    name: str
    """As a sentence begins with it."""
    whose: str
    """Its genitive."""
    away: str
    """What it means that it does not answer; one sentence or two."""
    unsure: str
    """How to find out whether it did what was asked, where its answer did not come."""
    without: str
    """What is not possible where its socket cannot be opened."""
    verbs: frozenset[Verb]
    """What it is asked; anything else is refused."""


DELIVERY: Final = Side(
    "The delivery process",
    "The delivery process'",
    "The delivery process is away, so models neither come nor can be steered; the line goes on with what it has, "
    "and the journal tells why.",
    "whether it did it, GET /deployments shows",
    "operators cannot steer deliveries",
    frozenset(Verb) - OF_THE_LINE - OF_THE_GATEWAY,
)
LINE: Final = Side(
    "The line",
    "The line's",
    "The line's process is away, so nothing can be triggered, and no recipe changed; systemd starts it again, and the "
    "journal tells why.",
    "whether it did it, GET /recipes and the results show",
    "nobody can trigger a part or change the recipe by command",
    OF_THE_LINE,
)
GATEWAY: Final = Side(
    "The gateway",
    "The gateway's",
    "The gateway is away, so nothing can be published again; the line starts it again, results wait on the disk, and "
    "the journal tells why.",
    "whether it did it, `appliance results replay` asked again shows",
    "results cannot be replayed by command line",
    OF_THE_GATEWAY,
)
