"""Rates, on a clock of the test's."""

import io
import time

import pytest
from remote_servers import Blobs, Scripted, config

from appliance.registry.errors import Rejected
from appliance.registry.remote.http import HttpClient
from appliance.registry.remote.pace import RateLimiter, SlowWatch
from appliance.registry.remote.ranges import Fetcher


class Clock:
    def __init__(self):
        self.s = 100.0

    def now(self):
        return self.s

    def pause(self, wait_s):
        self.s += wait_s


def test_limiter_holds_the_rate_whatever_the_blocks():
    for block in (100, 10_000, 250_000):
        clock = Clock()
        limiter = RateLimiter(1_000_000, burst_bytes=50_000, now=clock.now, pause=clock.pause)
        for _ in range(5_000_000 // block):
            limiter.take(block)
        assert clock.s - 100 == pytest.approx(5, abs=0.06)


def test_two_downloads_share_one_rate_and_idle_time_is_no_credit():
    clock = Clock()
    limiter = RateLimiter(1000, burst_bytes=100, now=clock.now, pause=clock.pause)
    clock.s += 3600
    start = clock.s
    for _ in range(10):
        limiter.take(100)
        limiter.take(100)
    assert clock.s - start == pytest.approx(1.9)


def test_download_waits_for_the_limiter():
    clock = Clock()
    limiter = RateLimiter(100_000, burst_bytes=10_000, now=clock.now, pause=clock.pause)
    with Scripted(Blobs({"/blob": b"x" * 1_000_000})) as server:
        http = HttpClient(config(), user_agent="test", limiter=limiter)
        began = time.monotonic()
        settings = config(min_rate_kb_s=1000)  # what the limiter makes of the rate is not the server's fault
        Fetcher(http, settings, now=clock.now).fetch(f"{server.url}/blob", 1_000_000, io.BytesIO(), lambda _count: None)
        http.close()
        assert clock.s - 100 == pytest.approx(9.9)
        assert time.monotonic() - began < 5


def test_slow_watch():
    clock = Clock()
    watch = SlowWatch(1000, 60, clock.now)
    for _ in range(59):
        clock.s += 1
        watch.came(10)
    watch.restart()  # the link was dead: no attack
    for _ in range(300):
        clock.s += 1
        watch.came(1000)
    for _ in range(30):
        clock.s += 4
        watch.came(1000, 3.0)  # of which three are ours
    watch.restart()
    for _ in range(59):
        clock.s += 1
        watch.came(500)
    clock.s += 1
    with pytest.raises(Rejected, match=r"0\.50 kB/s for 60 s"):
        watch.came(500)
