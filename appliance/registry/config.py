"""What the operator's file says of model delivery."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field, field_validator

_WINDOW = re.compile(
    r"((Mon|Tue|Wed|Thu|Fri|Sat|Sun)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? )?([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d"
)
Share = Annotated[float, Field(ge=0, le=1)]


class ShadowConfig(BaseModel, extra="forbid", frozen=True):
    """The candidate sees the line's frames and never acts. It ends when both parts and time are reached."""

    parts: int = Field(default=200, ge=0, le=10_000_000, description="parts to compare on; 0: no shadow")
    at_least_s: float = Field(default=60, ge=0, le=2_592_000, description="and at least so long, seconds")
    min_agreement: Share = Field(
        default=0.95, description="share of parts on which both models have to come to the same evaluation"
    )
    max_new_passes: Share = Field(
        default=0.02, description="share of parts that the candidate may pass and the serving model does not"
    )
    max_score_drift: Share = Field(
        default=0.25, description="how far the mean score of any class may move from the serving model's"
    )
    max_slower: float = Field(
        default=3.0, ge=1, le=100, description="how many times slower the candidate's call may be (median)"
    )
    gives_up_s: float = Field(default=86_400, ge=1, le=2_592_000, description="failed when it took longer, seconds")


class CanaryConfig(BaseModel, extra="forbid", frozen=True):
    """Both models judge every part, and it passes only where both pass it."""

    parts: int = Field(default=0, ge=0, le=10_000_000, description="parts to judge with both; 0: no canary")
    at_least_s: float = Field(default=0, ge=0, le=2_592_000, description="and at least so long, seconds")
    max_new_rejects: Share = Field(default=0.05, description="share of parts that only the candidate rejects, at most")
    gives_up_s: float = Field(default=86_400, ge=1, le=2_592_000, description="failed when it took longer, seconds")


class ProbationConfig(BaseModel, extra="forbid", frozen=True):
    """The candidate serves, and the one before stays in memory until both parts and time are reached."""

    parts: int = Field(default=200, ge=0, le=10_000_000, description="parts to watch")
    at_least_s: float = Field(default=60, ge=0, le=2_592_000, description="and at least so long, seconds")
    max_late: int = Field(default=0, ge=0, description="parts that may miss their deadline")
    max_undefined: Share = Field(default=0.02, description="share of parts that may end Undefined because of the model")
    max_fail_rise: Share = Field(
        default=0.2, description="how far the share of failed parts may rise above that before the change"
    )
    restarts: int = Field(default=3, ge=0, le=100, description="how often the line may restart meanwhile")
    keep_loaded: bool = Field(default=True, description="keep the one before in memory, where it fits")


class ModelDeliveryConfig(BaseModel, extra="forbid", frozen=True):
    """Where new versions of one model come from, whom to trust, and what they have to prove on this box."""

    source: str = Field(
        description="oci://registry/repository:tag, https://host/folder/, file:///folder/, or mlflow+https://host/NAME@ALIAS"
    )
    mirrors: tuple[str, ...] = Field(default=(), max_length=8, description="asked before `source`, in this order")
    trusted_keys: tuple[Path, ...] = Field(
        min_length=1, max_length=16, description="public keys (PEM) whose signatures count"
    )
    product: str | None = Field(default=None, description="the product judged here; packages for another are refused")
    poll_s: float = Field(default=1800, ge=1, le=604_800, description="how often to look for a new release, seconds")
    follow: Literal["source", "desired"] = Field(
        default="source",
        description="source: whatever its tag names; desired: only what operators ask for, by REST or MQTT",
    )
    approve: bool = Field(default=False, description="wait for a person before a candidate serves")
    golden_folder: Path | None = Field(
        default=None, description="this site's own labelled pictures: a folder for each label, whole frames"
    )
    max_false_rejects: Share = Field(
        default=0.02, description="share of good pictures in golden_folder that a candidate may reject"
    )
    max_escapes: int = Field(default=0, ge=0, description="bad pictures in golden_folder that a candidate may pass")
    windows: tuple[str, ...] = Field(
        default=(),
        max_length=32,
        description='when a change may happen, local time: "Mon-Fri 22:00-05:00"; default: always',
    )
    keep: int = Field(default=3, ge=2, le=100, description="releases kept on the disk, besides the factory's")
    shadow: ShadowConfig = ShadowConfig()
    canary: CanaryConfig = CanaryConfig()
    probation: ProbationConfig = ProbationConfig()

    @field_validator("windows")
    @classmethod
    def _are_windows(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not _WINDOW.fullmatch(one):
                raise ValueError(f'{one!r} is no window; write it like "22:00-05:00" or "Mon-Fri 22:00-05:00"')
        return value


class DeliveryConfig(BaseModel, extra="forbid", frozen=True):
    """What holds for every delivered model of this box."""

    line: str | None = Field(
        default=None, description="the line that packages have to be for; default: mqtt.base_topic without its station"
    )
    credentials_file: Path | None = Field(
        default=None, description="logins of registries, as docker's config.json has them; default: none"
    )
    ca_file: Path | None = Field(
        default=None, description="certificates to trust for registries; default: the system's"
    )
    proxy: str | None = Field(default=None, description="http://host:port of a proxy; default: HTTPS_PROXY, NO_PROXY")
    redirect_hosts: tuple[str, ...] = Field(
        default=(),
        max_length=64,
        description="hosts that a registry may send us to for a blob; the registry's own always",
    )
    rate_limit_mbit: float | None = Field(default=None, gt=0, description="downloads take at most so much, Mbit/s")
    min_rate_kb_s: float = Field(default=1.0, ge=0, description="a download below this for a minute is given up, kB/s")
    timeout_s: float = Field(default=30, gt=0, le=600, description="one read or connect may take so long, seconds")
    download_max_s: float = Field(default=86_400, gt=0, description="a whole download may take so long, seconds")
    package_max_mb: int = Field(default=4096, ge=1, description="larger packages are refused, megabytes")
    spread_s: float = Field(
        default=0, ge=0, le=604_800, description="start a new release within so long, drawn at random"
    )
    ballast_mb: int = Field(default=16, ge=0, le=1024, description="disk kept for bad times, megabytes")
    stale_after_s: float = Field(
        default=604_800, gt=0, description="say so when no registry has answered for so long, seconds"
    )
