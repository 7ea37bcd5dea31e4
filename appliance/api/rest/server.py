"""The REST port, from the constructor to `stop()`."""

from appliance.api.rest.app import RestApp
from appliance.api.rest.channel import Bodies, channel_class
from appliance.api.rest.queue import BoundedDispatcher
from appliance.api.rest.settings import RestSettings
from appliance.api.server import HttpServer, ServerLimits
from appliance.dataplane import DataPlane

_RECEIVED_BYTES = 256 * 1024
"""Of one socket at once: a picture as JSON is 3 MB."""
_NEVER_BYTES = 1 << 62


class RestServer:
    """Used by one thread; its own are all ended after `stop()`."""

    def __init__(self, plane: DataPlane, settings: RestSettings) -> None:
        """Take the port; nothing is answered before `start()`. Raises: ApiError."""
        limits = ServerLimits(
            threads=settings.threads,
            connections_max=settings.connections_max,
            idle_max_s=settings.idle_max_s,
            request_max_bytes=settings.body_max_bytes + 1,  # waitress refuses the limit itself
            received_bytes=_RECEIVED_BYTES,
            answer_in_memory_bytes=_NEVER_BYTES,
        )
        self._bodies = Bodies(max(settings.bodies_max_bytes, settings.body_max_bytes))
        self._http = HttpServer(
            RestApp(plane, settings),
            settings.host,
            settings.port,
            limits=limits,
            dispatcher=BoundedDispatcher(settings.threads, settings.queued_max),
            channel_class=channel_class(self._bodies),
        )
        self.port: int = self._http.port
        """The port that was taken; useful where any free one was asked for."""

    @property
    def running(self) -> bool:
        """Whether requests are being answered. False after start() and before stop() is a fault: end the process."""
        return self._http.running

    def start(self) -> None:
        """Answer requests from now on; returns at once."""
        self._http.start()

    def stop(self, grace_s: float = 5.0) -> None:
        """Take no new requests, finish those under way for at most `grace_s`, close everything."""
        self._http.stop(grace_s)
