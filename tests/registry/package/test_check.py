import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.check import BoxFacts, check_statement, line_matches
from appliance.registry.package.files import PackageFile, content_digest
from appliance.registry.package.statement import Statement

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=timezone.utc)
DAY = timedelta(days=1)
FILES = (PackageFile("saved_model.pb", 1000, "00" * 32),)
DIGEST, OTHER = content_digest(FILES), "sha256:" + "cd" * 32
STATEMENT = Statement("surface", 7, 12, DIGEST, FILES, ("acme/linz/*/line3",), (), {}, NOW - DAY, NOW + 90 * DAY)
BOX = BoxFacts("surface", "acme/linz/hall2/line3", NOW - 30 * DAY, "0.1.0", 1000)


def refused(statement=STATEMENT, box=BOX, now=NOW):
    with pytest.raises(Rejected) as caught:
        check_statement(statement, box, now)
    assert str(caught.value).endswith(".")
    return caught.value


def test_a_release_for_this_box():
    check_statement(STATEMENT, BOX, NOW)


@pytest.mark.parametrize(
    ("reason", "said", "box"),
    [
        (Refusal.WRONG_MODEL, {"model": "drilling"}, {}),
        (Refusal.WRONG_MODEL, {"model": "Surface"}, {}),
        (Refusal.WRONG_LINE, {"lines": ("acme/linz/hall2/line4", "acme/*/line3")}, {}),
        (Refusal.WRONG_PRODUCT, {"products": ("housing-a",)}, {}),
        (Refusal.WRONG_PRODUCT, {"products": ("housing-a",)}, {"product": "housing-b"}),
        (Refusal.OLDER_RELEASE, {"release": 11}, {"release_floor": 12}),
        (Refusal.OLDER_RELEASE, {}, {"release_floor": 12, "floor_digest": OTHER}),
        (Refusal.VERSION_REUSED, {}, {"versions": {7: OTHER}}),
        (Refusal.REVOKED, {}, {"revoked": frozenset({OTHER, DIGEST})}),
        (Refusal.REVOKED, {"revokes": (DIGEST,)}, {}),
        (Refusal.RUNTIME, {"min_appliance": "0.1.1"}, {}),
        (Refusal.RUNTIME, {"min_appliance": "0.10"}, {"appliance": "0.9.7.dev3"}),
        (Refusal.RUNTIME, {"min_appliance": "0.1"}, {"appliance": "unknown"}),
        (Refusal.TOO_LARGE, {}, {"max_bytes": 999}),
    ],
)
def test_a_release_for_another(reason, said, box):
    assert refused(replace(STATEMENT, **said), replace(BOX, **box)).reason is reason


@pytest.mark.parametrize(
    ("said", "box"),
    [
        ({"products": ("housing-a", "housing-b")}, {"product": "housing-b"}),
        ({}, {"product": "housing-b"}),
        ({"release": 13}, {"release_floor": 12, "floor_digest": OTHER}),
        ({}, {"release_floor": 12, "floor_digest": DIGEST}),
        ({}, {"versions": {7: DIGEST, 6: OTHER}}),
        ({"revokes": (OTHER,)}, {}),
        ({"min_appliance": "0.1"}, {}),
        ({"min_appliance": "0.1.0.0"}, {"appliance": "0.1"}),
        ({"min_appliance": "0.9.9"}, {"appliance": "0.10.0rc1"}),
    ],
)
def test_a_release_that_fits_all_the_same(said, box):
    check_statement(replace(STATEMENT, **said), replace(BOX, **box), NOW)


@pytest.mark.parametrize(
    ("pattern", "line", "fits"),
    [
        ("acme/linz/line3", "acme/linz/line3", True),
        ("acme/linz/line3", "acme/linz/line33", False),
        ("acme/linz/line3", "acme/linz/LINE3", False),
        ("acme/*/line3", "acme/linz/line3", True),
        ("acme/*/line3", "acme/linz/hall2/line3", False),
        ("acme/*", "acme", False),
        ("acme/*", "acme/linz/x", False),
        ("*", "acme", True),
        ("*", "acme/linz", False),
        ("**", "acme/linz/hall2/line3", True),
        ("acme/**", "acme", True),
        ("acme/**", "acme/linz/hall2", True),
        ("acme/**", "acmeplus/linz", False),
        ("**/line3", "line3", True),
        ("**/line3", "a/b/line3", True),
        ("a/**/b/**/c", "a/b/c", True),
        ("a/**/b/**/c", "a/x/b/y/z/c", True),
        ("a/**/b/**/c", "a/x/c", False),
        ("line[34]", "line3", False),
        ("line?", "line3", False),
        ("line*", "line3", True),
        ("line*", "line", True),
        ("l*n*3", "line3", True),
        ("l*3*3", "l3", False),
        ("*a*b", "xaxb", True),
        ("*a*b", "xbxa", False),
    ],
)
def test_patterns_of_lines(pattern, line, fits):
    assert line_matches(pattern, line) is fits


def test_no_pattern_takes_long():
    began = time.monotonic()
    assert not line_matches("/".join(["**", "*a*a*a*a*b"] * 20), "/".join(["a" * 100] * 60))
    assert time.monotonic() - began < 1


def test_expired():
    said = refused(now=NOW + 90 * DAY)
    assert said.reason is Refusal.EXPIRED
    check_statement(STATEMENT, BOX, NOW + 90 * DAY - timedelta(seconds=1))


def test_a_clock_in_2099_names_the_clock():
    said = refused(now=datetime(2099, 1, 1, tzinfo=timezone.utc))
    assert said.reason is Refusal.EXPIRED
    assert "this box' clock says 2099-01-01T00:00:00Z" in str(said)
    assert "set the clock if it is wrong" in str(said)


CLOCK_1970 = datetime(1970, 1, 1, tzinfo=timezone.utc)


def test_a_clock_at_1970_hides_no_expiry():
    """The box has verified something issued later than this release's end: it has expired, whatever the clock says."""
    said = refused(box=replace(BOX, time_floor=NOW + 91 * DAY), now=CLOCK_1970)
    assert said.reason is Refusal.EXPIRED
    assert "this box' clock says 1970-01-01T00:00:00Z, which is wrong: it cannot be before 2027-02-20" in str(said)


def test_a_clock_at_1970_is_judged_with_the_floor():
    check_statement(STATEMENT, replace(BOX, time_floor=STATEMENT.issued), CLOCK_1970)
    said = refused(now=CLOCK_1970)
    assert said.reason is Refusal.NOT_YET_VALID
    assert "clock says 1970-01-01T00:00:00Z, which is wrong" in str(said)
    assert "Set the clock of this box" in str(said)


def test_issued_in_the_future():
    assert refused(now=STATEMENT.issued - timedelta(minutes=11)).reason is Refusal.NOT_YET_VALID
    check_statement(STATEMENT, BOX, STATEMENT.issued - timedelta(minutes=9))


def test_what_is_named_is_what_can_be_done():
    assert "publish again with a higher release number" in str(refused(box=replace(BOX, release_floor=13)))
    assert "this box has no product set" in str(refused(replace(STATEMENT, products=("a", "b", "c", "d"))))
    assert "a, b, c and 1 more" in str(refused(replace(STATEMENT, products=("a", "b", "c", "d"))))
