"""What was changed, left out or put in afterwards shows; what subscribers may see in health does not."""

import json

import pytest

from appliance.outbox.chain import Head, Kind, Verifier, as_recorded, as_replayed, digest, verify
from appliance.outbox.disk.numbering import Entry, Losses, rows_for
from appliance.outbox.row import gap

MORE = {"verdict": "pass", "replayed": False}


def records(count, camera="top", lose_after=None):
    """The payloads of a stream, and its name."""
    streams, payloads = {}, []
    for nth in range(count):
        rows, _ = rows_for(Entry(camera, "result", {"result_id": f"id-{nth}", **MORE}), streams, len(payloads))
        payloads += [row.payload for row in rows]
        if nth == lose_after:
            rows, _ = rows_for(Losses({(camera, "result"): 3}, "not_recorded"), streams, len(payloads))
            payloads += [row.payload for row in rows]
    return payloads, streams[camera, "result"]


def found(payloads, heads=None):
    return [(one.kind, one.first, one.last) for one in verify(payloads, heads)]


def test_the_first_has_no_record_before_it_and_each_other_names_the_one_before():
    payloads, stream = records(4)
    links = [json.loads(payload)["prev"] for payload in payloads]
    assert links == [None, *map(digest, payloads[:-1])]
    assert stream.head == digest(payloads[-1])


def test_a_whole_stream_has_nothing_wrong_with_it():
    payloads, stream = records(20, lose_after=7)
    assert found(payloads, {stream.stream: Head(23, stream.head)}) == []


def test_the_streams_of_several_cameras_may_be_mixed():
    top, side = records(9)[0], records(9, "side")[0]
    assert found([one for pair in zip(top, side, strict=True) for one in pair]) == []


@pytest.mark.parametrize("at", [0, 5, 18])
def test_an_altered_byte_breaks_the_chain_behind_it(at):
    payloads, _ = records(20)
    payloads[at] = payloads[at].replace(b"pass", b"fail")
    assert found(payloads) == [(Kind.BROKEN_LINK, at + 1, at + 2)]


def test_an_altered_newest_record_shows_against_what_the_box_remembers():
    payloads, stream = records(5)
    payloads[-1] = payloads[-1].replace(b"pass", b"fail")
    assert found(payloads) == []
    assert found(payloads, {stream.stream: Head(5, stream.head)}) == [(Kind.ALTERED, 5, 5)]


def test_an_end_that_was_cut_off_shows_against_what_the_box_remembers():
    payloads, stream = records(9)
    assert found(payloads[:6], {stream.stream: Head(9, stream.head)}) == [(Kind.MISSING, 7, 9)]


def test_what_was_left_out_is_missing():
    payloads, _ = records(20)
    assert found(payloads[:5] + payloads[8:]) == [(Kind.MISSING, 6, 8)]


def test_what_was_left_out_is_missing_although_the_rest_was_numbered_anew():
    payloads, _ = records(6)
    forged = (
        payloads[:3]
        + [
            one.replace(f'"sequence":{n}'.encode(), f'"sequence":{n - 1}'.encode()) for n, one in enumerate(payloads, 1)
        ][4:]
    )
    assert found(forged)[0] == (Kind.BROKEN_LINK, 3, 4)


def test_another_record_under_a_number_that_was_heard_is_a_contradiction():
    payloads, _ = records(5)
    assert found([*payloads, payloads[2].replace(b"pass", b"fail")]) == [(Kind.CONTRADICTION, 3, 3)]


def test_repetitions_are_nothing_wrong():
    payloads, _ = records(60)
    verifier = Verifier()
    assert [one for payload in [*payloads, *payloads[-50:]] for one in verifier.add(payload)] == []
    assert (verifier.records, verifier.repeated) == (110, 50)


def test_a_file_may_begin_anywhere():
    payloads, stream = records(20)
    verifier = Verifier()
    assert [one for payload in payloads[7:] for one in verifier.add(payload)] == []
    assert verifier.begins == {stream.stream: 8}


def given_up(payloads, stream, first, last):
    prev = json.loads(payloads[first - 1])["prev"]
    return gap(stream, first, last, "outbox_full", prev, digest(payloads[last - 1]))


def test_a_gap_message_for_results_that_gave_way_carries_the_chain_on():
    payloads, stream = records(20)
    instead = given_up(payloads, stream.stream, 4, 9)
    assert found([*payloads[:3], instead, *payloads[9:]]) == []
    assert found([*payloads[:6], instead, *payloads[9:]]) == [], "some of them were heard before they gave way"


def test_a_gap_message_that_does_not_fit_breaks_the_chain():
    payloads, stream = records(20)
    wrong = gap(stream.stream, 4, 9, "outbox_full", digest(b"another"), digest(payloads[8]))
    assert found([*payloads[:3], wrong, *payloads[9:]]) == [(Kind.BROKEN_LINK, 3, 4)]
    wrong = gap(stream.stream, 4, 9, "outbox_full", digest(payloads[2]), digest(b"another"))
    assert found([*payloads[:3], wrong, *payloads[9:]]) == [(Kind.BROKEN_LINK, 9, 10)]


def test_what_damage_took_is_named_later_and_fits_into_its_hole():
    payloads, stream = records(20)
    late = given_up(payloads, stream.stream, 4, 9)
    assert found([*payloads[:3], *payloads[9:], late]) == []
    assert found([*payloads[:3], *payloads[9:], given_up(payloads, stream.stream, 5, 9)]) == [(Kind.MISSING, 4, 4)]
    wrong = gap(stream.stream, 4, 9, "outbox_damaged", digest(payloads[2]), digest(b"another"))
    assert found([*payloads[:3], *payloads[9:], wrong]) == [(Kind.BROKEN_LINK, 9, 10)]


def test_records_from_before_the_chain_are_counted_and_not_blamed():
    old = [json.dumps({"stream": "s", "sequence": n}, separators=(",", ":")).encode() for n in (1, 2)]
    new, _ = rows_for(Entry("top", "result", {}), {}, 0)
    continued = new[0].payload.replace(json.loads(new[0].payload)["stream"].encode(), b"s")
    continued = continued.replace(b'"sequence":1', b'"sequence":3').replace(
        b'"prev":null', f'"prev":"{digest(old[1])}"'.encode()
    )
    verifier = Verifier()
    assert [one for payload in [*old, continued] for one in verifier.add(payload)] == []
    assert verifier.unchained == 2


def test_a_replayed_record_is_the_recorded_one():
    payloads, _ = records(5)
    again = [as_replayed(payload) for payload in payloads]
    assert all(b'"replayed":true' in payload for payload in again)
    assert list(map(as_recorded, again)) == payloads
    assert found(again) == []
    assert found([*payloads[:3], *again[3:]]) == []


def test_a_text_that_looks_like_the_field_is_left_alone():
    rows, _ = rows_for(Entry("top", "result", {"detail": '"replayed":false', **MORE}), {}, 0)
    again = as_replayed(rows[0].payload)
    assert json.loads(again) == json.loads(rows[0].payload) | {"replayed": True}
    assert as_recorded(again) == rows[0].payload


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"7", b'{"stream":"s"}', b'{"stream":1,"sequence":2}', b'{"stream":"s","sequence":-1}',
             b'{"stream":"s","sequence":1e99}', b'{"stream":"s","sequence":1,"prev":3}', b"\xff", b"[" * 100_000,
             b'{"stream":"s","from_sequence":5,"to_sequence":2}'],
)  # fmt: skip
def test_a_line_that_is_no_record_is_said_and_passed_over(line):
    payloads, _ = records(3)
    assert found([payloads[0], line, *payloads[1:]]) == [(Kind.UNREADABLE, 2, 2)]


def test_memory_is_bounded_however_many_holes_there_are():
    verifier = Verifier()
    told = 0
    for n in range(1, 60_000, 2):
        told += len(list(verifier.add(f'{{"stream":"s","sequence":{n},"prev":null}}'.encode())))
    assert told > 19_000
    assert len(list(verifier.end())) == 10_000
