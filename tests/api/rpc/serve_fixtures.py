"""Serve a ModelServerConfig over gRPC, for a client in another process: `python serve_fixtures.py CONFIG CACHE`.

Prints the port. Labels are set by a reload, as an operator would: the versions have to serve first.
"""

import sys
import threading
from pathlib import Path

from appliance.api.rpc import GrpcServer, GrpcSettings
from appliance.dataplane import DataPlane, Metrics
from appliance.dataplane.local import LocalBackend
from appliance.protos import parse_text
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.server_core import CoreSettings, ServerCore
from appliance.serving import Manager, availability_preserving

config = parse_text("tensorflow.serving.ModelServerConfig", Path(sys.argv[1]).read_text())
runtime = RuntimeConfig(cache=Path(sys.argv[2]), engines=("tensorflow-saved-model",), must_run=False)
manager = Manager(availability_preserving)
core = ServerCore(manager, {"tensorflow": lambda _, folder: SavedModelLoader(folder, runtime)}, CoreSettings())
for body in (core.manage, core.watch):
    threading.Thread(target=body, args=(threading.Event(),), daemon=True).start()

unlabelled = type(config).FromString(config.SerializeToString())
for model in unlabelled.model_config_list.config:
    model.version_labels.clear()
core.start(unlabelled)
core.reload(config)
server = GrpcServer(
    DataPlane(LocalBackend(manager, core.labels), Metrics()), GrpcSettings(host="127.0.0.1", port=0), core.reload
)
server.start()
print(server.port, flush=True)
sys.stdin.read()  # until whoever started it closes the pipe, or dies
server.stop(1)
