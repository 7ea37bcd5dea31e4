"""The operator's settings for the broker, and where in its topics this box speaks."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, Field, PositiveFloat, model_validator

from appliance.mqtt.topics import BASE_PATTERN, LEVEL_PATTERN

Command = Literal[
    "approve", "cancel", "look", "pause", "pin", "recipe", "replay", "resume", "rollback", "trigger", "unpin"
]
"""What may be commanded over MQTT, where it is allowed: `recipe` and `trigger` the line, `replay` the gateway, the
others deliveries."""
DESIRED: Final = "desired"
COMMAND: Final = "cmd"


class TlsConfig(BaseModel, extra="forbid", frozen=True):
    """Encryption and certificates. The server is always verified."""

    ca_file: Path | None = Field(
        default=None, description="Who may vouch for the broker; by default the system's certificates."
    )
    certificate_file: Path | None = Field(default=None, description="This box's own certificate, for mutual TLS.")
    key_file: Path | None = Field(default=None, description="The private key of `certificate_file`.")

    @model_validator(mode="after")
    def _certificate_comes_with_its_key(self) -> "TlsConfig":
        if (self.certificate_file is None) is not (self.key_file is None):
            msg = "certificate_file and key_file belong together: give both, or neither"
            raise ValueError(msg)
        return self


class MqttConfig(BaseModel, extra="forbid", frozen=True):
    """The broker, and where in its topics this box speaks."""

    host: str = Field(min_length=1, max_length=253, description="The broker's name or address.")
    port: int = Field(default=1883, ge=1, le=65_535, description="The broker's port; 8883 is usual with TLS.")
    base_topic: Annotated[str, Field(pattern=BASE_PATTERN, max_length=512)] = Field(
        description="Where this box is in the plant: <enterprise>/<site>/<area>/<line>/<station>. "
        "Letters, digits and _ . : - only."
    )
    protocol: Literal["5", "3.1.1"] = Field(
        default="5",
        description="3.1.1 only for brokers without 5: there a refused message looks like a delivered one.",
    )
    username: str | None = Field(default=None, max_length=256, description="Without it the broker lets in anybody.")
    password_file: str | None = Field(
        default=None,
        max_length=4096,
        description="A path, or the name of a systemd credential (LoadCredential=).",
    )
    tls: TlsConfig | None = Field(default=None, description="Leave out for an unencrypted connection.")
    keepalive_s: int = Field(default=20, ge=5, le=600, description="Silence after which the connection is checked.")
    connect_timeout_s: PositiveFloat = Field(default=5.0, le=60, description="How long one attempt may take.")
    window: int = Field(
        default=50, ge=1, le=500, description="Messages under way at once; the broker's own limit also counts."
    )
    cloudevents: bool = Field(
        default=True, description="Add CloudEvents attributes as MQTT 5 user properties; they cost readers nothing."
    )

    desired: bool = Field(
        default=False,
        description="Read the retained messages `desired` and `desired/<model>`: which release operators want.",
    )
    commands: frozenset[Command] = Field(
        default=frozenset(),
        description="Which of these may be commanded on `cmd/<verb>`: approve, cancel, look, pause, pin, recipe, "
        "replay, resume, rollback, trigger, unpin. Whoever may write there at the broker may do it.",
    )

    consumers: tuple[Annotated[str, Field(pattern=rf"^{LEVEL_PATTERN}$")], ...] = Field(
        default=(),
        max_length=16,
        description="Programs that say on the retained topic ack/NAME/CAMERA how far they have come: the box tells "
        "when one falls behind, and keeps for it what it has not confirmed.",
    )
    consumer_late_s: PositiveFloat = Field(
        default=600.0, le=604_800, description="A consumer this far behind is told in health."
    )
    summary_s: float = Field(default=60.0, ge=1, le=3600, description="How often the summary is published, seconds.")

    @property
    def topics(self) -> tuple[str, ...]:
        """What to subscribe to, below the base topic, where models are delivered."""
        wishes = (DESIRED, f"{DESIRED}/+") if self.desired else ()
        return (*wishes, *self.command_topics)

    @property
    def command_topics(self) -> tuple[str, ...]:
        """What to subscribe to where none is: the line takes commands, too."""
        return (f"{COMMAND}/+",) if self.commands else ()

    @model_validator(mode="after")
    def _password_needs_a_name(self) -> "MqttConfig":
        if self.password_file is not None and self.username is None:
            msg = "password_file needs username: MQTT brokers know no password without a name"
            raise ValueError(msg)
        return self
