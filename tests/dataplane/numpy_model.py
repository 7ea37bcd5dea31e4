"""Models in numpy behind a real Manager: what the data plane's and the transports' tests stand on."""

import threading
from dataclasses import dataclass, field, replace

import numpy as np

from appliance.dataplane import DataPlane, Metrics, ModelSpec
from appliance.dataplane.local import LocalBackend
from appliance.protos import message
from appliance.runtimes.dtypes import tensorflow_number
from appliance.runtimes.model import Signature, TensorSpec
from appliance.serving import LoadRefused, Manager, availability_preserving, main_ram

PREDICT, CLASSIFY, REGRESS = (f"tensorflow/serving/{call}" for call in ("predict", "classify", "regress"))


@dataclass(frozen=True)
class Function:
    """A signature and what it computes."""

    run: object
    inputs: dict
    """Alias to numpy dtype."""
    outputs: dict
    method: str = PREDICT
    defaults: dict = field(default_factory=dict)
    """Alias to TensorProto."""
    tensors: dict = field(default_factory=dict)
    """Alias to the name in the graph, where it is not `<alias>:0`."""


class NumpyModel:
    """Every call is kept in `calls`: the signature, and the outputs asked for."""

    engine = "litert"
    engine_reason = "a test's"
    digest = "sha256:of-a-test"

    def __init__(self, functions, *, uncallable=()):
        self.metadata = {}
        self._functions = functions
        self.calls = []
        self.signatures = {key: _signature(key, one) for key, one in functions.items() if key not in uncallable}
        self.signature_defs = {key: _signature_def(_signature(key, one), one) for key, one in functions.items()}

    def run(self, signature, inputs, outputs=None):
        self.calls.append((signature, outputs))
        found = self._functions[signature].run(**inputs)
        return found if outputs is None else {alias: found[alias] for alias in outputs}

    def run_together(self, signatures, inputs):
        self.calls.append((tuple(signatures), None))
        return {key: self._functions[key].run(**inputs) for key in signatures}


def _signature(key, function):
    def specs(tensors):
        return {
            alias: TensorSpec(alias, dtype, None, function.tensors.get(alias, f"{alias}:0"))
            for alias, dtype in tensors.items()
        }

    return Signature(key, function.method, specs(function.inputs), specs(function.outputs))


def _signature_def(signature, function):
    made = message("tensorflow.SignatureDef")(method_name=signature.method)
    for specs, tensors in ((signature.inputs, made.inputs), (signature.outputs, made.outputs)):
        for spec in specs.values():
            tensors[spec.alias].name = spec.tensor
            tensors[spec.alias].dtype = tensorflow_number(spec.dtype)
    for alias, proto in function.defaults.items():
        made.defaults[alias].CopyFrom(proto)
    return made.SerializeToString()


def example(**floats):
    """A serialized tensorflow.Example."""
    made = message("tensorflow.Example")()
    for name, value in floats.items():
        made.features.feature[name].float_list.value.append(value)
    return made.SerializeToString()


def parsed(inputs):
    """The feature x of each example, as [n, 1]."""
    examples = [message("tensorflow.Example").FromString(one) for one in inputs]
    return np.array([[one.features.feature["x"].float_list.value[0]] for one in examples], "float32")


def _strings(rows):
    return np.array([[item.encode() for item in row] for row in rows], dtype=object)


def half_plus_two():
    """TensorFlow Serving's favourite, and signatures that go wrong in each way there is."""
    zero = message("tensorflow.TensorProto")(dtype=1, float_val=[0.0])
    zero.tensor_shape.dim.add(size=1)

    def scores(inputs):
        return {"scores": 0.5 * parsed(inputs) + 2}

    def labelled(inputs):
        one = _strings([["car", "bike"]] * len(inputs))
        return {"classes": one, "scores": np.hstack([parsed(inputs), -parsed(inputs)])}

    text = {"inputs": "object"}
    halved = Function(
        lambda x: {"y": x / 2 + 2, "twice": x * 2}, {"x": "float32"}, {"y": "float32", "twice": "float32"}
    )
    return {
        "serving_default": halved,
        "with_default": replace(halved, defaults={"x": zero}),
        "two_inputs": Function(lambda a, b: {"sum": a + b}, {"a": "float32", "b": "float32"}, {"sum": "float32"}),
        "strange_method": replace(halved, method="somebody/else"),
        "classify": Function(scores, text, {"scores": "float32"}, CLASSIFY),
        "labelled": Function(labelled, text, {"classes": "object", "scores": "float32"}, CLASSIFY),
        "classes_only": Function(lambda inputs: {"classes": labelled(inputs)["classes"]}, text, {"classes": "object"}),
        "three_outputs": Function(scores, text, dict.fromkeys("abc", "float32"), CLASSIFY),
        "no_scores": Function(scores, text, {"foo": "float32"}, CLASSIFY),
        "flat_scores": Function(
            lambda inputs: {"scores": np.zeros(len(inputs), "float32")}, text, {"scores": "float32"}
        ),
        "int_scores": Function(lambda inputs: {"scores": np.zeros((1, 2), "int32")}, text, {"scores": "int32"}),
        "few_scores": Function(lambda inputs: {"scores": np.zeros((1, 2), "float32")}, text, {"scores": "float32"}),
        "uneven": Function(
            lambda inputs: {"classes": _strings([["a"]]), "scores": np.zeros((1, 2), "float32")},
            text,
            {"classes": "object", "scores": "float32"},
        ),
        "regress": Function(lambda inputs: {"outputs": parsed(inputs) + 3}, text, {"outputs": "float32"}, REGRESS),
        "regress_flat": Function(
            lambda inputs: {"outputs": parsed(inputs)[:, 0]}, text, {"outputs": "float32"}, REGRESS
        ),
        "regress_wide": Function(lambda inputs: {"outputs": np.zeros((1, 3), "float32")}, text, {"outputs": "float32"}),
        "regress_few": Function(lambda inputs: {"outputs": np.zeros(1, "float32")}, text, {"outputs": "float32"}),
        "regress_double": Function(lambda inputs: {"outputs": np.zeros(1)}, text, {"outputs": "float64"}),
        "regress_floats": Function(lambda inputs: {"outputs": inputs}, {"inputs": "float32"}, {"outputs": "float32"}),
        "other_tensor": Function(
            lambda inputs: {"outputs": parsed(inputs)}, text, {"outputs": "float32"}, REGRESS, tensors={"inputs": "q:0"}
        ),
        "sparse": halved,
    }


class Serving:
    """A Manager that serves models, and a DataPlane over it."""

    def __init__(self, models, labels=None, **options):
        """`models`: name to {version: NumpyModel or None for one that does not load}."""
        self.manager = Manager(availability_preserving, executors=lambda _: AtOnce())
        self.metrics = Metrics()
        self.labels = labels or {}
        self.plane = DataPlane(
            LocalBackend(self.manager, lambda name: self.labels.get(name, {})), self.metrics, **options
        )
        for name, versions in models.items():
            self.aspire(name, versions)

    def aspire(self, name, versions):
        self.manager.aspire(name, {version: Ready(model) for version, model in versions.items()})
        while self.manager.step() is not None:
            pass

    def predict(self, inputs, key="", output_filter=(), name="half", **spec):
        with self.plane.borrow(ModelSpec(name, **spec)) as borrowed:
            return self.plane.predict(borrowed, key, inputs, output_filter)


class AtOnce:
    def submit(self, task):
        task()

    def stop(self, timeout_s):
        return True


class Ready:
    """A loader whose model is there already."""

    def __init__(self, model):
        self._model = model

    def estimate_resources(self):
        return main_ram(1)

    def load(self, id, /):  # noqa: A002
        if self._model is None:
            raise LoadRefused(f"{id} is no model")
        return self._model

    def unload(self):
        pass


class Gate:
    """A function that says that it runs, and waits until the test lets it go."""

    def __init__(self):
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()
        self.runs = 0

    def __call__(self, x):
        self.runs += 1
        self.entered.release()
        assert self.release.wait(30)
        return {"y": x}

    @property
    def model(self):
        return NumpyModel({"serving_default": Function(self, {"x": "float32"}, {"y": "float32"})})
