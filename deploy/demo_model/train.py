"""Trains the demo's model from nothing: renders parts, learns, sets the limits, writes the SavedModel.

First it learns from windows, round a defect or where one would be: many of them are seen in little time. Then it learns
from whole pictures, some of them without a part, what all the evidence amounts to.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from export import write_model
from golden import add_golden
from limits import choose_limits
from network import COLUMNS, PLACE_PX, ROWS, loss_of, make_head, make_trunk, scores_of
from parts import (
    GOOD,
    HEIGHT,
    LABELS,
    LIMIT_SEEDS,
    TRAINING_SEEDS,
    WIDTH,
    Album,
    Pictures,
    as_they_come,
    draw,
    every_kind,
    without_part,
)

Batch = tuple[Any, npt.NDArray[np.float32], npt.NDArray[np.float32]]
"""What goes in, what is wanted, and where: see network.loss_of."""

_WINDOW_PLACES: Final = 12
_WINDOW_PX: Final = _WINDOW_PLACES * PLACE_PX
_WINDOWS, _WHOLES, _EMPTY = 32, 10, 2
"""How many go into one step."""
_OFTEN: Final = np.array([0.0, 3.0, 1.5, 1.5, 1.0])
"""How often a window shows each kind: scratches are the hardest to learn."""
_GOOD_SHARE: Final = 0.4
_REPOSITORY: Final = Path(__file__).parents[2]


def main() -> None:
    """Read the arguments, train, write."""
    options = _arguments()
    started = time.monotonic()
    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    tf.config.threading.set_inter_op_parallelism_threads(options.threads)
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(options.seed)
    rng = np.random.default_rng(options.seed)

    album = draw(every_kind, TRAINING_SEEDS[: options.scenes], options.parts, "parts to learn from")
    trunk, head, window_head = make_trunk(), make_head(ROWS, COLUMNS), make_head(_WINDOW_PLACES, _WINDOW_PLACES)
    _learn(trunk, window_head, lambda: _windows(album, rng), options.steps, rate=6e-3, told="windows")
    head.set_weights(window_head.get_weights())
    _learn(trunk, head, lambda: _wholes(album, rng), options.steps // 10, rate=1.5e-3, told="whole pictures")

    unseen = draw(as_they_come, LIMIT_SEEDS[: options.scenes], 10 * options.parts, "parts to set limits with")
    scores = _scores(trunk, head, unseen.pictures)
    limits = choose_limits(scores, unseen.kinds)
    card = _card(options, album, time.monotonic() - started)
    write_model(options.out, trunk, head, limits, card)
    if not options.no_golden:
        add_golden(options.out)
    print(f"{options.out}: limits {limits}; {time.monotonic() - started:.0f} s in all")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    out = _REPOSITORY / "appliance" / "demo_model" / "1"
    parser.add_argument("--out", type=Path, default=out, help="the version's folder; replaced (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=50, help="scenes to learn from, 1..50 (default: %(default)s)")
    parser.add_argument(
        "--parts", type=int, default=30, help="parts of each scene, each in every kind: 1.6 MB of memory a part"
    )
    parser.add_argument(
        "--steps",
        type=int,
        default=11_000,
        help="steps on windows; a tenth of that on whole pictures (default: %(default)s)",
    )
    parser.add_argument("--threads", type=int, default=2, help="threads of TensorFlow (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="of the weights and the order (default: %(default)s)")
    parser.add_argument(
        "--no-golden", action="store_true", help="without golden samples: a model that learnt too little"
    )
    return parser.parse_args()


def _learn(
    trunk: keras.Model, head: keras.Model, batch: Callable[[], Batch], steps: int, rate: float, told: str
) -> None:
    """The learning rate rises over the first steps and falls to nothing over the rest."""
    network = keras.Model(trunk.input, head(trunk.output))
    rising = max(1, steps // 30)
    schedule = keras.optimizers.schedules.CosineDecay(
        rate / 20, max(1, steps - rising), warmup_target=rate, warmup_steps=rising
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-4)
    optimizer.build(network.trainable_variables)

    @tf.function(autograph=False)  # type: ignore[untyped-decorator]  # TensorFlow has no types
    def step(shown: tf.Tensor, wanted: tf.Tensor, where: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = loss_of(network(shown, training=True), wanted, where)
        optimizer.apply(tape.gradient(loss, network.trainable_variables), network.trainable_variables)
        return loss

    started, losses = time.monotonic(), []
    for number in range(1, steps + 1):
        losses.append(float(step(*batch())))
        if number % 100 == 0 or number == steps:
            told_s = f"{time.monotonic() - started:.0f} s"
            print(
                f"\r{told}: step {number} of {steps}, loss {np.mean(losses[-500:]):.3f}, {told_s} ", end="", flush=True
            )
    print()


def _windows(album: Album, rng: np.random.Generator) -> Batch:
    """Windows on defects; some show the same spot of the same part while it was good."""
    often = _OFTEN[album.kinds]
    chosen = rng.choice(len(often), _WINDOWS, p=often / often.sum())
    shown = np.empty((_WINDOWS, _WINDOW_PX, _WINDOW_PX, 1), np.uint8)
    wanted = np.zeros((_WINDOWS, len(LABELS)), np.float32)
    where = np.ones((_WINDOWS, _WINDOW_PLACES**2), np.float32)
    for number, index in enumerate(chosen):
        x, y = _window_at(album.boxes[index], rng)
        kind = album.kinds[index]
        if rng.random() < _GOOD_SHARE:
            index, kind = index - kind, GOOD  # noqa: PLW2901  # every_kind() put the good part before its spoiled twins
        else:
            where[number] = places_within(album.boxes[index] - (x, y, x, y), _WINDOW_PLACES, _WINDOW_PLACES)
        shown[number, :, :, 0] = album.pictures[index, y : y + _WINDOW_PX, x : x + _WINDOW_PX]
        wanted[number, kind] = 1
    return shown, wanted, where


def _window_at(box: npt.NDArray[np.float32], rng: np.random.Generator) -> tuple[int, int]:
    """The corner of a window that shows a good part of the box, not always in the middle."""
    x, y = box[:2] + (box[2:] - box[:2]) * rng.uniform(0.2, 0.8, 2) + _WINDOW_PX * rng.uniform(-0.75, -0.25, 2)
    return int(np.clip(x, 0, WIDTH - _WINDOW_PX)), int(np.clip(y, 0, HEIGHT - _WINDOW_PX))


def _wholes(album: Album, rng: np.random.Generator) -> Batch:
    """Whole pictures: as many good parts as spoiled ones, and some without a part."""
    goods, bads = np.flatnonzero(album.kinds == GOOD), np.flatnonzero(album.kinds != GOOD)
    chosen = np.concatenate([rng.choice(goods, _WHOLES // 2), rng.choice(bads, _WHOLES // 2)])
    empty = list(without_part(album.pictures[rng.choice(goods, _EMPTY)], rng))
    shown = np.concatenate([album.pictures[chosen], empty])[:, :, :, None]
    wanted = np.full((_WHOLES + _EMPTY, len(LABELS)), 1 / len(LABELS), np.float32)  # without a part, no answer is right
    wanted[:_WHOLES] = np.eye(len(LABELS))[album.kinds[chosen]]
    where = np.ones((_WHOLES + _EMPTY, ROWS * COLUMNS), np.float32)
    for number, index in enumerate(chosen):
        if album.kinds[index] != GOOD:
            where[number] = places_within(album.boxes[index], ROWS, COLUMNS)
    return shown, wanted, where


def places_within(box: npt.NDArray[np.float32], rows: int, columns: int) -> npt.NDArray[np.float32]:
    """(rows x columns,): 1 for each place that the box touches."""
    left, top = np.maximum(np.floor(box[:2] / PLACE_PX), 0).astype(int)
    right, bottom = np.maximum(np.ceil(box[2:] / PLACE_PX), 0).astype(int)
    within = np.zeros((rows, columns), np.float32)
    within[top:bottom, left:right] = 1
    return within.reshape(-1)


def _scores(trunk: keras.Model, head: keras.Model, pictures: Pictures) -> npt.NDArray[np.float32]:
    run = tf.function(lambda shown: scores_of(head(trunk(shown, training=False))), autograph=False)
    return np.concatenate([run(pictures[at : at + 50, :, :, None]).numpy() for at in range(0, len(pictures), 50)])


def _card(options: argparse.Namespace, album: Album, took_s: float) -> dict[str, Any]:
    seeds, count = TRAINING_SEEDS[: options.scenes], len(album.kinds)
    return {
        "what": "Surface and drilling of the virtual camera's bearing plates; simulated parts only.",
        "trained_on": f"scenes {seeds.start} to {seeds.stop - 1}, {options.parts} parts of each, {count} pictures",
        "limits_set_on": f"scenes {LIMIT_SEEDS.start} to {LIMIT_SEEDS[: options.scenes][-1]}",
        "training": f"{options.steps} steps, seed {options.seed}, {took_s / 60:.0f} min",
    }


if __name__ == "__main__":
    main()
