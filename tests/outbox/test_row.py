import json

import pytest
from jsonschema import Draft202012Validator

from appliance.outbox.chain import digest
from appliance.outbox.row import GAP_SCHEMA_PATH, Row, from_disk, gap, new_stream, numbered


def test_stream_and_sequence_follow_the_ids_and_the_rest_keeps_its_order():
    payload = numbered({"schema_version": 1, "result_id": "r", "station": "s", "verdict": "pass"}, "st", 7)
    assert payload == (
        b'{"schema_version":1,"result_id":"r","stream":"st","sequence":7,"prev":null,"station":"s","verdict":"pass"}'
    )


def test_numbers_are_given_here_whatever_the_message_says():
    message = json.loads(numbered({"stream": "mine", "sequence": 99, "prev": "mine"}, "st", 7, "sha256:00"))
    assert message == {"stream": "st", "sequence": 7, "prev": "sha256:00"}


def test_text_is_utf_8_and_not_escaped():
    assert numbered({"label": "Kratzer, groß"}, "s", 1).decode().endswith('"label":"Kratzer, groß"}')


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}, "\ud800"])
def test_what_is_not_json_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        numbered({"score": value}, "s", 1)


def test_a_gap_obeys_its_schema():
    schema = json.loads(GAP_SCHEMA_PATH.read_text())
    link = digest(b"a record")
    Draft202012Validator(schema).validate(json.loads(gap(new_stream(), 3, 9, "not_recorded", link)))
    message = json.loads(gap(new_stream(), 3, 9, "outbox_full", None, link))
    Draft202012Validator(schema).validate(message)
    assert message["replaces"] == link
    assert (message["from_sequence"], message["to_sequence"]) == (3, 9)


ROW = Row(7, "top", "result", "stream-1", 41, 41, b'{"verdict":"pass"}')


def on_disk(row):
    return [row.row, row.camera, row.topic, row.stream, row.sequence, row.through, row.payload, row.checksum()]


def test_a_row_is_read_as_it_was_written():
    assert from_disk(on_disk(ROW)) == ROW


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (0, 8),
        (1, "tap"),
        (2, "gap"),
        (3, "stream-2"),
        (4, 40),
        (5, 42),
        (6, b'{"verdict":"fail"}'),
        (6, "text"),
        (7, 1),
    ],
)
def test_a_change_in_any_column_shows(column, value):
    found = on_disk(ROW)
    found[column] = value
    assert from_disk(found) is None


def test_streams_sort_by_their_beginning_and_never_repeat():
    streams = [new_stream() for _ in range(100)]
    assert len(set(streams)) == 100
    assert all(stream[14] == "7" and stream[19] in "89ab" for stream in streams)
    assert [stream[:13] for stream in streams] == sorted(stream[:13] for stream in streams)
