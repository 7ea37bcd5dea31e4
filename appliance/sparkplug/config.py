"""The operator's settings for the Sparkplug view."""

from typing import Annotated, Final

from pydantic import BaseModel, Field, field_validator

ID_PATTERN: Final = r"^[^+/#\x00-\x1f\x7f-\x9f]{1,64}$"
"""A Sparkplug id: UTF-8 without `+`, `/` and `#`, and without what nobody can read."""
SERVER_PATTERN: Final = r"^([A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}$"
_PORT_MAX: Final = 65_535
_STATE: Final = "STATE"

_Id = Annotated[str, Field(pattern=ID_PATTERN)]
_Server = Annotated[str, Field(pattern=SERVER_PATTERN)]


class SparkplugConfig(BaseModel, extra="forbid", frozen=True):
    """An edge node with one device for each camera; needs the section only, and the broker of [mqtt]."""

    group_id: _Id = Field(description="Sparkplug's group, as the plant's SCADA has it: usually enterprise and site.")
    edge_node_id: _Id | None = Field(
        default=None, description="This box in that group, unique in the plant; by default the station's name."
    )
    primary_host: _Id | None = Field(
        default=None, description="Id of the host application without which nothing is sent; by default none."
    )
    servers: tuple[_Server, ...] = Field(
        default=(),
        max_length=8,
        description="Brokers as host:port, tried in turn while the primary host is not at one; by default mqtt's.",
    )

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        """(host, port) of each server."""
        return tuple(_address(one) for one in self.servers)

    @field_validator("group_id")
    @classmethod
    def _is_no_verb(cls, value: str) -> str:
        if value == _STATE:
            msg = f"{_STATE!r} cannot be a group: it is where host applications say whether they are there"
            raise ValueError(msg)
        return value

    @field_validator("servers")
    @classmethod
    def _have_ports(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for one in value:
            if not 1 <= _address(one)[1] <= _PORT_MAX:
                msg = f"{one!r} has no port that can be: 1 to {_PORT_MAX}"
                raise ValueError(msg)
        if len(set(value)) < len(value):
            msg = "servers has one twice: each is tried in turn anyway"
            raise ValueError(msg)
        return value


def _address(server: str) -> tuple[str, int]:
    host, _, port = server.rpartition(":")
    return host.strip("[]"), int(port)
