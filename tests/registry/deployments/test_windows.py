from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.errors import ConfigError
from appliance.registry.deployments.windows import DAYS, is_open, next_opening, open_now, read_windows

MONDAY = datetime(2026, 11, 16)  # noqa: DTZ001 - windows are in local time


def at(day: str, clock: str) -> datetime:
    hour, minute = clock.split(":")
    return MONDAY + timedelta(days=DAYS.index(day), hours=int(hour), minutes=int(minute))


@pytest.mark.parametrize(
    ("text", "day", "clock", "opened"),
    [
        ("22:00-05:00", "Tue", "22:00", True),
        ("22:00-05:00", "Tue", "04:59", True),
        ("22:00-05:00", "Tue", "05:00", False),
        ("22:00-05:00", "Tue", "21:59", False),
        ("21:59-05:59", "Tue", "05:58", True),
        ("Mon-Fri 22:00-05:00", "Sat", "03:00", True),  # Friday's
        ("Mon-Fri 22:00-05:00", "Sat", "22:00", False),
        ("Mon-Fri 22:00-05:00", "Mon", "03:00", False),  # Sunday's, which is none
        ("Sat 10:00-12:00", "Sat", "11:00", True),
        ("Sat 10:00-12:00", "Sun", "11:00", False),
        ("Fri-Mon 10:00-12:00", "Sun", "11:00", True),
        ("Fri-Mon 10:00-12:00", "Wed", "11:00", False),
        ("06:00-06:00", "Thu", "05:00", True),
        ("Sun 00:00-24:00", "Sun", "23:59", True),
        ("Sun 00:00-24:00", "Mon", "00:00", False),
        ("Sun 20:00-06:00", "Mon", "05:59", True),  # over the end of the week
    ],
)
def test_when_it_is_open(text, day, clock, opened):
    assert is_open(read_windows([text]), at(day, clock)) is opened


@pytest.mark.parametrize(
    ("texts", "now", "opens"),
    [
        (["22:00-05:00"], at("Tue", "12:00"), at("Tue", "22:00")),
        (["22:00-05:00"], at("Tue", "23:00"), at("Tue", "23:00")),
        (["Mon-Fri 22:00-05:00"], at("Sat", "12:00"), at("Mon", "22:00") + timedelta(days=7)),
        (["Tue 10:00-12:00"], at("Tue", "12:00"), at("Tue", "10:00") + timedelta(days=7)),
        (["Tue 10:00-12:00", "Thu 09:00-10:00"], at("Tue", "13:00"), at("Thu", "09:00")),
        ([], at("Tue", "13:00"), at("Tue", "13:00")),
    ],
)
def test_when_it_opens_next(texts, now, opens):
    assert next_opening(read_windows(texts), now) == opens


def test_of_two_that_are_open_the_one_that_closes_last_counts():
    found = open_now(read_windows(["10:00-12:00", "11:00-18:00"]), at("Tue", "11:30"))
    assert (found.start, found.end) == (at("Tue", "11:00"), at("Tue", "18:00"))
    assert open_now((), at("Tue", "11:30")) is None


@pytest.mark.parametrize(
    "text", ["", "22:00", "25:00-05:00", "22:61-05:00", "24:00-05:00", "22:00-24:30", "Mo 22:00-05:00"]
)
def test_what_no_clock_shows_is_refused_in_a_sentence(text):
    with pytest.raises(ConfigError, match="write"):
        read_windows([text])


@given(
    texts=st.lists(
        st.builds(
            lambda days, start, minutes: (
                f"{days} {start // 60:02}:{start % 60:02}-{minutes // 60:02}:{minutes % 60:02}"
            ),
            st.sampled_from(["Mon", "Sat-Sun", "Fri-Mon", "Wed-Thu"]),
            st.integers(min_value=0, max_value=1439),
            st.integers(min_value=0, max_value=1439),
        ),
        min_size=1,
        max_size=3,
    ),
    minutes=st.integers(min_value=0, max_value=2 * 7 * 1440),
)
def test_it_is_shut_until_it_opens_and_opens_within_a_week(texts, minutes):
    windows, now = read_windows(texts), MONDAY + timedelta(minutes=minutes)
    opens = next_opening(windows, now)
    assert is_open(windows, opens)
    assert opens - now <= timedelta(days=7)
    if opens > now:
        assert not is_open(windows, now)
        assert not is_open(windows, opens - timedelta(seconds=1))
