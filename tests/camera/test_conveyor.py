"""The pictures of parts on a belt: told from a seed, varied, and quick to draw."""

import time
from collections import Counter

import cv2
import numpy as np
import pytest

from camera.conveyor import DEFECTS, KINDS, Scene


@pytest.fixture(scope="module")
def scene():
    return Scene(seed=3, size=(480, 768))


def test_the_same_seed_draws_the_same_pictures_in_any_order(scene):
    again = Scene(seed=3, size=(480, 768))
    forward = [scene.part(index) for index in range(8)]
    backward = [again.part(index) for index in reversed(range(8))][::-1]
    for (one, truth), (other, other_truth) in zip(forward, backward, strict=True):
        assert np.array_equal(one, other)
        assert truth == other_truth


def test_another_seed_draws_other_pictures(scene):
    other, _ = Scene(seed=4, size=(480, 768)).part(0)
    assert not np.array_equal(scene.part(0)[0], other)


def test_no_two_pictures_of_good_parts_are_alike(scene):
    pictures = {scene.part(index, "good")[0].tobytes() for index in range(40)}
    assert len(pictures) == 40


def test_good_parts_vary_in_place_turn_and_light(scene):
    drawn = [scene.part(index, "good") for index in range(60)]
    places = np.array([truth["part_position"] for _, truth in drawn])
    turns = np.array([truth["angle_deg"] for _, truth in drawn])
    light = np.array([picture.mean() for picture, _ in drawn])
    assert np.all(places.std(axis=0) > (12, 5))
    assert turns.std() > 2
    assert light.std() / light.mean() > 0.02


@pytest.mark.parametrize("kind", DEFECTS)
@pytest.mark.parametrize("severity", [0.2, 1.0])
def test_a_defect_changes_the_picture_where_the_truth_says_and_nowhere_else(scene, kind, severity):
    for index in range(10):
        good, _ = scene.part(index, "good")
        bad, truth = scene.part(index, kind, severity)
        changed = cv2.absdiff(good, bad)
        left, top, width, height = truth["box"]
        inside = changed[max(top - 2, 0) : top + height + 2, max(left - 2, 0) : left + width + 2]
        assert inside.max() >= (8 if severity < 0.5 else 25)
        assert np.count_nonzero(changed) == np.count_nonzero(inside)
        x, y = truth["position"]
        assert left <= x <= left + width
        assert top <= y <= top + height


@pytest.mark.parametrize("kind", DEFECTS)
def test_a_severe_defect_is_plainer_than_a_faint_one(scene, kind):
    def change(severity):
        return sum(
            int(cv2.absdiff(scene.part(index, "good")[0], scene.part(index, kind, severity)[0]).sum(dtype=np.int64))
            for index in range(12)
        )

    assert change(0.1) < change(0.5) < change(1.0)


def test_the_mix_of_kinds_follows_the_defect_rate(scene):
    kinds = Counter(scene.kind_of(index) for index in range(2000))
    assert set(kinds) == set(KINDS)
    assert 0.77 < kinds["good"] / 2000 < 0.83
    assert all(kinds[kind] > 60 for kind in DEFECTS)
    assert [scene.part(index)[1]["kind"] for index in range(20)] == [scene.kind_of(index) for index in range(20)]


def test_a_line_without_defects_and_one_with_nothing_else():
    assert {Scene(1, (60, 96), defect_rate=0.0).kind_of(index) for index in range(50)} == {"good"}
    assert "good" not in {Scene(1, (60, 96), defect_rate=1.0).kind_of(index) for index in range(50)}


def test_the_part_is_brighter_than_the_belt_and_nothing_is_blown_out(scene):
    for index in range(10):
        picture, truth = scene.part(index, "good")
        x, y = (int(place) for place in truth["part_position"])
        metal = picture[y - 105 : y - 100, x - 60 : x + 60].mean()
        belt = picture[60:90, 40:140].mean()
        assert metal > belt + 50
        assert (picture >= 250).mean() < 0.03


@pytest.mark.parametrize("size", [(60, 96), (300, 300), (480, 200)])
def test_every_kind_can_be_drawn_at_any_size(size):
    scene = Scene(1, size, "bgr")
    for index in range(25):
        picture, _ = scene.part(index, KINDS[index % len(KINDS)])
        assert picture.shape == (*size, 3)


def test_metal_is_grey_and_the_belt_is_green_in_colour():
    picture, truth = Scene(1, (480, 768), "bgr").part(0, "good")
    _, green, red = picture[70:100, 40:140].reshape(-1, 3).mean(axis=0)
    assert green > red * 1.1
    x, y = (int(place) for place in truth["part_position"])
    metal = picture[y - 105 : y - 95, x - 60 : x + 60].reshape(-1, 3).mean(axis=0)
    assert np.ptp(metal) < 0.08 * metal.mean()


def test_a_kind_that_is_not_drawn_is_refused(scene):
    with pytest.raises(ValueError, match="'rust'"):
        scene.part(0, "rust")


def test_drawing_at_full_size_leaves_time_for_the_rest_of_the_line():
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        scene = Scene(1)
        taken = []
        for index in range(30):
            began = time.thread_time()
            scene.part(index)
            taken.append(time.thread_time() - began)
    finally:
        cv2.setNumThreads(threads)
    assert min(taken) < 0.02  # processor time: 6 ms on a quiet core, and room for a slow one
