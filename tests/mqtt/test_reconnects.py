"""Many boxes that lost one broker at the same moment do not come back at the same moment."""

from appliance.backoff import Backoff
from appliance.mqtt import link


def test_many_boxes_do_not_come_at_once():
    waits = [Backoff(link._RETRY_FIRST_S, link._RETRY_LAST_S, jitter=link._JITTER) for _ in range(500)]
    for expected in (1, 2, 4, 8, 15, 15):
        moments = sorted(one.next_s() for one in waits)
        assert expected * (1 - link._JITTER) <= moments[0] < expected * 0.8
        assert expected * 1.2 < moments[-1] <= expected * (1 + link._JITTER)
        busiest = max(sum(start <= one < start + expected / 10 for one in moments) for start in moments)
        assert busiest < 150, "a tenth of the wait sees less than a third of the boxes"
