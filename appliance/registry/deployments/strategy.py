"""What a candidate has to prove on this box before it serves, and while it does."""

from dataclasses import dataclass, field

from appliance.registry.config import CanaryConfig, ModelDeliveryConfig, ProbationConfig, ShadowConfig


@dataclass(frozen=True, slots=True)
class Strategy:
    """Of one model; the operator's file says it."""

    shadow: ShadowConfig = field(default_factory=ShadowConfig)
    """`parts` 0: no shadow."""
    canary: CanaryConfig = field(default_factory=CanaryConfig)
    """`parts` 0: no canary."""
    probation: ProbationConfig = field(default_factory=ProbationConfig)
    approve: bool = False
    """A person has to say yes before it serves."""


def strategy_of(config: ModelDeliveryConfig) -> Strategy:
    """What the file says."""
    return Strategy(config.shadow, config.canary, config.probation, config.approve)
