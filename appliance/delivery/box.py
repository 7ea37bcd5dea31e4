"""This box, as a publisher's statement and a fleet's rules see it."""

import hashlib
from datetime import datetime, timezone
from typing import Final

from appliance import __version__
from appliance.config import ApplianceConfig
from appliance.delivery.facts import Facts
from appliance.registry.package.check import BoxFacts

_NOT_BEFORE: Final = datetime(2026, 11, 1, tzinfo=timezone.utc)
"""This program did not exist before: a clock that says so is wrong."""


def facts_for_statement(config: ApplianceConfig, model: str, facts: Facts) -> BoxFacts:
    """What a statement for one of this box' models is held against."""
    seen = facts.time_floor
    floor = _NOT_BEFORE if seen is None else max(_NOT_BEFORE, moment(seen))
    versions = {int(version): digest for version, digest in facts.versions.items()}
    return BoxFacts(
        model=model,
        line=config.line_name,
        time_floor=floor,
        appliance=__version__,
        max_bytes=config.delivery.package_max_mb * 1_000_000,
        product=config.delivered[model].product,
        release_floor=max(0, facts.release_floor),
        floor_digest=facts.floor_digest,
        versions=versions,
        revoked=frozenset(facts.revoked),
    )


def box_id(config: ApplianceConfig) -> str:
    """The same for ever, and another for each box: its place in the plant, and its name."""
    return f"{config.mqtt.base_topic}/{config.station.name}"


def user_agent(config: ApplianceConfig) -> str:
    """What registries see. The box by a digest: an address in the plant is nobody's business outside."""
    short = hashlib.sha256(box_id(config).encode()).hexdigest()[:12]
    return f"inspection-appliance/{__version__} (box {short})"


def moment(text: str) -> datetime:
    """RFC 3339 with Z. Raises: ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))
