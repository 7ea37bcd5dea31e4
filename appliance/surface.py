"""The process that speaks TensorFlow Serving's gRPC and REST for the line's models. The line goes on without it.

Started by the line's process with one end of several sockets (appliance.lending); holds no model. What strangers send
is parsed here: in an interpreter of its own, with memory of its own, on the processors that the line does not use.
"""

import argparse
import logging
import os
import resource
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, Protocol

from appliance import log, scheduling
from appliance.api.rest import RestServer, RestSettings
from appliance.api.rpc import GrpcServer, GrpcSettings, Tls
from appliance.api.serving_config import ServingConfig
from appliance.config import load_config
from appliance.dataplane import Code, DataPlane, Metrics, RequestError
from appliance.errors import ApplianceError
from appliance.lending import Limits, RemoteBackend
from appliance.link import Link
from appliance.protos import parse_text

logger = logging.getLogger(__name__)

_TICK_S: Final = 0.5
_RETRY_S: Final = 10.0
"""A port that is taken is tried again after so long."""
_NICE: Final = 10
_OOM_SCORE: Final = "500"
_GONE_GRACE_S: Final = 0.5
_THREADS: Final = 8
"""Requests of each API that are parsed, answered, or wait for one of the line's workers."""
_BESIDE_TENSORS_BYTES: Final = 1 << 20
"""Of a request in gRPC: names, shapes, and how it is packed."""


class Server(Protocol):
    """What answers on a port."""

    port: int

    def start(self) -> None: ...

    def stop(self, grace_s: float) -> None: ...


class Surface:
    """The two servers on the line's models. run() is the process' main thread."""

    def __init__(self, config: ServingConfig, link: Link, backend: RemoteBackend) -> None:
        self._link = link
        self._backend = backend
        plane = DataPlane(backend, Metrics())
        self._makers: dict[str, Callable[[], Server]] = {
            "gRPC": partial(_grpc, plane, config),
            "REST": partial(_rest, plane, config),
        }
        self._servers: dict[str, Server] = {}
        self._problems: dict[str, str] = {}
        self._tried = float("-inf")

    def run(self) -> int:
        """Answer until the line says stop, or is gone. Returns the process' exit code."""
        hearing = threading.Thread(target=self._backend.hear, name="news", daemon=True)
        hearing.start()
        while not self._backend.gone:
            if self._backend.is_known:
                self._start_missing()
            if any(isinstance(server, RestServer) and not server.running for server in self._servers.values()):
                logger.error("The REST server has ended by itself; the process is started again.")
                return 1
            try:
                message = self._link.receive(_TICK_S)
            except TimeoutError:
                continue
            if message is None:
                break
            if message.kind == "stop":
                self._stop(float(message.body["grace_s"]))
                return 0
        logger.error("The line's process is gone, or ends this one; requests for predictions end here.")
        self._stop(_GONE_GRACE_S)
        return 1

    def _start_missing(self) -> None:
        """Take the ports that are not ours yet; what is in the way is told to the line, and tried again."""
        missing = self._makers.keys() - self._servers.keys()
        if not missing or time.monotonic() - self._tried < _RETRY_S:
            return
        self._tried = time.monotonic()
        for name in sorted(missing):
            self._problems.pop(name, None)
            try:
                server = self._makers[name]()
                server.start()
            except (ApplianceError, OSError) as error:
                self._problems[name] = f"{name} is not answered: {error}"
            else:
                self._servers[name] = server
                logger.info("Predictions are answered over %s on port %d.", name, server.port)
        self._link.send("surface", {"problem": " ".join(self._problems.values()) or None})

    def _stop(self, grace_s: float) -> None:
        """Both at once: each finishes what is under way, within `grace_s`."""
        stopping = [threading.Thread(target=server.stop, args=(grace_s,)) for server in self._servers.values()]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join(grace_s + 1.0)
        self._backend.close()


def _grpc(plane: DataPlane, config: ServingConfig) -> Server:
    settings = GrpcSettings(
        host=config.host,
        port=config.grpc_port,
        socket_path=str(config.grpc_socket or ""),
        ssl=None if config.ssl_config_file is None else _tls(config.ssl_config_file),
        threads=_THREADS,
        max_queued=config.max_queued,
        max_receive_bytes=(config.max_request_mb << 20) + _BESIDE_TENSORS_BYTES,
        health_service=True,
    )
    return GrpcServer(plane, settings, _refuse_reload)


def _rest(plane: DataPlane, config: ServingConfig) -> Server:
    settings = RestSettings(
        host=config.host,
        port=config.rest_port,
        threads=_THREADS,
        queued_max=config.max_queued,
        cors=config.cors,
        prometheus_path=config.prometheus_path,
        open_inference=config.open_inference,
    )
    return RestServer(plane, settings)


def _tls(file: Path) -> Tls:
    """Raises: TextFormatError, OSError."""
    said = parse_text("tensorflow.serving.SSLConfig", file.read_text(encoding="utf-8"))
    return Tls(said.server_key, said.server_cert, said.custom_ca, said.client_verify)


def _refuse_reload(_config: Any) -> None:
    """Raises: RequestError, always: a stranger on the network does not change what judges parts."""
    raise RequestError(
        Code.FAILED_PRECONDITION,
        "The models of an inspection line are set in its operator's file; edit it and `systemctl reload appliance`.",
    )


def _stand_back(memory_max_bytes: int) -> None:
    """Give way to the line, and end before it where memory runs out. What the system refuses is left."""
    for task in Path("/proc/self/task").iterdir():  # libraries have started threads already
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, int(task.name), _NICE)
    scheduling.keep_off_the_line()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE, encoding="ascii")
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (memory_max_bytes, memory_max_bytes))


def main(arguments: Sequence[str] | None = None) -> int:
    """The process' entry; started by the line, not by people."""
    parser = argparse.ArgumentParser(description="The line's serving process; the line starts it.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--link", type=int, required=True, help="descriptor of our end of the link")
    parser.add_argument("--news", type=int, required=True, help="descriptor on which the line tells of its models")
    parser.add_argument("--requests", required=True, help="descriptors over which the line's models are asked")
    options = parser.parse_args(arguments)
    # Ctrl-C reaches the whole terminal: the line hears it, and tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    config = load_config(options.config)
    log.setup(logging.getLevelName(config.station.log_level.upper()))
    serving = config.serving
    _stand_back(serving.memory_max_mb * 1_000_000)
    backend = RemoteBackend(
        socket.socket(fileno=options.news),
        [socket.socket(fileno=int(one)) for one in options.requests.split(",")],
        limits=Limits.of(serving),
        queued_max=serving.max_queued,
    )
    return Surface(serving, Link.inherited(options.link), backend).run()


if __name__ == "__main__":
    raise SystemExit(main())
