"""The alarm of an outbox that fills: for results that wait, and not for those that are only kept."""

import threading

import pytest
from running import Mosquitto, Subscriber, until

from appliance.diagnosis import Findings, diagnose
from appliance.outbox.store import Outbox
from appliance.status import OutboxStatus

MAX_BYTES = 4 * 1024**2
FULL = 0.8 * MAX_BYTES


class Filling:
    """A real outbox, filled to just below, or just above, a number of bytes."""

    def __init__(self, folder):
        self._on_disk = threading.Condition()
        self.row = 0
        self.outbox = Outbox(folder, max_bytes=MAX_BYTES, on_recorded=self._recorded)
        self.outbox.start()
        self.rows = 0

    def _recorded(self, messages):
        with self._on_disk:
            self.row = messages[-1].row
            self._on_disk.notify_all()

    def add(self, size):
        self.outbox.append("top", "result", {"filled": "x" * size})
        self.rows += 1
        with self._on_disk:
            assert self._on_disk.wait_for(lambda: self.row >= self.rows, 20)
        until(lambda: self.outbox.depth().rows + self.outbox.depth().kept_rows == self.rows, "the depth", 5)

    def fill(self, size_bytes):
        while self.outbox.depth().bytes < size_bytes - 120_000:
            self.add(40_000)
        while self.outbox.depth().bytes < size_bytes - 8_000:
            self.add(1_000)

    def codes(self):
        depth = self.outbox.depth()
        status = OutboxStatus(
            *(self.outbox.accepting(), self.outbox.problem(), depth.rows, depth.bytes, 0, 0, 0),
            kept=depth.kept_rows,
            kept_bytes=depth.kept_bytes,
            max_bytes=MAX_BYTES,
        )
        nothing = dict.fromkeys(("gateway", "surface", "config"))
        found = Findings("running", {}, frozenset(), frozenset(), {}, (), frozenset(), {}, status, **nothing)
        return [reason.code for reason in diagnose(found)]


def test_results_that_wait_raise_the_alarm_at_four_fifths_and_those_kept_after_them_do_not(tmp_path):
    filling = Filling(tmp_path)
    try:
        filling.fill(FULL)
        assert filling.codes() == []
        while filling.outbox.depth().bytes <= FULL:
            filling.add(1_000)
        assert filling.codes() == ["OUTBOX_FILLING"]
        filling.outbox.acknowledge_up_to(filling.row)
        until(lambda: filling.outbox.depth().kept_rows == filling.rows, "them to be kept", 20)
        assert filling.outbox.depth().kept_bytes > 0.5 * MAX_BYTES
        assert filling.codes() == []
    finally:
        assert filling.outbox.close(10) == 0


@pytest.mark.timeout(120)
def test_a_subscriber_of_health_hears_the_alarm_before_the_box_stops(appliance, tmp_path):
    """The broker takes everything but results; the box's own page says the same where the broker is away."""
    rules = tmp_path / "rules"
    rules.write_text("topic read #\n" + "".join(f"topic write test/site/area/line/box/{one}\n" for one in ALLOWED))
    # Mosquitto 2.0.11 with 0 here ends the connection at each refusal.
    broker = Mosquitto(tmp_path / "stubborn", extra=f"max_queued_messages 10000\nacl_file {rules}\n").start()
    heard = None
    try:
        filling = Filling(tmp_path / "state" / "outbox")
        filling.fill(FULL - 20_000)
        assert filling.outbox.close(10) == 0
        heard = Subscriber(broker.port)
        line = appliance(broker_port=broker.port, outbox=f"max_bytes = {MAX_BYTES}", line="takt_ms = 40").start()
        until(lambda: "BROKER_REFUSES" in heard.codes(), "word of the refusal", 60)
        until(lambda: "OUTBOX_FILLING" in heard.codes(), "the alarm", 60)
        assert heard.health()["device_health"] == "MAINTENANCE_REQUIRED", "it still takes parts"
        assert not heard.results
        status, health = line.get("/healthz")
        assert status == 200
        assert 0.8 * MAX_BYTES < health["outbox"]["pending_bytes"] < MAX_BYTES
        assert (health["outbox"]["state"], health["outbox"]["kept"]) == ("RECORDING", 0)
        broker.stop()
        until(lambda: not line.get("/healthz")[1]["mqtt"]["connected"], "the broker's end to be noticed", 20)
        assert "OUTBOX_FILLING" in {reason["code"] for reason in line.get("/healthz")[1]["reasons"]}
    finally:
        if heard is not None:
            heard.close()
        broker.stop()


ALLOWED = ("health", "availability", "summary", "model", "top/status", "top/recipe")
