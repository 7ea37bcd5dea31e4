"""What the box's page says of results on their way: on the disk, at the broker, with their readers."""

import re
from dataclasses import replace

from appliance.api.board import MqttStatus
from appliance.outbox.consumers import Confirmed, ConsumerLag


def text_of(box):
    text = re.sub(r"<style>.*?</style>|<[^>]*>", " ", box.ask("/").body.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", text.replace("\N{THIN SPACE}", ""))


def red(box):
    return re.findall(r'<(?:dd|td|p) class="(?:note )?bad">([^<]*)<', box.ask("/").body.decode())


def test_the_page_shows_what_waits_and_what_is_kept(box, line):
    box.reports(line)
    shown = text_of(box)
    assert "to deliver 12 oldest of them 0 s recorded 82397 lost 2" in shown
    assert "to deliver 14.2 kB kept 5.1 MB of 2.15 GB" in shown
    assert "4300 that the broker has acknowledged are kept, the oldest for 72 h." in shown


def test_an_outbox_that_fills_is_red_and_one_full_of_kept_results_is_not(box, line):
    kept = replace(line.outbox, lost_total=0, kept=1_700_000, kept_bytes=2_000_000_000)
    box.reports(replace(line, cameras={}, outbox=kept))
    assert red(box) == []
    box.reports(replace(line, cameras={}, outbox=replace(kept, unconfirmed_total=40)))
    assert red(box) == ["40 had to give way that a reader had not confirmed."]
    box.reports(replace(line, cameras={}, outbox=replace(kept, pending=1_500_000, pending_bytes=1_750_000_000)))
    assert red(box) == ["1\N{THIN SPACE}500\N{THIN SPACE}000"]


def test_the_page_shows_the_broker_and_what_it_refused(box, line):
    box.reports(line)
    connected = MqttStatus(
        *(True, "broker:8883", None, 82_385, 1, "2026-11-20T20:31:05.000Z"), taken_per_s=812.5, unheard_total=3
    )
    box.board.mqtt_reported(connected)
    assert "connected broker:8883 taken 82385 last minute 812/s refused 0 Connected since" in text_of(box)
    assert "Connected since 2026-11-20 20:31:05Z. Nobody subscribed to 3 of the results taken." in text_of(box)
    away = MqttStatus(
        *(False, "broker:8883", "The broker does not answer.", 82_385, 1), refused_total=7, notices=("Renew it",)
    )
    box.board.mqtt_reported(away)
    assert {"The broker does not answer.", "7"} <= set(red(box))
    assert "Renew it." in text_of(box)
    assert "Connected since" not in text_of(box)


def test_the_page_shows_how_far_behind_readers_are(box, line):
    box.reports(line)
    assert "Readers that confirm" not in text_of(box)
    box.board.consumers_reported(
        [
            ConsumerLag("historian", "top", 12, 0.4, is_late=False, confirmed=Confirmed("0193", 41_207)),
            ConsumerLag("mes", "top", 900, 7500, is_late=True, confirmed=None),
        ]
    )
    shown = text_of(box)
    assert "historian top 41207 12 0 s mes top never heard of 900 2 h" in shown
    assert "2 h" in red(box)
