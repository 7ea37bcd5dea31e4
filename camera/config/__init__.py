"""What an engineer may set about a camera; one closed model per driver, told apart by `driver`.

The descriptions are shown to people, in error messages.
"""

from typing import Annotated, Final

from pydantic import Field

from camera.config.common import SensorConfig
from camera.config.genicam import AravisConfig, Feature, FeatureValue, GenicamConfig, PylonConfig
from camera.config.simulated import FaultConfig, FolderConfig, ShutterConfig, VirtualConfig
from camera.config.streams import GstreamerConfig, OpencvConfig

CameraConfig = Annotated[
    VirtualConfig | FolderConfig | OpencvConfig | AravisConfig | PylonConfig | GstreamerConfig,
    Field(discriminator="driver"),
]

AnyConfig = VirtualConfig | FolderConfig | OpencvConfig | AravisConfig | PylonConfig | GstreamerConfig

CONFIGS: Final[dict[str, type[AnyConfig]]] = {
    "virtual": VirtualConfig,
    "folder": FolderConfig,
    "opencv": OpencvConfig,
    "aravis": AravisConfig,
    "pylon": PylonConfig,
    "gstreamer": GstreamerConfig,
}
"""driver name -> what may be set about it."""

__all__ = [
    "CONFIGS",
    "AnyConfig",
    "AravisConfig",
    "CameraConfig",
    "FaultConfig",
    "Feature",
    "FeatureValue",
    "FolderConfig",
    "GenicamConfig",
    "GstreamerConfig",
    "OpencvConfig",
    "PylonConfig",
    "SensorConfig",
    "ShutterConfig",
    "VirtualConfig",
]
