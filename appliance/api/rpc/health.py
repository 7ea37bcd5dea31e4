"""grpc.health.v1.Health: SERVING while any version of any model is available.

TensorFlow Serving says SERVING from its start to its end, whatever happens; who balances load by it never learns that
a server has nothing left to serve.
"""

import threading
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from appliance.dataplane import DataPlane
from appliance.errors import ApplianceError
from appliance.serving import ManagerState

SERVICE: Final = "grpc.health.v1.Health"
NAMES: Final = ("", "ModelService", "PredictionService")
"""TensorFlow Serving's two, and the whole server."""
_PERIOD_S: Final = 0.5


def serves(plane: DataPlane) -> bool:
    """Whether there is anything to serve; nothing, where whoever has the models cannot be asked."""
    try:
        states = plane.backend.states()
    except ApplianceError:
        return False
    return any(state.manager_state is ManagerState.AVAILABLE for state in states)


class Health:
    """A thread of its own looks at the models, from start() to stop()."""

    def __init__(self, plane: DataPlane, server: grpc.Server) -> None:
        """Add the service; those who watch it cost no thread."""
        self._plane = plane
        self._said: bool | None = None
        self._servicer = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="grpc-health", daemon=True)
        self._say()

    def start(self) -> None:
        """Returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Say NOT_SERVING to everyone, for good."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._servicer.enter_graceful_shutdown()

    def _run(self) -> None:
        while not self._stopping.wait(_PERIOD_S):
            self._say()

    def _say(self) -> None:
        serving = serves(self._plane)
        if serving is not self._said:
            self._said = serving
            response = health_pb2.HealthCheckResponse
            for name in NAMES:
                self._servicer.set(name, response.SERVING if serving else response.NOT_SERVING)
