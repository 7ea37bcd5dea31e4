"""Which box this is, for what is said about its messages."""

from appliance import __version__
from appliance.config import ApplianceConfig
from appliance.messages.box import Box


def box_of(config: ApplianceConfig) -> Box:
    """What of the operator's file decides which topics there are."""
    sparkplug, home_assistant = config.sparkplug, config.home_assistant
    return Box(
        station=config.station.name,
        version=__version__,
        mqtt=config.mqtt,
        cameras=tuple(config.cameras),
        groups=tuple(config.parts),
        models=tuple(config.delivered),
        sparkplug=None if sparkplug is None else (sparkplug.group_id, sparkplug.edge_node_id or config.station.name),
        home_assistant=None if home_assistant is None else home_assistant.prefix,
    )
