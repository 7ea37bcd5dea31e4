"""What to load and what serves, as a table: from the disk, the wish, and what is in memory."""

import pytest

from appliance.delivered.choice import Loaded, choose
from appliance.registry.store.held import Held

HELD = {n: Held(n, 100 + n, f"sha256:{n}", None, is_factory=n == 0, bytes=0) for n in range(8)}
THERE, FAILED = Loaded(is_available=True), Loaded(error="the disk is unreadable")


def chosen(chain, *, beside=(), there=(), failed=(), pointer=None, is_kept=True):
    loaded = {100 + n: THERE for n in there} | {100 + n: FAILED for n in failed}
    now = None if pointer is None else HELD[pointer]
    choice = choose([HELD[n] for n in chain], [HELD[n] for n in beside], loaded, now, is_kept=is_kept)
    serving = None if choice.pointer is None else choice.pointer.release
    return sorted(held.release for held in choice.load.values()), serving


@pytest.mark.parametrize(
    ("what", "load", "serves"),
    [
        ({"chain": [5, 4, 0]}, [5], None),
        ({"chain": [5, 4, 0], "there": [5]}, [5], 5),
        ({"chain": [5, 4, 0], "failed": [5]}, [4, 5], None),
        ({"chain": [5, 4, 0], "failed": [5, 4]}, [0, 4, 5], None),
        ({"chain": [5, 4, 0], "failed": [5], "there": [4], "pointer": 4}, [4, 5], 4),
        ({"chain": [5, 4, 0], "there": [5, 4], "pointer": 4}, [5], 5),
        # what serves goes on until the first of the chain is there, also where another of the chain is there already
        ({"chain": [6, 4, 0], "there": [5, 4], "beside": [4], "pointer": 5}, [4, 5, 6], 5),
        ({"chain": [6, 4, 0], "there": [5, 4], "beside": [4], "pointer": 5, "is_kept": False}, [4, 6], 5),
        ({"chain": [6, 4, 0], "there": [4], "beside": [4], "pointer": 5}, [4, 6], 4),
        # a candidate is loaded beside what serves, and never where nothing does
        ({"chain": [5, 4], "there": [5], "beside": [6], "pointer": 5}, [5, 6], 5),
        ({"chain": [5, 4], "there": [5, 6], "beside": [6], "pointer": 5}, [5, 6], 5),
        ({"chain": [5, 4], "beside": [6]}, [5], None),
        ({"chain": [], "there": [5], "pointer": 5}, [5], 5),
        ({"chain": []}, [], None),
    ],
)
def test_what_shall_be(what, load, serves):
    assert chosen(**what) == (load, serves)
