"""Writes the SavedModels that `appliance serve` is tested with: `python make_models.py FOLDER`. Imports tensorflow."""

import sys
from pathlib import Path

import tensorflow as tf

FOLDER = Path(sys.argv[1])


def spec(shape, dtype, name):
    return tf.TensorSpec(shape, dtype, name=name)


class HalfPlus(tf.Module):
    """y = x / 2 + `plus`, as TensorFlow Serving's own test models."""

    def __init__(self, plus):
        self.plus = tf.Variable(float(plus), name="plus")

    @tf.function(input_signature=[spec([None], tf.float32, "x")])
    def serve(self, x):
        return {"y": x * 0.5 + self.plus}


class Counter(tf.Module):
    """Signatures that are called for what they do."""

    def __init__(self):
        self.count = tf.Variable(0.0, name="count")

    @tf.function(input_signature=[])
    def get(self):
        return {"output": self.count + 0.0}

    @tf.function(input_signature=[])
    def incr(self):
        return {"output": self.count.assign_add(1.0)}

    @tf.function(input_signature=[])
    def reset(self):
        return {"output": self.count.assign(0.0)}

    @tf.function(input_signature=[spec([], tf.float32, "delta")])
    def incr_by(self, delta):
        return {"output": self.count.assign_add(delta)}


class Slow(tf.Module):
    """Takes as long as it is asked to: so many turns, about a microsecond each."""

    @tf.function(input_signature=[spec([], tf.int32, "turns")])
    def serve(self, turns):
        def turn(done, value):
            return done + 1, tf.sin(value)

        return {"turned": tf.while_loop(lambda done, _: done < turns, turn, [0, 1.0])[0]}


def main():
    for plus in (2, 3, 4):
        module = HalfPlus(plus)
        tf.saved_model.save(module, str(FOLDER / f"plus_{plus}"), signatures={"serving_default": module.serve})
    counter = Counter()
    tf.saved_model.save(
        counter,
        str(FOLDER / "counter"),
        signatures={
            "get_counter": counter.get,
            "incr_counter": counter.incr,
            "reset_counter": counter.reset,
            "incr_counter_by": counter.incr_by,
        },
    )
    slow = Slow()
    tf.saved_model.save(slow, str(FOLDER / "slow"), signatures={"serving_default": slow.serve})


main()
