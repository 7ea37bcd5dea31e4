"""The operator's settings for what is told besides results."""

from typing import Annotated

from pydantic import BaseModel, Field

from appliance.mqtt.topics import LEVEL_PATTERN


class HomeAssistantConfig(BaseModel, extra="forbid", frozen=True):
    """Home Assistant finds the box by itself; needs the section only."""

    prefix: Annotated[str, Field(pattern=rf"^{LEVEL_PATTERN}$")] = Field(
        default="homeassistant", description="Home Assistant's discovery prefix."
    )
