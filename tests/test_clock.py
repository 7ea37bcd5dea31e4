"""The result says whether the clock can be trusted; the kernel is asked."""

import ctypes

from appliance import clock


def test_the_answer_is_the_kernels_own():
    state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    assert clock.synchronized() is (None if state < 0 else state != 5)
