"""What those who read the results may ask of the box, joined: a range again, and to be waited for."""

import logging
from collections.abc import Sequence
from typing import Final

from appliance.api.board import Board
from appliance.config import ApplianceConfig
from appliance.gateway.acks import ACK
from appliance.gateway.consumers import ConsumerWatch
from appliance.gateway.replays import ReplayRequests
from appliance.health import Reason
from appliance.outbox import Publisher
from appliance.outbox.consumers import ConsumerLag
from appliance.outbox.sender.replaying import Replays
from appliance.steering.desk import Desk
from appliance.steering.errors import SocketFailed
from appliance.steering.inbox import Mail
from appliance.steering.requests import Answer, Request
from appliance.steering.server import ControlServer
from appliance.steering.sides import GATEWAY

_log = logging.getLogger(__name__)

_COMPONENT: Final = "consumers"


class Subscribers:
    """Threads: take() by the publisher's, ask() by any; start() and stop() by the gateway's own."""

    def __init__(self, config: ApplianceConfig, publisher: Publisher, replays: Replays, board: Board) -> None:
        """`replays`: those that `publisher` sends; it subscribes to `topics_of(config)`."""
        mqtt, folder = config.mqtt, config.outbox_folder
        self._board = board
        self._publisher = publisher
        self._consumers = ConsumerWatch(
            folder,
            mqtt.consumers,
            (*config.cameras, *config.parts),
            mqtt.consumer_late_s,
            published=lambda: publisher.acknowledged,
            connected=lambda: publisher.state().connected,
            report=self._report,
        )
        self._requests = ReplayRequests(folder, mqtt.base_topic, replays, publisher.nudge)
        self._desk = Desk(
            self._requests.ask, self._reply, models=(), commands=mqtt.commands, base_topic=mqtt.base_topic
        )
        self._socket = ControlServer(config.gateway_socket, self._requests.handle, GATEWAY)

    def start(self) -> None:
        """Answer from now on. A socket that cannot be opened is said; MQTT and REST take requests all the same."""
        self._consumers.start()
        self._requests.start()
        self._desk.start()
        try:
            self._socket.start()
        except SocketFailed as error:
            _log.error("%s", error)

    def stop(self) -> None:
        """What runs ends: replays are asked for again."""
        self._socket.stop()
        self._desk.stop()
        self._requests.stop()
        self._consumers.stop()

    def take(self, mail: Mail) -> bool:
        """A message came; whether it was for here."""
        if self._consumers.is_meant(mail):
            self._consumers.take(mail)
        elif mail.is_for_the_gateway:
            self._desk.take(mail)
        else:
            return False
        return True

    def ask(self, request: Request, timeout_s: float) -> Answer:
        """A request over REST; milliseconds."""
        return self._requests.ask(request, timeout_s)

    def _reply(self, topic: str, payload: bytes, correlation: bytes | None) -> None:
        """The answer that announces a replay goes before it."""
        self._publisher.answer(topic, payload, correlation)
        self._requests.answered()

    def _report(self, lags: Sequence[ConsumerLag], reasons: Sequence[Reason]) -> None:
        self._board.consumers_reported(lags)
        self._board.set_reasons(_COMPONENT, reasons)


def topics_of(config: ApplianceConfig) -> tuple[str, ...]:
    """What consumers write, below the base topic."""
    return tuple(f"{ACK}/{name}/+" for name in dict.fromkeys(config.mqtt.consumers))
