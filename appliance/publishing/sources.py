"""What a publisher gives as SOURCE, and what to do with what cannot be packaged."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from appliance.publishing.errors import PublishError

Kind = Literal["keras", "saved_model"]
_GRAPH: Final = "saved_model.pb"
_SEARCHED_MAX: Final = 10_000
_ONNX: Final = "convert it to a SavedModel (onnx2tf -i MODEL.onnx -o FOLDER) and package that folder"
_TORCH: Final = f"write it as ONNX (torch.onnx.export) and {_ONNX}"
_H5: Final = (
    "it is Keras' old format; open it with keras.models.load_model(FILE), save it with model.save('model.keras'), "
    "and package that file"
)
_WEIGHTS: Final = (
    "it is weights without their network; load them in your training script, and save the model as .keras, "
    f"or for PyTorch: {_TORCH}"
)
_ARCHIVE: Final = "unpack it, and package the folder that holds saved_model.pb, or the .keras file"
_REMEDIES: Final[Mapping[str, str]] = {
    ".h5": _H5,
    ".hdf5": _H5,
    ".tflite": "boxes make their own from a SavedModel, and check it against that; package what it was converted from: "
    "the .keras file or the SavedModel",
    ".onnx": _ONNX,
    ".pt": f"it is a PyTorch model; {_TORCH}",
    ".pth": f"it is a PyTorch model; {_TORCH}",
    ".ckpt": _WEIGHTS,
    ".safetensors": _WEIGHTS,
    ".index": _WEIGHTS,
    ".pb": "a frozen graph alone has no signature; package the folder that holds saved_model.pb and variables/",
    ".pkl": "it is a pickle, which runs code of anybody's; save the model as .keras in your training script",
    ".joblib": "it is a pickle, which runs code of anybody's; boxes take neural networks as SavedModel or .keras",
    ".zip": _ARCHIVE,
    ".gz": _ARCHIVE,
    ".tgz": _ARCHIVE,
    ".tar": _ARCHIVE,
    ".json": "it is a description without weights; package the .keras file or the SavedModel's folder",
}
_FLAVORS: Final[Mapping[str, str]] = {
    "pytorch": _TORCH,
    "onnx": _ONNX,
    "sklearn": "boxes take neural networks: a SavedModel or a .keras file",
    "xgboost": "boxes take neural networks: a SavedModel or a .keras file",
    "lightgbm": "boxes take neural networks: a SavedModel or a .keras file",
    "transformers": "save its TensorFlow network with tf.saved_model.save, and package that folder",
}


@dataclass(frozen=True, slots=True)
class Source:
    """A model that can be packaged."""

    kind: Kind
    path: Path
    """The `.keras` file, or the SavedModel's folder."""
    inspection: Path | None
    """An inspection.json that lies with it."""
    tracked: bool = False
    """It is an MLflow model."""


def find_source(path: Path) -> Source:
    """What lies at `path`. Reads names only. Raises: PublishError with what to do."""
    if path.is_dir():
        return _in_folder(path)
    if not path.exists():
        raise PublishError(
            f"{path} is not there; name a .keras file, a SavedModel's folder or an MLflow model's folder."
        )
    if path.suffix == ".keras":
        return Source("keras", path, _inspection(path.parent))
    remedy = _REMEDIES.get(path.suffix.lower(), "name a .keras file, a SavedModel's folder or an MLflow model's folder")
    raise PublishError(f"{path} cannot be packaged: {remedy}.")


def _in_folder(folder: Path) -> Source:
    if (folder / _GRAPH).is_file():
        return Source("saved_model", folder, _inspection(folder))
    if (folder / "MLmodel").is_file():
        return _of_mlflow(folder)
    versions = [each for each in folder.iterdir() if each.name.isdecimal() and (each / _GRAPH).is_file()]
    if versions:
        newest = max(versions, key=lambda each: int(each.name))
        raise PublishError(f"{folder} holds numbered versions; name one of them, such as {newest}.")
    if (folder / "model.weights.h5").is_file() and (folder / "config.json").is_file():
        raise PublishError(
            f"{folder} is an unpacked .keras file; zip its three files into model.keras, and package that."
        )
    found = _below(folder, _GRAPH) + _below(folder, "*.keras")
    if found:
        raise PublishError(
            f"{folder} is no model itself; name {found[0].parent if found[0].name == _GRAPH else found[0]}."
        )
    raise PublishError(
        f"{folder} holds no {_GRAPH}: it is no SavedModel; export one with tf.saved_model.save, or name a .keras file."
    )


def _of_mlflow(folder: Path) -> Source:
    """MLflow's layouts: a SavedModel somewhere below, or what mlflow.tensorflow.log_model stores: data/model.keras."""
    graphs, kerases = _below(folder, _GRAPH), _below(folder, "*.keras")
    if len(graphs) > 1 or (not graphs and len(kerases) > 1):
        names = ", ".join(str(one.relative_to(folder)) for one in graphs or kerases)
        raise PublishError(f"{folder} holds several models ({names}); name the one to package.")
    if graphs:
        home = graphs[0].parent
        return Source("saved_model", home, _inspection(home) or _inspection(folder), tracked=True)
    if kerases:
        return Source("keras", kerases[0], _inspection(kerases[0].parent) or _inspection(folder), tracked=True)
    if old := _below(folder, "*.h5"):
        raise PublishError(f"{folder} is an MLflow model with {old[0].relative_to(folder)}: {_H5}.")
    flavors = flavors_of((folder / "MLmodel").read_text(encoding="utf-8", errors="replace"))
    for flavor in flavors:
        if flavor in _FLAVORS:
            raise PublishError(f"{folder} is an MLflow model of the flavor {flavor}: {_FLAVORS[flavor]}.")
    shown = ", ".join(flavors) or "none"
    raise PublishError(
        f"{folder} is an MLflow model (flavors: {shown}) without a SavedModel or a .keras file; log one with "
        "mlflow.tensorflow.log_model(model), or with mlflow.log_artifacts(saved_model_folder)."
    )


def flavors_of(text: str) -> tuple[str, ...]:
    """The flavors that an MLmodel file names; of its YAML the two lowest levels are read, which are plain."""
    found, inside = [], False
    for line in text.splitlines():
        if not line.startswith(" "):
            inside = line.rstrip() == "flavors:"
        elif inside and line.startswith("  ") and line[2:3].strip() and line.rstrip().endswith(":"):
            found.append(line.strip()[:-1])
    return tuple(found)


def _below(folder: Path, pattern: str) -> list[Path]:
    found = []
    for count, file in enumerate(sorted(folder.rglob(pattern))):
        if count >= _SEARCHED_MAX:
            break
        if file.is_file():
            found.append(file)
    return found


def _inspection(folder: Path) -> Path | None:
    for file in (folder / "assets.extra" / "inspection.json", folder / "inspection.json"):
        if file.is_file():
            return file
    return None
