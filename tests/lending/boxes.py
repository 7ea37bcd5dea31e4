"""A line and who borrows from it, with models that do as a test says."""

import threading

from running import until

from appliance.dataplane.local import LocalBackend
from appliance.lending import Lender, Limits, RemoteBackend
from appliance.runtimes.model import Signature, TensorSpec
from appliance.serving import (
    Manager,
    ResourceAllocation,
    ThreadExecutor,
    availability_preserving,
)

MESSAGE_MAX = 1 << 20
LIMITS = Limits(MESSAGE_MAX, 100)


class Adding:
    """A model that adds its number; it waits while it is told to, fails when it is told to."""

    engine = "litert"
    engine_reason = "a test's"
    metadata = {"labels": ["good", "bad"]}  # noqa: RUF012

    def __init__(self, number, dtype="float32"):
        self.number = number
        self.digest = f"sha256:{number}"
        tensor = TensorSpec("x", dtype, (None, 2), "x:0")
        answer = TensorSpec("y", dtype, None, "y:0")
        more = TensorSpec("with/slash", dtype, None, "z:0")
        one = Signature(
            "serving_default", "tensorflow/serving/predict", {"x": tensor}, {"y": answer, "with/slash": more}
        )
        two = Signature("other", "tensorflow/serving/predict", {"x": tensor}, {"y": answer})
        self.signatures = {"serving_default": one, "other": two}
        self.signature_defs = {"serving_default": b"\x00\xff raw", "unsupported": b"2"}
        self.go = threading.Event()
        self.go.set()
        self.running = 0
        self.at_once = 0
        self.error = None

    def run(self, signature, inputs, outputs=None):
        self.running += 1
        self.at_once = max(self.at_once, self.running)
        try:
            assert self.go.wait(30)
            if self.error:
                raise self.error
            found = {"y": inputs["x"] + self.number, "with/slash": inputs["x"] * 2}
            wanted = self.signatures[signature].outputs if outputs is None else outputs
            return {alias: found[alias] for alias in wanted}
        finally:
            self.running -= 1

    def run_together(self, signatures, inputs):
        return {key: self.run(key, inputs) for key in signatures}


class Loading:
    def __init__(self, model):
        self.model = model

    def estimate_resources(self):
        return ResourceAllocation()

    def load(self, _id, /):
        if isinstance(self.model, Exception):
            raise self.model
        return self.model

    def unload(self):
        pass


class Box:
    """A line's Manager, a lender's threads, and a backend on the other side of the wire."""

    def __init__(self, workers=2, queued_max=4):
        self.manager = Manager(availability_preserving, executors=ThreadExecutor)
        self.labels = {}
        self.local = LocalBackend(self.manager, lambda name: self.labels.get(name, {}))
        self.lender = Lender(self.local, workers, LIMITS, lambda: dict(self.labels))
        self.manager.monitor.subscribe(self.lender.changed)
        self.queued_max = queued_max
        self._stop = threading.Event()
        bodies = [lambda: self.manager.run(self._stop, tick_s=0.01), self.lender.tell, *[self.lender.lend] * workers]
        self._threads = [threading.Thread(target=body) for body in bodies]
        for thread in self._threads:
            thread.start()
        self.lives = []
        self._hearing = []

    def connect(self):
        life = self.lender.start_life()
        self.lives.append(life)
        remote = RemoteBackend(life.theirs[0], life.theirs[1:], limits=LIMITS, queued_max=self.queued_max)
        self._hearing.append(threading.Thread(target=remote.hear))
        self._hearing[-1].start()
        until(lambda: remote.is_known, "the first news", 10)
        return remote

    def serve(self, *models, name="m"):
        self.manager.aspire(name, {version: Loading(model) for version, model in models})

    def end(self):
        for life in self.lives:
            life.end()
        self.lender.stop()
        self._stop.set()
        for thread in self._threads + self._hearing:
            thread.join(10)
            assert not thread.is_alive()
        self.manager.stop(5)
