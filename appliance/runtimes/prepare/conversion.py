"""What the converting step hands to the next: a small file beside what it made."""

from pathlib import Path

from pydantic import BaseModel

from appliance.runtimes.prepared import Tensors

GRAPH = "graph.pb"
TFLITE = "model.tflite"
_REPORT = "conversion.json"


class Conversion(BaseModel, extra="forbid", frozen=True):
    """Which conversions failed and why; the others have left their file."""

    failed: dict[str, str] = {}
    tensors: dict[str, Tensors] = {}
    same_as: dict[str, str] = {}

    def with_failure(self, engine: str, reason: str) -> "Conversion":
        return self.model_copy(update={"failed": {**self.failed, engine: reason}})

    def without_failure(self, engine: str) -> "Conversion":
        return self.model_copy(update={"failed": {name: why for name, why in self.failed.items() if name != engine}})

    def write(self, staging: Path) -> None:
        (staging / _REPORT).write_text(self.model_dump_json())

    @classmethod
    def read_and_remove(cls, staging: Path) -> "Conversion | None":
        """None where the step did not come that far."""
        file = staging / _REPORT
        if not file.is_file():
            return None
        found = cls.model_validate_json(file.read_bytes())
        file.unlink()
        return found
