"""The operator's settings for the Sparkplug view."""

from typing import Annotated, Final

from pydantic import BaseModel, Field

ID_PATTERN: Final = r"^[^+/#\x00-\x1f\x7f]{1,64}$"
"""A Sparkplug id: UTF-8 without `+`, `/` and `#`."""
SERVER_PATTERN: Final = r"^[A-Za-z0-9_.:\[\]-]{1,253}:[0-9]{1,5}$"


class SparkplugConfig(BaseModel, extra="forbid", frozen=True):
    """An edge node with one device for each camera; needs the section only, and the broker of [mqtt]."""

    group_id: Annotated[str, Field(pattern=ID_PATTERN)] = Field(
        description="Sparkplug's group, as the plant's SCADA has it: usually enterprise and site."
    )
    edge_node_id: Annotated[str, Field(pattern=ID_PATTERN)] | None = Field(
        default=None, description="This box in that group, unique in the plant; by default the station's name."
    )
    primary_host: Annotated[str, Field(pattern=ID_PATTERN)] | None = Field(
        default=None, description="Id of the host application without which nothing is sent; by default none."
    )
    servers: tuple[Annotated[str, Field(pattern=SERVER_PATTERN)], ...] = Field(
        default=(),
        max_length=8,
        description="Brokers as host:port, tried in turn while the primary host is not at one; by default mqtt's.",
    )
