"""How fast requests are let in, on a clock of the test's."""

from appliance.steering.pace import Pace


def test_a_few_at_once_and_then_so_many_a_second():
    pace = Pace(10.0, 3)
    assert [pace.take(100.0) for _ in range(3)] == [0.0, 0.0, 0.0]
    assert pace.take(100.0) == 0.1
    assert round(pace.take(100.1), 6) == 0.1, "who comes when the wait is over is the next"


def test_after_a_rest_the_bucket_is_full_and_not_fuller():
    pace = Pace(10.0, 3)
    for _ in range(5):
        pace.take(100.0)
    assert [pace.take(200.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.1]
