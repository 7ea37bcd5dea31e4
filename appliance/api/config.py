"""The `[http]` part of the operator's file, and what an address to listen on is in all of it."""

import ipaddress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field


def _an_address_and_no_name(host: str) -> str:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        raise ValueError(
            f"{host!r} is not an IP address; write 127.0.0.1 for this box only, 0.0.0.0 for every network "
            "(a name would need the network at start)"
        ) from None


ListenAddress = Annotated[str, AfterValidator(_an_address_and_no_name)]
"""An IP address of this box, 0.0.0.0 or ::."""


class HttpConfig(BaseModel, extra="forbid", frozen=True):
    """Where the box answers health, metrics and model status, and is steered.

    Everybody who can reach the port may read. Changes are taken from programs on this box, and from who shows a
    token; a proxy on this box that lets others in makes them programs of this box.
    """

    host: ListenAddress = Field(
        default="127.0.0.1",
        description="IP address to listen on. 127.0.0.1: this box only. 0.0.0.0 (or ::): every network it is on; "
        "there is no login, so open it to a plant network only.",
    )
    port: int = Field(default=8080, ge=0, le=65535, description="TCP port; 0 takes any free one.")
    threads: int = Field(
        default=4, ge=1, le=32, description="Answers worked on at once; a slow client does not hold one."
    )
    tokens_file: Path | None = Field(
        default=None,
        description="Who may steer deliveries from other hosts: lines `name token`, the token at least 16 characters; "
        "readable by this service only. The name goes to the audit log. It is read again when it changes.",
    )
    names: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9.-]{1,253}$")], ...] = Field(
        default=(),
        max_length=16,
        description="Names by which this box may be asked for changes, besides its addresses and its own name.",
    )
