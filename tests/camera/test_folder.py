"""The folder camera: which pictures, in which order, and what becomes of the bad ones."""

import os
import time

import cv2
import numpy as np
import pytest

from camera import (
    CameraConfigError,
    CameraLost,
    CameraNotFound,
    EndOfPictures,
    FrameStatus,
    PixelFormat,
    open_camera,
)


@pytest.fixture
def show():
    opened = []

    def make(folder, **settings):
        camera = open_camera({"driver": "folder", "folder": str(folder), **settings})
        opened.append(camera)
        camera.start()
        return camera

    yield make
    for camera in opened:
        camera.close()


def write(path, level=100, shape=(20, 30)):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full(shape, level, np.uint8))


def shoot(camera):
    camera.trigger()
    return camera.read(5)


def test_pictures_come_in_the_order_of_their_names_with_their_subfolders(tmp_path, show):
    for name in ("b.png", "scratch/2.PNG", "a.bmp", "scratch/1.jpg", "good/old/x.tif"):
        write(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    camera = show(tmp_path)
    frames = [shoot(camera) for _ in range(5)]
    assert [frame.source for frame in frames] == ["a.bmp", "b.png", "good/old/x.tif", "scratch/1.jpg", "scratch/2.PNG"]
    assert [frame.truth["folder"] for frame in frames] == ["", "", "good/old", "scratch", "scratch"]
    assert camera.info.model == "5 stored pictures"


def test_a_repeated_folder_begins_again(tmp_path, show):
    for level in (10, 20):
        write(tmp_path / f"{level}.png", level)
    camera = show(tmp_path)
    frames = [shoot(camera) for _ in range(5)]
    assert [int(frame.pixels[0, 0]) for frame in frames] == [10, 20, 10, 20, 10]
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3, 4]


def test_a_folder_that_is_not_repeated_ends_at_the_trigger_after_the_last(tmp_path, show):
    for level in (10, 20):
        write(tmp_path / f"{level}.png", level)
    camera = show(tmp_path, repeat=False)
    assert [int(shoot(camera).pixels[0, 0]) for _ in range(2)] == [10, 20]
    with pytest.raises(EndOfPictures, match="all 2 pictures were shown"):
        camera.trigger()
    with pytest.raises(EndOfPictures):
        camera.read(1)


def test_a_folder_that_is_not_repeated_ends_by_itself_when_it_is_timed(tmp_path, show):
    for level in (10, 20):
        write(tmp_path / f"{level}.png", level)
    camera = show(tmp_path, repeat=False, trigger="timed", takt_s=0.01)
    assert [int(camera.read(5).pixels[0, 0]) for _ in range(2)] == [10, 20]
    with pytest.raises(EndOfPictures):
        camera.read(5)


def test_opening_again_begins_with_the_first_picture_and_sees_new_ones(tmp_path, show):
    write(tmp_path / "b.png", 20)
    camera = show(tmp_path, repeat=False)
    assert shoot(camera).source == "b.png"
    write(tmp_path / "a.png", 10)
    camera.close()
    camera.open()
    camera.start()
    assert [shoot(camera).source for _ in range(2)] == ["a.png", "b.png"]


def test_a_bad_file_is_a_frame_that_says_why_and_the_next_one_is_right(tmp_path, show):
    write(tmp_path / "1.png", 10)
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "2_cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "3_text.png").write_text("hello")
    (tmp_path / "4_empty.jpg").touch()
    write(tmp_path / "5.png", 50)
    camera = show(tmp_path)
    first, *bad, last = [shoot(camera) for _ in range(5)]
    assert (first.status, last.status) == (FrameStatus.OK, FrameStatus.OK)
    assert [frame.status for frame in bad] == [
        FrameStatus.INCOMPLETE,
        FrameStatus.CORRUPT,
        FrameStatus.INCOMPLETE,
    ]
    for frame in bad:
        assert frame.pixels is None
        assert frame.shape == (0, 0)
        assert frame.detail.startswith(f"{frame.source} cannot be shown: ")
    assert last.sequence == 4


def test_a_file_that_is_too_large_is_not_read(tmp_path, show):
    write(tmp_path / "small.png")
    with (tmp_path / "large.png").open("wb") as file:
        file.truncate(10**9)
    camera = show(tmp_path)
    began = time.monotonic()
    frame = shoot(camera)
    assert frame.status is FrameStatus.CORRUPT
    assert "file_max_bytes" in frame.detail
    assert time.monotonic() - began < 2
    assert shoot(camera).status is FrameStatus.OK


def test_a_picture_with_too_many_pixels_is_not_decoded(tmp_path, show):
    write(tmp_path / "1.png", shape=(100, 101))
    frame = shoot(show(tmp_path, picture_max_px=10_000))
    assert frame.status is FrameStatus.CORRUPT
    assert "101 x 100 pixels" in frame.detail


def test_a_pipe_with_the_name_of_a_picture_holds_nobody_up(tmp_path, show):
    write(tmp_path / "b.png")
    os.mkfifo(tmp_path / "a.png")
    frame = shoot(show(tmp_path))
    assert (frame.status, "is not a file" in frame.detail) == (FrameStatus.CORRUPT, True)


def test_a_file_that_vanished_is_a_corrupt_frame(tmp_path, show):
    for name in ("a.png", "b.png", "c.png"):
        write(tmp_path / name)
    camera = show(tmp_path)
    shoot(camera)
    (tmp_path / "b.png").unlink()
    frame = shoot(camera)
    assert (frame.source, frame.status) == ("b.png", FrameStatus.CORRUPT)
    assert "No such file" in frame.detail
    assert shoot(camera).status is FrameStatus.OK


def test_a_folder_that_vanished_is_a_lost_camera_and_comes_back(tmp_path, show):
    folder = tmp_path / "stick"
    write(folder / "a.png")
    camera = show(folder)
    shoot(camera)
    folder.rename(tmp_path / "elsewhere")
    camera.trigger()
    with pytest.raises(CameraLost, match="is gone"):
        camera.read(5)
    camera.close()
    with pytest.raises(CameraNotFound):
        camera.open()
    (tmp_path / "elsewhere").rename(folder)
    camera.open()
    camera.start()
    assert shoot(camera).status is FrameStatus.OK


def test_links_in_a_circle_are_not_followed(tmp_path, show):
    write(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "again").symlink_to(tmp_path, target_is_directory=True)
    camera = show(tmp_path)
    assert camera.info.model == "1 stored pictures"


def test_the_format_is_what_was_asked_for_also_where_the_picture_is_bad(tmp_path, show):
    write(tmp_path / "a.png", shape=(20, 30, 3))
    (tmp_path / "b.png").touch()
    camera = show(tmp_path, pixel_format="Mono8")
    assert [shoot(camera).pixel_format for _ in range(2)] == [PixelFormat.MONO8] * 2


def test_a_folder_that_cannot_be_shown_is_told_at_open(tmp_path, show):
    with pytest.raises(CameraNotFound, match="there is no folder"):
        show(tmp_path / "nowhere")
    with pytest.raises(CameraNotFound, match="there are no pictures in"):
        show(tmp_path)
    write(tmp_path / "a.png")
    write(tmp_path / "b.png")
    with pytest.raises(CameraConfigError, match="is a file"):
        show(tmp_path / "a.png")
    with pytest.raises(CameraConfigError, match="files_max"):
        show(tmp_path, files_max=1)
