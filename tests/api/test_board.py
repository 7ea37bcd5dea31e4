from dataclasses import replace

import pytest

from appliance.api.board import LINE_SILENT_AFTER_S, Board, MqttStatus
from appliance.health import DeviceHealth, Reason

SECOND = 1_000_000_000
LOST = Reason(DeviceHealth.FAILURE, "CAMERA_LOST", "camera/top", "The camera is gone; check its cable.")
NO_BROKER = Reason(DeviceHealth.MAINTENANCE_REQUIRED, "MQTT_NOT_CONNECTED", "mqtt", "The broker does not answer.")
TOO_FAST = Reason(DeviceHealth.OFF_SPEC, "PARTS_TOO_FAST", "camera/top", "Parts come too fast.")


class Clock:
    """Both clocks of a box; the wall clock can be set, as NTP does."""

    def __init__(self):
        self.now_ns = 1_000 * SECOND
        self.wall_ns = 1_700_000_000 * SECOND - self.now_ns

    def wait(self, duration_s):
        self.now_ns += round(duration_s * SECOND)

    def set_wall(self, step_s):
        self.wall_ns += round(step_s * SECOND)

    def utc(self):
        return self.wall_ns + self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def board(clock):
    return Board(clock_ns=lambda: clock.now_ns, utc_ns=clock.utc)


@pytest.fixture
def fresh(line, clock):
    """The line's report as made now."""
    return lambda **changed: replace(line, at_ns=clock.now_ns, **changed)


def codes(overview):
    return [reason.code for reason in overview.reasons]


def test_a_line_that_reports_and_has_no_reason_is_normal_live_and_ready(board, clock, fresh):
    board.line_reported(fresh())
    now = board.overview(clock.now_ns)
    assert (now.device_health, now.live, now.ready, now.reasons) == (DeviceHealth.NORMAL, True, True, ())
    assert now.line_age_s == 0


def test_before_its_first_report_the_box_is_starting_and_takes_no_parts(board, clock):
    now = board.overview(clock.now_ns)
    assert now.device_health is DeviceHealth.CHECK_FUNCTION
    assert codes(now) == ["LINE_STARTING"]
    assert not now.live
    assert not now.ready


def test_a_line_that_never_reports_is_a_failure(board, clock):
    clock.wait(LINE_SILENT_AFTER_S + 0.1)
    now = board.overview(clock.now_ns)
    assert now.device_health is DeviceHealth.FAILURE
    assert codes(now) == ["LINE_NOT_REPORTING"]


def test_a_line_that_falls_silent_is_a_failure_whatever_it_said_last(board, clock, fresh):
    board.line_reported(fresh())
    clock.wait(LINE_SILENT_AFTER_S)
    assert board.overview(clock.now_ns).live
    clock.wait(0.001)
    now = board.overview(clock.now_ns)
    assert now.device_health is DeviceHealth.FAILURE
    assert codes(now) == ["LINE_NOT_REPORTING"]
    assert not now.live
    assert not now.ready
    assert now.line is not None
    assert now.line_age_s == pytest.approx(3.001)


def test_a_report_that_took_long_to_arrive_does_not_make_the_line_live(board, clock, fresh):
    late = fresh()
    clock.wait(10)
    board.line_reported(late)
    assert not board.overview(clock.now_ns).live


def test_an_older_report_does_not_replace_a_newer_one(board, clock, fresh):
    older = fresh(takes_parts=False)
    clock.wait(0.5)
    board.line_reported(fresh())
    board.line_reported(older)
    assert board.overview(clock.now_ns).ready


def test_a_line_that_went_is_a_failure_at_once_until_it_reports_again(board, clock, fresh):
    board.line_reported(fresh())
    board.line_gone("The line's process ended with signal 9; systemd starts it again.")
    gone = board.overview(clock.now_ns)
    assert (gone.device_health, gone.live, codes(gone)) == (DeviceHealth.FAILURE, False, ["LINE_GONE"])
    assert gone.reasons[0].message.startswith("The line's process ended with signal 9")
    clock.wait(1)
    board.line_reported(fresh())
    assert board.overview(clock.now_ns).device_health is DeviceHealth.NORMAL


def test_reasons_of_line_and_gateway_are_shown_together_the_worst_first(board, clock, fresh):
    board.set_reasons("mqtt", [NO_BROKER])
    board.line_reported(fresh(reasons=[TOO_FAST, LOST]))
    now = board.overview(clock.now_ns)
    assert codes(now) == ["CAMERA_LOST", "PARTS_TOO_FAST", "MQTT_NOT_CONNECTED"]
    assert now.device_health is DeviceHealth.FAILURE


def test_setting_a_components_reasons_replaces_them_and_leaves_the_others(board, clock, fresh):
    board.line_reported(fresh())
    board.set_reasons("mqtt", [NO_BROKER])
    board.set_reasons("http", [TOO_FAST])
    board.set_reasons("mqtt", [])
    assert codes(board.overview(clock.now_ns)) == ["PARTS_TOO_FAST"]


def test_a_line_that_takes_no_parts_is_live_and_not_ready(board, clock, fresh):
    board.line_reported(fresh(takes_parts=False))
    now = board.overview(clock.now_ns)
    assert now.live
    assert not now.ready


def test_since_is_when_the_state_began_and_stays_while_reasons_change(board, clock, fresh):
    board.line_reported(fresh())
    clock.wait(2)
    board.line_reported(fresh(reasons=[LOST]))
    clock.wait(2)
    board.line_reported(fresh(reasons=[LOST, TOO_FAST]))
    assert board.overview(clock.now_ns).since_utc == "2023-11-14T22:13:22.000Z"
    clock.wait(2)
    board.line_reported(fresh())
    assert board.overview(clock.now_ns).since_utc == "2023-11-14T22:13:26.000Z"


def test_a_silence_counts_from_when_it_began_and_not_from_when_somebody_looked(board, clock, fresh):
    board.line_reported(fresh())
    clock.wait(3600)
    assert board.overview(clock.now_ns).since_utc == "2023-11-14T22:13:23.000Z"
    board.set_reasons("mqtt", [NO_BROKER])  # a change during the silence does not move it
    clock.wait(60)
    assert board.overview(clock.now_ns).since_utc == "2023-11-14T22:13:23.000Z"


def test_since_is_right_after_the_wall_clock_was_set(board, clock, fresh):
    clock.wait(10)
    board.line_reported(fresh())
    clock.set_wall(86_400)
    assert board.overview(clock.now_ns).since_utc == "2023-11-15T22:13:30.000Z"


def test_since_does_not_flicker_with_the_reading_of_the_clocks(board, clock, fresh):
    board.line_reported(fresh())
    first = board.overview(clock.now_ns).since_utc
    clock.set_wall(0.4)
    assert board.overview(clock.now_ns).since_utc == first


def test_asking_changes_nothing(board, clock, fresh):
    board.line_reported(fresh())
    later = clock.now_ns + 60 * SECOND
    assert board.overview(later).device_health is DeviceHealth.FAILURE
    assert board.overview(clock.now_ns).device_health is DeviceHealth.NORMAL


def test_what_mqtt_reports_is_shown_and_is_no_finding_by_itself(board, clock, fresh):
    board.line_reported(fresh())
    board.mqtt_reported(MqttStatus(connected=False, broker="broker:1883", problem="refused"))
    now = board.overview(clock.now_ns)
    assert now.mqtt == MqttStatus(connected=False, broker="broker:1883", problem="refused")
    assert now.device_health is DeviceHealth.NORMAL


def test_health_json_is_the_mqtt_health_message(board, clock, fresh):
    board.line_reported(fresh(reasons=[LOST]))
    assert board.overview(clock.now_ns).health_json() == {
        "device_health": "FAILURE",
        "since": "2023-11-14T22:13:20.000Z",
        "reasons": [LOST.as_json()],
    }
