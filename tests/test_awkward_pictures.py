"""Ordinary and awkward picture files through the whole line: a right frame, or Undefined with its reason."""

from pathlib import Path

import pytest

PHOTOS = Path(__file__).parents[2] / "shared" / "data" / "photos"


@pytest.mark.skipif(not PHOTOS.is_dir(), reason=f"NOT VERIFIED: the pictures are not at {PHOTOS}")
def test_every_picture_ends_as_one_result_and_a_broken_one_never_passes(appliance, subscriber):
    camera = f'driver = "folder"\nfolder = "{PHOTOS}"\nrepeat = false'
    # The embedded model wants the middle of a picture of its own size; these have any size, so it gets all of each.
    recipe = "deadline_ms = 400\ninput = { roi = [0, 0, 64, 64] }"
    line = appliance(camera=camera, line="takt_ms = 400", recipe=recipe).start("--once")
    assert line.wait(120) == 0, line.log()
    pictures = sorted(one.name for one in PHOTOS.iterdir() if one.suffix in {".png", ".jpg", ".bmp", ".webp"})
    results = subscriber.results
    assert len(results) == len(pictures)
    undefined = {pictures[result["trigger_id"]]: result for result in results if result["evaluation"] == "Undefined"}
    assert set(undefined) == {"broken_data_stream.png"}
    broken = undefined["broken_data_stream.png"]
    assert broken["verdict"] == "fail"
    assert broken["reason"] in {"FRAME_CORRUPT", "FRAME_INCOMPLETE"}
    assert "broken_data_stream.png" in broken["detail"]
    assert all(result["classes"] for result in results if result is not broken)


def test_a_folder_of_damaged_files_fails_every_part_and_says_why(appliance, subscriber, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a_empty.png").write_bytes(b"")
    (folder / "b_text.jpg").write_text("no picture at all")
    (folder / "c_cut.bmp").write_bytes(b"BM\x36\x10\x00\x00" + b"\x00" * 40)
    camera = f'driver = "folder"\nfolder = "{folder}"\nrepeat = false'
    line = appliance(camera=camera, line="takt_ms = 200", recipe="deadline_ms = 200").start("--once")
    assert line.wait(120) == 0, line.log()
    assert len(subscriber.results) == 3
    for result, name in zip(subscriber.results, ("a_empty.png", "b_text.jpg", "c_cut.bmp"), strict=True):
        assert (result["verdict"], result["evaluation"]) == ("fail", "Undefined")
        assert result["reason"] in {"FRAME_CORRUPT", "FRAME_INCOMPLETE"}
        assert name in result["detail"]
