"""How tables look."""

from datetime import datetime, timezone

import pytest

from appliance.client.tables import age, table

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)


def test_columns_are_as_wide_as_their_widest_cell_and_numbers_stand_at_the_right():
    rows = [("surface", "7", "AVAILABLE"), ("a", "12", "END")]
    assert table(["model", "version", "state"], rows) == (
        "model    version  state\nsurface        7  AVAILABLE\na             12  END"
    )


@pytest.mark.parametrize(
    ("since", "says"),
    [
        ("2026-11-21T11:59:30.120Z", "29 s"),
        ("2026-11-21T11:55:00+00:00", "5 min"),
        ("2026-11-21T09:00:00+00:00", "3 h"),
        ("2026-11-01T12:00:00+00:00", "20 d"),
        ("2026-11-21T12:00:05+00:00", "0 s"),
        ("", "-"),
        ("yesterday", "-"),
    ],
)
def test_how_long_ago(since, says):
    assert age(since, NOON) == says
