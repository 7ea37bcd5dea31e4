"""What the model is shown: the virtual camera's parts, cut and reduced exactly as the appliance does it."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from camera.conveyor import KINDS, Scene

LABELS: Final = KINDS
GOOD: Final = LABELS.index("good")
ROI: Final = (310, 100, 1300, 1000)
"""x, y, width, height in the frame of 1920 x 1200: wherever the part lies and however it is turned, it is within."""
WIDTH, HEIGHT = 650, 500
"""Half of the region: the faintest scratch is a dark line of two pixels beside a bright one of two, and reduced more
than twice the two would cancel each other."""

TRAINING_SEEDS: Final = range(1000, 1050)
LIMIT_SEEDS: Final = range(2000, 2015)
MEASURING_SEEDS: Final = range(5000, 5025)
"""A scene's seed sets the plates, the belt and the lamps. The three never meet, and the demo shows others again."""

Pictures = npt.NDArray[np.uint8]
Boxes = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Album:
    """Pictures of parts, and what is on them."""

    pictures: Pictures
    """(count, HEIGHT, WIDTH)"""
    kinds: npt.NDArray[np.int64]
    """(count,): index in LABELS."""
    boxes: Boxes
    """(count, 4): left, top, right, bottom of the defect in the picture's pixels; all 0 where there is none."""
    severities: npt.NDArray[np.float32]
    """(count,): 0.1 is faint, 1 is plain; 0 for good parts."""


def seen(frame: Pictures) -> Pictures:
    """(HEIGHT, WIDTH) of a whole frame: what the model sees of it."""
    x, y, width, height = ROI
    cut = frame[y : y + height, x : x + width]
    return np.asarray(cv2.resize(cut, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def every_kind(seed: int, parts: int) -> Album:
    """Each of `parts` parts five times: good, and with each defect. Faint defects are more frequent than plain ones."""
    scene, rng = Scene(seed), np.random.default_rng([seed, 9])
    wishes = [(index, kind, float(0.08 + 0.92 * rng.random() ** 2)) for index in range(parts) for kind in LABELS]
    return _album(scene, wishes)


def as_they_come(seed: int, parts: int) -> Album:
    """The parts that a camera above this belt sees: one in five is bad, and none twice."""
    scene = Scene(seed)
    return _album(scene, [(index, None, None) for index in range(parts)])


def draw(how: Callable[[int, int], Album], seeds: Sequence[int], parts: int, told: str) -> Album:
    """One album of all seeds, on two threads. Some 7 ms a picture on each, and two seconds a seed."""
    albums: list[Album] = []
    with ThreadPoolExecutor(2) as pool:
        for album in pool.map(lambda seed: how(seed, parts), seeds):
            albums.append(album)
            print(f"\r{told}: scene {len(albums)} of {len(seeds)}", end="", flush=True)
    print()
    return Album(
        np.concatenate([album.pictures for album in albums]),
        np.concatenate([album.kinds for album in albums]),
        np.concatenate([album.boxes for album in albums]),
        np.concatenate([album.severities for album in albums]),
    )


def without_part(pictures: Pictures, rng: np.random.Generator) -> Iterator[Pictures]:
    """Pictures made of these that show no whole part, or not enough of it: none of them may ever be judged good."""
    for picture in pictures:
        yield SPOILERS[int(rng.integers(len(SPOILERS)))](picture, rng)


def _belt(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """The rows above the part, folded until they fill the picture. Belt only: a part begins 10 rows further down."""
    rows = picture[: int(rng.integers(4, 10))]
    return np.asarray(np.pad(rows, ((0, HEIGHT - len(rows)), (0, 0)), "symmetric"), dtype=np.uint8)


def _half_out(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """The part passed too early or too late."""
    by = int(rng.integers(WIDTH // 4, WIDTH // 2)) * int(rng.choice((-1, 1)))
    moved = np.roll(picture, by, axis=1)
    beside = _belt(picture, rng)
    if by > 0:
        moved[:, :by] = beside[:, :by]
    else:
        moved[:, by:] = beside[:, by:]
    return moved


def _dark(picture: Pictures, rng: np.random.Generator) -> Pictures:
    return np.asarray(picture * rng.uniform(0, 0.25), dtype=np.uint8)


def _glaring(picture: Pictures, rng: np.random.Generator) -> Pictures:
    return np.asarray(np.clip(picture * rng.uniform(2.5, 5.0) + 40, 0, 255), dtype=np.uint8)


def _cut_off(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """The lower part never arrived."""
    short = picture.copy()
    short[int(rng.integers(HEIGHT // 5, 4 * HEIGHT // 5)) :] = 0
    return short


def _blurred(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """Out of focus, so far that nobody could see a scratch."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), rng.uniform(4, 9)), dtype=np.uint8)


def _flat(picture: Pictures, rng: np.random.Generator) -> Pictures:
    """A covered lens, a lamp in it, a wall: one level, or brighter to one side, with a sensor's noise or none."""
    level, slope, noise = rng.uniform(0, 255), rng.uniform(-30, 30), rng.choice((0.0, 1.0, 3.0))
    ramp = np.linspace(-slope, slope, WIDTH, dtype=np.float32) if rng.random() < 0.5 else np.float32(0)
    shown = level + ramp + rng.standard_normal(picture.shape, np.float32) * np.float32(noise)
    if rng.random() < 0.3:
        shown = np.full(picture.shape, rng.choice((0, 255)))
    return np.asarray(np.clip(shown, 0, 255), dtype=np.uint8)


SPOILERS: Final = (_belt, _half_out, _dark, _glaring, _cut_off, _blurred, _flat)


def _album(scene: Scene, wishes: Sequence[tuple[int, str | None, float | None]]) -> Album:
    count = len(wishes)
    pictures = np.empty((count, HEIGHT, WIDTH), np.uint8)
    kinds, boxes = np.zeros(count, np.int64), np.zeros((count, 4), np.float32)
    severities = np.zeros(count, np.float32)
    for number, (index, kind, severity) in enumerate(wishes):
        frame, truth = scene.part(index, kind, severity)
        pictures[number] = seen(frame)
        kinds[number], severities[number] = LABELS.index(truth["label"]), truth["severity"]
        if truth["box"] is not None:
            left, top, width, height = truth["box"]
            boxes[number] = _in_picture(left, top, left + width, top + height)
    return Album(pictures, kinds, boxes, severities)


def _in_picture(left: float, top: float, right: float, bottom: float) -> Boxes:
    by_x, by_y = WIDTH / ROI[2], HEIGHT / ROI[3]
    corners = ((left - ROI[0]) * by_x, (top - ROI[1]) * by_y, (right - ROI[0]) * by_x, (bottom - ROI[1]) * by_y)
    return np.asarray(corners, dtype=np.float32)
