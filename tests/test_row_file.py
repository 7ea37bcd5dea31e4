"""Files of rows that people bring from a spreadsheet or a program."""

import pytest

from appliance.row_file import RowFileError, rows


@pytest.fixture
def file(tmp_path):
    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write


def test_a_table_from_a_spreadsheet(file):
    """With the mark that Excel writes, a space in the heading, a line break within a field."""
    path = file("a.CSV", '\ufeffpart_id, recheck\nSN-1,good\n"SN\n2",bad\nSN-3\n')
    assert list(rows(path)) == [
        (2, {"part_id": "SN-1", "recheck": "good"}),
        (4, {"part_id": "SN\n2", "recheck": "bad"}),
        (5, {"part_id": "SN-3", "recheck": None}),
    ]


def test_json_lines(file):
    assert list(rows(file("a.jsonl", '{"a": 1}\n\n  \n{"a": [2]}'))) == [(1, {"a": 1}), (4, {"a": [2]})]


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("a.jsonl", '{"a": 1}\n{"a"\n', "line 2: no JSON"),
        ("a.jsonl", '{"a": 1}\n[1]\n', "line 2: not an object"),
        ("a.jsonl", "[" * 100_000, "line 1: no JSON"),
        ("a.jsonl", b"\xff\xfe{", "neither CSV"),
        ("a.csv", b"part_id\n\xff\n", "neither CSV"),
        ("a.csv", 'part_id\n"' + "x" * 200_000, "neither CSV"),
    ],
)
def test_what_is_no_file_of_rows_is_one_sentence(file, name, data, sentence):
    with pytest.raises(RowFileError, match=sentence) as refused:
        list(rows(file(name, data)))
    assert name in str(refused.value)


def test_a_file_that_is_not_there_or_too_large_is_one_sentence(file, tmp_path):
    with pytest.raises(RowFileError, match="cannot be read"):
        list(rows(tmp_path / "none.csv"))
    with pytest.raises(RowFileError, match="above 1 MiB"):
        list(rows(file("a.csv", "a\n" * (1 << 20)), max_bytes=1 << 20))
