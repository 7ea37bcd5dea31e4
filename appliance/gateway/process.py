"""The process that talks to networks: MQTT, REST, metrics. The line goes on without it.

Started by the line's process, with one end of a socket pair; ends when the line tells it to, or is gone.
"""

import argparse
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from appliance import __version__, log
from appliance.api.access import Access
from appliance.api.board import Board, Deliveries, MqttStatus
from appliance.api.deployments import Deployments
from appliance.api.errors import ApiError
from appliance.api.health import create_app
from appliance.api.line import LineViews
from appliance.api.replays import ReplayViews
from appliance.api.server import HttpServer
from appliance.api.steered import Turns
from appliance.box import box_of
from appliance.config import ApplianceConfig, load_config
from appliance.figures import Interval
from appliance.gateway import discovery
from appliance.gateway.live_view import LiveView
from appliance.gateway.subscribers import Subscribers, topics_of
from appliance.health import DeviceHealth, Reason
from appliance.link import Link, Message
from appliance.messages import said, summary
from appliance.messages.documents import documents
from appliance.mqtt.connection import Received
from appliance.outbox import Publisher
from appliance.outbox.sender.replaying import Replays
from appliance.status import LineStatus
from appliance.steering.client import ControlClient
from appliance.steering.counting import Counts
from appliance.steering.desk import Desk
from appliance.steering.document import Document
from appliance.steering.inbox import Mail
from appliance.steering.newest import Newest
from appliance.steering.reasons import reasons_of
from appliance.steering.sides import LINE
from appliance.steering.teller import Teller

logger = logging.getLogger(__name__)

_TICK_S: Final = 0.5
_HTTP_RETRY_S: Final = 10.0
_GATEWAY_NICE: Final = 5


class Gateway:
    """Joins the publisher, the board, the HTTP server, and the ways to the delivery process and back to the line.

    run() is the process' main thread.
    """

    def __init__(self, config: ApplianceConfig, link: Link) -> None:
        self._config = config
        self._link = link
        self._board = Board()
        replays, box = Replays(config.mqtt.window), box_of(config)
        self._publisher = Publisher(
            config.outbox_folder,
            config.mqtt,
            config.station.name,
            on_acknowledged=self._acknowledged,
            topics=(*(config.mqtt.topics if config.delivered else config.mqtt.command_topics), *topics_of(config)),
            on_received=self._received,
            whole_topics=discovery.topics_of(box),
            replays=replays,
        )
        self._discovery = discovery.Discovery(
            box, config.outbox_folder, self._publisher.publish_retained_at, self._publisher.publish_once_at
        )
        self._subscribers = Subscribers(config, self._publisher, replays, self._board)
        self._live_view = LiveView(config, self._board)
        self._access = Access(config.http.tokens_file, config.http.names)
        self._control = ControlClient(config.control_socket)
        self._deployments = Newest()
        self._desk = Desk(
            self._control.ask,
            self._publisher.answer,
            models=tuple(config.delivered),
            commands=config.mqtt.commands,
            base_topic=config.mqtt.base_topic,
        )
        self._line = ControlClient(config.line_socket, LINE)
        self._line_desk = Desk(
            self._line.ask,
            self._publisher.answer,
            models=(),
            commands=config.mqtt.commands,
            base_topic=config.mqtt.base_topic,
        )
        self._http: HttpServer | None = None
        self._http_tried = float("-inf")
        self._connected_since: datetime | None = None
        self._connects_total = 0
        self._started_utc = _rfc3339(datetime.now(timezone.utc))

    def run(self) -> int:
        """Serve until the line says to drain, or is gone. Returns the process' exit code."""
        self._discovery.announce()
        self._publisher.start()
        self._live_view.start()
        self._line_desk.start()
        self._subscribers.start()
        watching = self._start_deliveries() if self._config.delivered else None
        try:
            return self._listen()
        finally:
            self._deployments.close()
            if self._http is not None:
                self._http.stop(2.0)
            self._control.close()
            self._line_desk.stop()
            self._subscribers.stop()
            if watching is not None:
                self._desk.stop()
                watching.join(2.0)

    def _start_deliveries(self) -> threading.Thread:
        teller = Teller(
            self._deployments, self._publisher.publish_retained, self._publisher.publish_once, self._deliveries
        )
        watching = threading.Thread(
            target=self._control.watch, args=(teller.take, teller.lost), name="deliveries", daemon=True
        )
        watching.start()
        self._desk.start()
        return watching

    def _deliveries(self, document: Document | None, counts: Counts | None) -> None:
        """On the thread that watches the delivery process."""
        if document is None or counts is None:
            self._board.deliveries_reported(None)
            return
        self._board.deliveries_reported(Deliveries(document, counts))
        self._board.set_reasons("deliveries", reasons_of(document))

    def _received(self, message: Received) -> None:
        """On the publisher's thread: an operator's message, or Home Assistant's."""
        if self._discovery.heard(message.topic, message.payload):
            return
        mail = Mail(
            message.topic.removeprefix(f"{self._config.mqtt.base_topic}/"),
            message.payload,
            message.retained,
            message.response_topic,
            message.correlation,
            message.attributes,
        )
        if self._subscribers.take(mail):
            return
        is_delivery = bool(self._config.delivered) and not mail.is_for_the_line
        (self._desk if is_delivery else self._line_desk).take(mail)

    def _listen(self) -> int:
        while True:
            self._tick()
            try:
                message = self._link.receive(_TICK_S)
            except TimeoutError:
                continue
            if message is None:
                self._board.line_gone("The line's process is gone; systemd starts it again.")
                self._publish_health()
                self._publisher.stop(2.0)
                self._live_view.stop(1.0)
                return 1
            if message.kind == "drain":
                return self._drain(int(message.body["row"]), float(message.body["timeout_s"]))
            self._take(message)

    def _take(self, message: Message) -> None:
        if message.kind == "recorded":
            self._publisher.notify(int(message.body["row"]))
            self._live_view.notify(int(message.body["row"]))
        elif message.kind == "status":
            status = LineStatus.from_json(json.dumps(message.body).encode())
            self._board.line_reported(status)
            self._publish_status(status)
            self._live_view.reported(status)
        elif message.kind == "interval":
            self._publish_summary(Interval.from_json(message.body))

    def _tick(self) -> None:
        """Often, and cheap: the broker's state, and a server that could not start."""
        self._ask_publisher()
        self._live_view.look()
        if self._http is not None and not self._http.running:
            logger.error("The HTTP server has ended by itself; it is started again.")
            self._http.stop()
            self._http = None
        if self._http is None and time.monotonic() - self._http_tried > _HTTP_RETRY_S:
            self._http_tried = time.monotonic()
            self._start_http()

    def _drain(self, row: int, timeout_s: float) -> int:
        """Deliver everything up to `row`, tell the line, leave the broker in good order."""
        limit = time.monotonic() + timeout_s
        self._publisher.notify(row)
        self._live_view.notify(row)
        delivered = self._publisher.wait_acknowledged(row, max(0.0, limit - time.monotonic()))
        self._publisher.stop(2.0)
        self._live_view.stop(1.0)
        return 0 if delivered else 1

    def _acknowledged(self, row: int) -> None:
        """On the publisher's thread: the broker has everything up to `row`. A hint; the watermark is on disk."""
        self._link.send_raw(b'acknowledged\n{"row":%d}' % row)

    def _start_http(self) -> None:
        http = self._config.http
        turns = Turns(http.threads)
        deployments = Deployments(
            self._deployments, self._control.ask, self._access, turns, delivered=bool(self._config.delivered)
        )
        app = create_app(
            self._board,
            version=__version__,
            documents=documents(box_of(self._config)),
            deployments=deployments,
            line=LineViews(self._board, self._line.ask, self._access, turns),
            replays=ReplayViews(self._subscribers.ask, self._access, turns),
        )
        try:
            server = HttpServer(app, http.host, http.port, threads=http.threads)
            server.start()
        except ApiError as error:
            logger.error("%s", error)  # noqa: TRY400 - the sentence says it all
            self._board.set_reasons(
                "http", [Reason(DeviceHealth.MAINTENANCE_REQUIRED, "HTTP_DOWN", "http", str(error))]
            )
            return
        self._http = server
        self._board.set_reasons("http", [])
        logger.info("Health is at http://%s:%d/healthz", http.host, server.port)

    def _ask_publisher(self) -> None:
        state = self._publisher.state()
        mqtt = self._config.mqtt
        if state.connected and state.since != self._connected_since:
            self._connected_since = state.since
            self._connects_total += 1
        self._board.mqtt_reported(
            MqttStatus(
                connected=state.connected,
                broker=f"{mqtt.host}:{mqtt.port}",
                problem=state.problem,
                acknowledged_total=state.published_total,
                connects_total=self._connects_total,
                connected_since=_rfc3339(state.since) if state.connected else None,
                refused_total=state.refused_total,
                unheard_total=state.unheard_total,
                taken_per_s=round(state.taken_per_s, 1),
                notices=(*((state.remark,) if state.remark else ()), *state.notices),
            )
        )
        reasons = []
        if state.problem is not None:
            code = "BROKER_REFUSES" if state.connected else "BROKER_AWAY"
            reasons.append(Reason(DeviceHealth.MAINTENANCE_REQUIRED, code, "mqtt", state.problem))
        reasons += [
            Reason(DeviceHealth.MAINTENANCE_REQUIRED, "BROKER_NOTICE", "mqtt", notice) for notice in state.notices
        ]
        self._board.set_reasons("mqtt", reasons)
        self._publish_health()

    def _publish_health(self) -> None:
        overview = self._board.overview(time.monotonic_ns())
        self._retain("health", said.health(overview.health_json()))

    def _publish_status(self, status: LineStatus) -> None:
        for topic, value in said.of_line(status):
            self._retain(topic, value)

    def _publish_summary(self, interval: Interval) -> None:
        line, state = self._board.overview(time.monotonic_ns()).line, self._publisher.state()
        if line is None:
            return
        broker = summary.BrokerFigures(
            connected=state.connected,
            connected_since=_rfc3339(state.since) if state.connected else None,
            since=self._started_utc,
            published_total=state.published_total,
            refused_total=state.refused_total,
        )
        self._retain(summary.TOPIC, summary.summary(interval, line, broker))

    def _retain(self, topic: str, value: dict[str, Any]) -> None:
        """The publisher sends it when it differs from what it sent last."""
        self._publisher.publish_retained(topic, said.encoded(value))


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def main(arguments: Sequence[str] | None = None) -> int:
    """The process' entry; started by the line, not by people."""
    parser = argparse.ArgumentParser(description="The appliance's gateway; the line starts it.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--link", type=int, required=True, help="descriptor of our end of the socket pair")
    options = parser.parse_args(arguments)
    # Ctrl-C reaches the whole terminal: the line hears it, and tells us when everything is on disk.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpriority(os.PRIO_PROCESS, 0, _GATEWAY_NICE)  # telling others can wait for the verdict
    config = load_config(options.config)
    log.setup(logging.getLevelName(config.station.log_level.upper()))
    return Gateway(config, Link.inherited(options.link)).run()
