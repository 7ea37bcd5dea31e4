"""Which state follows: a deployment, an event, what the box asks for, and nothing else."""

from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.events import Event
from appliance.registry.deployments.strategy import Strategy


def after(deployment: Deployment, event: Event, strategy: Strategy, at: str) -> Deployment:
    """What the deployment is once `event` happened at `at` (RFC 3339, UTC).

    The very same object where the event changes nothing (too late, or over): then there is nothing to write.
    Raises: RuntimeError where the event cannot happen in this state: its driver has a bug.
    """
    raise NotImplementedError


def is_before_switch(deployment: Deployment) -> bool:
    """It proved all it has to, and waits: for an approval, a window, the end of a pause."""
    raise NotImplementedError
