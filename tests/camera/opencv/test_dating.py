"""When a picture of a stream was exposed, and which are in doubt; see camera.drivers.opencv.dating."""

from hypothesis import given
from hypothesis import strategies as st

from camera.drivers.opencv.dating import Arrival, Dating

MS = 1_000_000
PERIOD = 40 * MS
STALE = 500 * MS


class Stream:
    """Pictures of a camera at 25 a second, as they come; the sender's clock begins anywhere."""

    def __init__(self, clock, zero_ns=12345):
        self.dating = Dating(clock=clock, latency_ns=0, stale_after_ns=STALE)
        self.clock, self.zero_ns = clock, zero_ns
        self.exposed_ns = self.received_ns = 10_000 * MS

    def come(self, late_ns=0, *, wait_ns=0):
        """The next picture, so late; `wait_ns`: exposed so much later than usual."""
        self.exposed_ns += PERIOD + wait_ns
        before, self.received_ns = self.received_ns, max(self.received_ns, self.exposed_ns + late_ns)
        took_ns = self.received_ns - before
        device_ns = self.exposed_ns + self.zero_ns if self.clock else None
        return self.dating.date(Arrival(self.received_ns, took_ns, took_ns, device_ns))

    def settle(self, backlog=0):
        """Buffered pictures, then live ones until they are believed; how many were doubted."""
        self.received_ns = self.exposed_ns + backlog * PERIOD
        for number in range(backlog + 10):
            self.come()
            if self.dating.is_settled:
                return number + 1
        raise AssertionError("live pictures are never believed")


@given(backlog=st.integers(0, 60), clock=st.sampled_from(["sender", ""]))
def test_what_was_buffered_while_connecting_is_doubted_and_live_pictures_are_soon_believed(backlog, clock):
    stream = Stream(clock)
    needed = stream.settle(backlog)
    assert backlog < needed <= backlog + 4
    assert stream.come().exposed_ns == stream.exposed_ns


@given(lates=st.lists(st.integers(0, 3000 * MS), min_size=1, max_size=50), backlog=st.integers(0, 60))
def test_by_the_senders_clock_no_picture_that_is_too_old_is_believed(lates, backlog):
    stream = Stream("sender")
    stream.settle(backlog)
    for late_ns in lates:
        dated = stream.come(late_ns)
        age_ns = stream.received_ns - stream.exposed_ns
        allowed_ns = stream.received_ns * 200 // 1_000_000  # the drift that a camera's clock may have
        assert bool(dated.doubt) or age_ns <= STALE + allowed_ns
        assert not dated.doubt or age_ns > STALE
        assert stream.exposed_ns <= dated.exposed_ns <= stream.exposed_ns + allowed_ns


@given(silence_ms=st.integers(501, 60_000), on_the_way=st.integers(0, 3))
def test_without_a_clock_what_comes_after_a_silence_is_doubted_until_pictures_come_live(silence_ms, on_the_way):
    stream = Stream("")
    stream.settle()
    assert not stream.come().doubt
    assert stream.come(silence_ms * MS).doubt, "it may have been on its way for all of it"
    for _ in range(on_the_way):
        assert stream.come().doubt, "and these waited behind it"
    stream.exposed_ns = stream.received_ns
    assert stream.come().doubt, "one live picture may be the end of the queue"
    assert not stream.come().doubt


def test_this_computers_clock_is_believed_as_it_is():
    stream = Stream("monotonic", zero_ns=0)
    assert stream.dating.is_settled
    assert not stream.come(300 * MS).doubt
    dated = stream.come(2000 * MS)
    assert "came 2.0 s later than usual" in dated.doubt
    assert dated.exposed_ns == stream.exposed_ns
