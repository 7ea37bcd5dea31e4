import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.outbox.row import Row
from appliance.outbox.sender.window import Window


def rows(*numbers):
    return [Row(number, "top", "result", "s", number, number, b"{}") for number in numbers]


def send_all(window):
    sent = []
    while (row := window.next_to_send()) is not None:
        window.sent(row)
        sent.append(row.row)
    return sent


def test_no_more_than_its_size_is_under_way():
    window = Window(0, 3)
    window.add(rows(1, 2, 3, 4, 5))
    assert send_all(window) == [1, 2, 3]
    window.received(1)
    assert send_all(window) == [4]


def test_a_receipt_out_of_turn_does_not_move_the_unbroken_run():
    window = Window(0, 3)
    window.add(rows(1, 2, 3))
    send_all(window)
    assert window.received(3) == []
    assert window.received(1) == rows(1)
    assert window.received(2) == rows(2, 3)


def test_after_a_lost_connection_the_first_row_without_receipt_comes_first():
    window = Window(0, 3)
    window.add(rows(1, 2, 3))
    send_all(window)
    window.received(1)
    window.start_again()
    assert send_all(window) == [2, 3]


def test_a_refused_row_is_the_next_to_be_sent():
    window = Window(0, 3)
    window.add(rows(1, 2, 3, 4))
    send_all(window)
    window.received(1)
    window.refused(2)
    assert window.next_to_send().row == 2


def test_rows_that_the_broker_may_have_lost_go_first():
    window = Window(0, 5)
    window.add(rows(1, 2, 3))
    send_all(window)
    window.received(1)
    window.received(2)
    window.rewind(rows(1, 2))
    window.start_again()
    assert send_all(window) == [1, 2, 3]


def test_rows_read_twice_are_a_bug():
    window = Window(5, 3)
    with pytest.raises(RuntimeError):
        window.add(rows(5))


@given(
    st.lists(st.sampled_from(["send", "receive_first", "receive_last", "refuse", "lose"]), max_size=60),
    st.integers(1, 5),
)
def test_whatever_happens_every_row_is_acknowledged_once_in_order(happenings, size):
    window = Window(0, size)
    window.add(rows(*range(1, 21)))
    under_way, finished = [], []
    for happening in [*happenings, "lose", *["send", "receive_first"] * 50]:
        row = window.next_to_send()
        if happening == "send" and row is not None:
            window.sent(row)
            under_way.append(row.row)
        elif happening == "lose":
            window.start_again()
            under_way.clear()
        elif under_way and happening == "refuse":
            window.refused(under_way.pop(0))
        elif under_way and happening.startswith("receive"):
            taken = under_way.pop(0 if happening == "receive_first" else -1)
            finished += [one.row for one in window.received(taken)]
        assert window.under_way == len(under_way) <= size
    assert finished == list(range(1, 21))
