"""From a ModelServerConfig to loaded models: TensorFlow Serving's ServerCore, without what it regrets.

A configuration is validated whole before anything of it is applied. What a reload adds is loaded beside what serves;
when all of it is there, the rest of the configuration follows in one step, and otherwise everything is as it was.
"""

from appliance.server_core.config import ModelConfig, read_models
from appliance.server_core.config_file import ConfigFile
from appliance.server_core.core import CoreSettings, ServerCore
from appliance.server_core.lazy import LazyCore

__all__ = ["ConfigFile", "CoreSettings", "LazyCore", "ModelConfig", "ServerCore", "read_models"]
