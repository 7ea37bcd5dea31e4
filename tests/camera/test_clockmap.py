"""Device time -> CLOCK_MONOTONIC; see camera.clockmap."""

from hypothesis import given
from hypothesis import strategies as st

from camera.clockmap import ClockMap

SECOND = 1_000_000_000
DELAYS = st.lists(st.integers(0, 2 * SECOND), min_size=1, max_size=60)
ANY_ZERO = st.integers(-(2**62), 2**62)


def dated(delays, zero=0, period=SECOND // 25, ppm=0, **settings):
    """(true moment, what the map says, received) of pictures that came so late; the device's clock is `ppm` fast."""
    clock = ClockMap(**settings)
    said = []
    for number, delay in enumerate(delays):
        exposed = 10 * SECOND + number * period
        device = zero + exposed + exposed * ppm // 1_000_000
        received = exposed + delay
        said.append((exposed, clock.exposed_ns(device, received), received))
    return said


@given(delays=DELAYS, zero=ANY_ZERO)
def test_no_picture_is_dated_after_it_was_received(delays, zero):
    assert all(said <= received for _, said, received in dated(delays, zero, latency_ns=0))


@given(delays=DELAYS, zero=ANY_ZERO)
def test_a_picture_never_looks_newer_than_by_the_quickest_ones_way(delays, zero):
    quickest = min(delays)
    for number, (exposed, said, _) in enumerate(dated(delays, zero, drift_ppm=0)):
        assert said - exposed == min(delays[: number + 1])
        assert said - exposed >= quickest


@given(delays=DELAYS, zero=ANY_ZERO)
def test_where_the_device_begins_to_count_does_not_matter(delays, zero):
    assert dated(delays, zero) == dated(delays, 0)


@given(late=st.integers(0, 3600 * SECOND))
def test_a_late_picture_shows_its_age_but_for_the_drift_allowed(late):
    clock = ClockMap(drift_ppm=200)
    assert clock.exposed_ns(5, 1000 * SECOND) == 1000 * SECOND
    said = clock.exposed_ns(5 + SECOND, 1001 * SECOND + late)
    assert 0 <= said - 1001 * SECOND <= (SECOND + late) * 200 // 1_000_000


@given(ppm=st.integers(-150, 150), hours=st.integers(1, 12))
def test_clocks_that_drift_apart_do_not_make_pictures_look_old(ppm, hours):
    for exposed, said, _ in dated([SECOND // 100] * hours * 60, period=60 * SECOND, ppm=ppm):
        assert abs(said - exposed - SECOND // 100) <= 60 * SECOND * 200 // 1_000_000


def test_a_device_whose_clock_is_set_back_looks_old_and_never_new():
    clock = ClockMap()
    clock.exposed_ns(100 * SECOND, 1000 * SECOND)
    assert clock.exposed_ns(95 * SECOND, 1001 * SECOND) < 996 * SECOND


def test_after_reset_nothing_is_left_of_the_clock_before():
    clock = ClockMap(latency_ns=7)
    assert not clock.is_set
    clock.exposed_ns(100 * SECOND, 1000 * SECOND)
    assert clock.is_set
    clock.reset()
    assert clock.exposed_ns(3, 2000 * SECOND) == 2000 * SECOND - 7
