"""Which changes of a level are real."""

import pytest

from appliance.inspection.debounce import Change, Debouncer

QUIET = 10


def changes(edges, until=1000):
    debouncer = Debouncer(QUIET, is_high=False)
    found = [debouncer.feed(at, is_high=is_high) for at, is_high in edges]
    found.append(debouncer.settle(until))
    return [one for one in found if one is not None]


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([], []),
        ([(5, True)], [Change(5, True)]),
        ([(5, True), (100, False)], [Change(5, True), Change(100, False)]),
        ([(5, True), (8, False)], []),  # a spike
        ([(5, True), (8, False), (9, True), (12, False), (14, True)], [Change(5, True)]),
        ([(5, True), (100, False), (103, True)], [Change(5, True)]),  # the part has a hole
        ([(5, True), (9, False), (100, True)], [Change(100, True)]),
        ([(5, True), (50, True)], [Change(5, True)]),  # an edge between was not told
    ],
)
def test_a_change_is_what_stays_and_has_the_moment_of_its_first_edge(edges, expected):
    assert changes(edges) == expected


def test_a_change_is_not_told_before_it_is_sure():
    debouncer = Debouncer(QUIET, is_high=False)
    assert debouncer.due_ns is None
    debouncer.feed(5, is_high=True)
    assert debouncer.due_ns == 15
    assert debouncer.settle(14) is None
    assert debouncer.settle(15) == Change(5, True)
    assert debouncer.due_ns is None
