import pytest

from appliance.outbox import smallfile, watermark
from appliance.outbox.row import Row
from appliance.outbox.sender import pen
from appliance.outbox.sender.identity import client_id
from appliance.outbox.sender.pen import Watermark


def row(number, stream="s", through=None):
    return Row(number, "top", "result", stream, number, through or number, b"{}")


def test_a_file_is_read_as_it_was_written(tmp_path):
    smallfile.replace(tmp_path / "a.json", {"row": 7})
    smallfile.replace(tmp_path / "a.json", {"row": 8})
    assert smallfile.read(tmp_path / "a.json") == {"row": 8}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_a_file_that_was_never_written_says_nothing(tmp_path):
    assert smallfile.read(tmp_path / "a.json") is None


@pytest.mark.parametrize("position", range(0, 28, 3))
def test_a_flipped_bit_is_noticed(tmp_path, position):
    path = tmp_path / "a.json"
    smallfile.replace(path, {"row": 1234567})
    raw = bytearray(path.read_bytes())
    raw[position % len(raw)] ^= 4
    path.write_bytes(raw)
    assert smallfile.read(path) is None


@pytest.mark.parametrize("raw", [b"", b"\n", b"garbage", b"{}", b"\xff\xfe\x00"])
def test_what_is_no_file_of_ours_says_nothing(tmp_path, raw):
    (tmp_path / "a.json").write_bytes(raw)
    assert smallfile.read(tmp_path / "a.json") is None


def test_the_watermark_is_there_after_a_restart(tmp_path):
    mark = Watermark(tmp_path)
    mark.advance(row(5, "s"))
    mark.advance(row(6, "t", through=9))
    assert mark.due_in_s() == 0
    mark.flush()
    assert mark.due_in_s() is None
    assert watermark.read(tmp_path) == watermark.Acknowledged(6, {"s": 5, "t": 9})
    assert Watermark(tmp_path).row == 6


def test_receipts_that_come_together_are_written_together(tmp_path):
    mark = Watermark(tmp_path)
    mark.advance(row(1))
    mark.flush()
    mark.advance(row(2))
    slow_disk_s = pen._COST_SHARE * mark._cost_s
    assert 0.05 < mark.due_in_s() <= max(0.5, slow_disk_s)
    for number in range(3, 60):
        mark.advance(row(number))
    assert mark.due_in_s() <= max(0.05, slow_disk_s)


def test_the_watermark_remembers_a_bounded_number_of_streams(tmp_path):
    mark = Watermark(tmp_path)
    for number in range(1, 400):
        mark.advance(row(number, f"stream-{number}"))
    mark.flush()
    assert len(watermark.read(tmp_path).sequences) == 256
    assert watermark.read(tmp_path).sequences["stream-399"] == 399


def test_a_box_keeps_its_name_and_two_boxes_differ(tmp_path):
    first = client_id(tmp_path / "a", "Line 3/Box 1")
    assert first == client_id(tmp_path / "a", "Line 3/Box 1")
    assert first.startswith("Line-3-Box-1-")
    assert first != client_id(tmp_path / "b", "Line 3/Box 1")
