"""A camera's line without an appliance around it: models that say what they are told, and a camera on a wire."""

import threading
import time
from collections import deque
from contextlib import contextmanager

import numpy as np

from appliance.inspection import CameraLine, InForce, LineSettings, RecipeConfig, Reporter
from appliance.inspection.acquisition import AcquisitionSettings
from appliance.runtimes.model import TensorSpec
from appliance.serving import NotServing, ServableId
from camera.errors import CameraLost, CameraNotFound, CameraTimeout
from camera.frame import Frame, PixelFormat
from camera.protocol import CameraInfo

DIGEST = "sha256:" + "0" * 64
GOOD, REVIEW, BAD = [0.05, 0.95], [0.5, 0.5], [0.95, 0.05]


class Signature:
    def __init__(self):
        self.inputs = {"x": TensorSpec("x", "uint8", (None, 8, 8, 1), "x:0")}
        self.outputs = {"scores": TensorSpec("scores", "float32", (None, 2), "y:0")}


class Model:
    """Gives the scores that it is told to; `before` runs first."""

    def __init__(self, scores, name="surface", before=lambda: None):
        self.scores, self.name, self.before = scores, name, before
        self.digest = DIGEST
        self.signatures = {"serving_default": Signature()}
        self.metadata = {
            "labels": ["scratch", "good"],
            "good_label": "good",
            "input": {"width": 8, "height": 8, "color": "MONO8", "dtype": "uint8", "resize": "area"},
            "limits": {"per_class": {"scratch": 0.8}, "review": {"scratch": 0.4}, "good_min": 0.5},
        }

    def predict(self, inputs, signature="serving_default"):
        self.before()
        return {"scores": np.array([self.scores], np.float32)}


class Borrowed:
    def __init__(self, model):
        self.id = ServableId(model.name, 1)
        self.servable = model


def in_force(model, recipe="part", deadline_ms=500.0, **more):
    @contextmanager
    def borrow():
        if model is None:
            raise NotServing("surface", 1)
        yield Borrowed(model)

    settings = RecipeConfig(model="surface", deadline_ms=deadline_ms)
    return InForce(recipe, settings, DIGEST, deadline_ms, borrow, **more)


class WiredCamera:
    """A camera that a wire exposes. pulse() is an edge on it; what the camera does with it is the test's to say.

    It keeps the protocol's promises: pictures in order, each once, CameraLost when it is unplugged.
    """

    def __init__(self, *, counts=False, triggers_itself=True):
        self.triggers_itself = triggers_itself
        self.info = CameraInfo("wired", "test", "W1")
        self._counts = counts
        self._changed = threading.Condition()
        self._frames = deque()
        self._pulses = self._sequence = self._epoch = 0
        self._noise = np.random.default_rng(1)
        self.is_unplugged = False
        self.unasked = 0
        self._is_open = False

    def pulse(self, at_ns=None, *, ignored=False, lost=False, noise=False):
        """An edge. `ignored`: the camera is busy and makes nothing; `lost`: it exposes, and the picture never comes.

        `noise`: it exposes without an edge that it would count.
        """
        at_ns = time.monotonic_ns() if at_ns is None else at_ns
        with self._changed:
            self._pulses += not noise
            if ignored:
                return
            sequence, self._sequence = self._sequence, self._sequence + 1
            if lost:
                return
            self._frames.append(
                Frame(
                    self._noise.integers(0, 255, (8, 8), np.uint8),
                    PixelFormat.MONO8,
                    sequence,
                    self._epoch,
                    at_ns + 500_000,
                    time.time_ns(),
                    trigger_count=self._pulses if self._counts else None,
                )
            )
            self._changed.notify_all()

    def unplug(self):
        with self._changed:
            self.is_unplugged = True
            self._frames.clear()
            self._changed.notify_all()

    def plug(self):
        self.is_unplugged = False

    def open(self):
        if self.is_unplugged:
            raise CameraNotFound("the test's camera is unplugged")
        self._epoch += 1
        self._is_open = True

    def start(self):
        with self._changed:
            self._frames.clear()
            self._pulses = self._sequence = 0

    def trigger(self):
        self._check_plugged()
        self.pulse()

    def read(self, timeout_s):
        with self._changed:
            self._changed.wait_for(lambda: self._frames or self.is_unplugged or not self._is_open, timeout_s)
            if self.is_unplugged or not self._is_open:
                raise CameraLost("the test's camera is gone")
            if not self._frames:
                raise CameraTimeout(f"no frame within {timeout_s} s")
            return self._frames.popleft()

    def idle(self):
        pass

    def counters(self):
        self._check_plugged()
        return {"unasked": self.unasked}

    def _check_plugged(self):
        if self.is_unplugged:
            raise CameraLost("the test's camera is gone")

    def stop(self):
        with self._changed:
            self._frames.clear()

    def close(self):
        with self._changed:
            self._is_open = False
            self._changed.notify_all()


class Rig:
    """A line with its threads, from `with` to its end."""

    def __init__(self, camera, used, name="top", **settings):
        self.results = []
        self.line = CameraLine(
            camera,
            used,
            Reporter("box", name),
            LineSettings(AcquisitionSettings(detect_frozen=False, **settings), self_test_after_s=60),
            record=self.results.append,
            accepting=lambda: True,
            changed=lambda: None,
        )
        self._threads = [threading.Thread(target=body, name=role) for role, body in self.line.threads().items()]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        assert self.line.acquisition.tried.wait(10)
        return self

    def __exit__(self, *_):
        self.line.stop()
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), thread.name

    def said(self):
        return [(one.evaluation.value, one.reason and one.reason.value) for one in self.results]
