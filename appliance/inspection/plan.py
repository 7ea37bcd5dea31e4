"""A recipe joined with one loaded model: all that is needed to judge a frame, checked once."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from appliance.inspection.decide import Decision, decide, judge_part
from appliance.inspection.errors import RecipeError
from appliance.inspection.limits import Limits
from appliance.inspection.preprocess import InputSpec, Preprocessor
from appliance.inspection.recipe import RecipeConfig, effective


class TensorLike(Protocol):
    """What a model says of one of its tensors."""

    @property
    def dtype(self) -> str:
        """NumPy's name of the element type."""

    @property
    def shape(self) -> tuple[int | None, ...] | None:
        """None for a dimension of any size; None as a whole where the rank is unknown."""


class SignatureLike(Protocol):
    """What a model says of one way to call it."""

    @property
    def inputs(self) -> Mapping[str, TensorLike]:
        """Alias: tensor."""

    @property
    def outputs(self) -> Mapping[str, TensorLike]:
        """Alias: tensor."""


class Classifier(Protocol):
    """What the inspection needs of a loaded model; any runtime's model has it."""

    @property
    def digest(self) -> str:
        """`sha256:` and the digest of the version's files."""

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The model's inspection.json; empty where it has none."""

    @property
    def signatures(self) -> Mapping[str, SignatureLike]:
        """Key: signature."""

    def predict(self, inputs: Mapping[str, npt.NDArray[Any]], signature: str = ...) -> dict[str, npt.NDArray[Any]]:
        """Run on the caller's thread."""


class Plan:
    """How one model version judges frames under one recipe. Building it checks that the two fit."""

    def __init__(self, recipe: RecipeConfig, model: Classifier) -> None:
        """Raises: RecipeError with what does not fit, and where to change it."""
        said = effective(recipe, model.metadata)
        self.labels = _labels(said)
        self.preprocessor = Preprocessor(InputSpec.from_metadata(said["input"]))
        self.limits = Limits.from_metadata(said)
        self.limits.check(self.labels, self.preprocessor.spec.regions or ())
        self.signature = recipe.signature
        """Of the model, which is called."""
        self.input, self._output = _tensors(recipe, model, said.get("output"))
        self._check_input(model)
        self._check_output(model)

    def blank(self) -> npt.NDArray[Any]:
        """An input of the right shape, all zero: for the self-test of an idle line."""
        return np.zeros((len(self.preprocessor.windows), *self.preprocessor.spec.shape), self.preprocessor.spec.dtype)

    def infer(self, model: Classifier, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The scores, (rows, labels): one model call with all rows, or one each where the model takes one at a time."""
        return infer_rows(model, self.signature, self.input, self._output, batch)

    def judge(self, scores: npt.NDArray[Any]) -> Decision:
        """The part's decision from `infer`'s scores; its classes are those of the worst row. About 10 µs a row."""
        windows = self.preprocessor.windows
        rows = scores.reshape(len(windows), -1).tolist()
        return judge_part(
            [
                (one.name, one.region, decide(row, self.labels, self.limits.of(one.region), one.name))
                for row, one in zip(rows, windows, strict=True)
            ]
        )

    def _check_input(self, model: Classifier) -> None:
        """Raises: RecipeError."""
        tensor = model.signatures[self.signature].inputs[self.input]
        spec = self.preprocessor.spec
        rows = len(self.preprocessor.windows)
        if tensor.dtype != spec.dtype:
            raise RecipeError(
                f"The model's input {self.input!r} takes {tensor.dtype}, but input.dtype says {spec.dtype}; "
                "correct the recipe's [input] or the model's metadata."
            )
        if tensor.shape is None or any(_fits((count, *spec.shape), tensor.shape) for count in (rows, 1)):
            return
        if len(tensor.shape) == 4 and _fits(spec.shape, tensor.shape[1:]):
            raise RecipeError(
                f"The model takes {tensor.shape[0]} pictures at a time, and the recipe has {rows} regions or tiles; "
                "export the model with any batch size, or with one."
            )
        raise RecipeError(
            f"The model's input {self.input!r} has the shape {_shape(tensor.shape)}, but the recipe gives "
            f"{_shape((rows, *spec.shape))} (rows, height, width, channels); correct the recipe's [input] "
            "or use the model that belongs to it."
        )

    def _check_output(self, model: Classifier) -> None:
        shape = model.signatures[self.signature].outputs[self._output].shape
        if shape is not None and shape and shape[-1] is not None and shape[-1] != len(self.labels):
            raise RecipeError(
                f"The model's output {self._output!r} gives {shape[-1]} scores, but there are "
                f"{len(self.labels)} labels ({', '.join(self.labels)}); correct the labels."
            )


def infer_rows(model: Classifier, signature: str, alias: str, output: str, batch: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The output for each row: in one call, or in one for each where the model was exported for one at a time."""
    shape = model.signatures[signature].inputs[alias].shape
    if len(batch) == 1 or not shape or shape[0] != 1:
        return model.predict({alias: batch}, signature)[output]
    rows = (batch[row : row + 1] for row in range(len(batch)))
    return np.concatenate([model.predict({alias: row}, signature)[output] for row in rows])


def _labels(said: Mapping[str, Any]) -> tuple[str, ...]:
    labels: Sequence[str] | None = said.get("labels")
    if not labels:
        raise RecipeError("Neither the model's metadata nor the recipe names the classes; set recipe.labels.")
    if len(set(labels)) != len(labels):
        raise RecipeError(f"A label stands twice in {list(labels)}; each class needs a name of its own.")
    return tuple(str(label) for label in labels)


def _tensors(recipe: RecipeConfig, model: Classifier, output: str | None) -> tuple[str, str]:
    signature = model.signatures.get(recipe.signature)
    if signature is None:
        raise RecipeError(
            f"The model has no signature {recipe.signature!r}; it has {', '.join(model.signatures) or 'none'}."
        )
    if len(signature.inputs) != 1:
        raise RecipeError(f"The model takes {len(signature.inputs)} inputs; a camera gives one picture.")
    if output is None and len(signature.outputs) == 1:
        output = next(iter(signature.outputs))
    if output is None or output not in signature.outputs:
        raise RecipeError(
            f"The model's outputs are {', '.join(signature.outputs)}; set recipe.output to the one with the scores."
        )
    return next(iter(signature.inputs)), output


def _fits(wanted: tuple[int, ...], shape: tuple[int | None, ...]) -> bool:
    return len(wanted) == len(shape) and all(
        theirs is None or ours == theirs for ours, theirs in zip(wanted, shape, strict=True)
    )


def _shape(shape: Sequence[int | None]) -> str:
    return "×".join("any" if side is None else str(side) for side in shape)
