"""The order of things: try the SavedModel itself, convert, try what was made, compare, choose."""

import json
import time
from pathlib import Path

import numpy as np

from appliance.runtimes.child import Child, Ended
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import Description, describe
from appliance.runtimes.errors import LoadError, LoadRefused
from appliance.runtimes.model import DEFAULT_SIGNATURE, LAST_RESORT, Engine
from appliance.runtimes.prepare import choice, samples
from appliance.runtimes.prepare.conversion import GRAPH, TFLITE, Conversion
from appliance.runtimes.prepare.parity import Answers, Tolerance, compare
from appliance.runtimes.prepare.trial import ANSWERS, REFUSED, SAMPLES, TRIAL
from appliance.runtimes.prepared import Parity, Prepared, Trial, engine_file, made_with

_FILES: dict[Engine, str] = {"litert": TFLITE, "tensorflow-frozen": GRAPH}


class Preparation:
    """Of one version, in a staging folder that holds only the chosen engine's file afterwards."""

    def __init__(self, source: Path, staging: Path, config: RuntimeConfig) -> None:
        self._source = source
        self._staging = staging
        self._config = config
        self._end = time.monotonic() + config.prepare_timeout_s
        self._rejected: dict[Engine, str] = {}
        self._trials: dict[Engine, Trial] = {}
        self._parity: dict[Engine, Parity] = {}

    def run(self, digest: str) -> Prepared:
        """Raises: LoadRefused where the SavedModel itself cannot be served; LoadError."""
        description = describe(self._source, self._config.tags)
        plain = Prepared(source_digest=digest, engine=LAST_RESORT, engine_reason="", made_with=dict(made_with()))
        self._write_samples(description)
        reference = self._reference(plain)
        conversion = self._convert(description)
        made: dict[Engine, Prepared] = {LAST_RESORT: plain}
        for engine in self._order():
            if engine == LAST_RESORT:
                continue
            why_not = conversion.failed.get(engine) or _unchecked(description, reference)
            if why_not is None:
                made[engine] = self._record(plain, engine, conversion)
                why_not = self._try(made[engine], reference)
            if why_not is not None:
                self._rejected[engine] = f"{engine} is not possible ({why_not})"
        return self._chosen(made)

    def _order(self) -> list[Engine]:
        """As the settings name them; the SavedModel itself is always the last."""
        return [engine for engine in self._config.engines if engine != LAST_RESORT] + [LAST_RESORT]

    def _write_samples(self, description: Description) -> None:
        chosen = {}
        for key in _default_first(description):
            signature = description.signatures[key]
            own = samples.golden(self._source, signature) if key == DEFAULT_SIGNATURE else []
            chosen[key] = dict(enumerate([*own, *samples.drawn(signature)]))
        np.savez(self._staging / SAMPLES, **samples.packed(chosen))  # type: ignore[arg-type]

    def _reference(self, plain: Prepared) -> Answers:
        ended = self._trial(plain)
        if ended.code == REFUSED:
            raise LoadRefused(ended.how)
        if ended.code:
            raise LoadError(f"{self._source} could not be tried: {ended.how}")
        return self._results(LAST_RESORT)

    def _convert(self, description: Description) -> Conversion:
        keys = json.dumps(_default_first(description))
        options = self._config.model_dump_json()
        arguments = [str(self._source), str(self._staging), options, keys]
        ended = Child("appliance.runtimes.prepare.convert", arguments).wait(self._left_s())
        found = Conversion.read_and_remove(self._staging)
        if found is None:
            return Conversion(failed=dict.fromkeys(_FILES, f"converting failed: {ended.how}"))
        if ended.code:
            found = found.model_copy(
                update={"failed": {engine: f"{why} ({ended.how})" for engine, why in found.failed.items()}}
            )
        return found

    def _record(self, plain: Prepared, engine: Engine, conversion: Conversion) -> Prepared:
        return plain.model_copy(
            update={
                "engine": engine,
                "file": engine_file(self._staging / _FILES[engine]),
                "same_as": dict(conversion.same_as),
                "tensors": dict(conversion.tensors) if engine == "tensorflow-frozen" else {},
            }
        )

    def _try(self, record: Prepared, reference: Answers) -> str | None:
        """Return why this engine cannot be taken; None where its answers agree."""
        ended = self._trial(record)
        if ended.code:
            return ended.how
        tolerance = Tolerance(self._config.tolerance_absolute, self._config.tolerance_relative)
        compared = compare(reference, samples.unpacked(self._staging / ANSWERS), tolerance)
        self._parity[record.engine] = Parity(
            samples=compared.samples,
            largest_difference=compared.largest_difference,
            agrees=compared.disagreement is None,
        )
        if compared.disagreement is not None:
            return f"it answers otherwise ({compared.disagreement})"
        self._results(record.engine)
        return None

    def _trial(self, record: Prepared) -> Ended:
        for name in (ANSWERS, TRIAL):
            (self._staging / name).unlink(missing_ok=True)
        options = self._config.model_dump_json()
        arguments = [str(self._source), str(self._staging), options, record.model_dump_json()]
        return Child("appliance.runtimes.prepare.trial", arguments).wait(self._left_s())

    def _results(self, engine: Engine) -> Answers:
        self._trials[engine] = Trial.model_validate_json((self._staging / TRIAL).read_bytes())
        return samples.unpacked(self._staging / ANSWERS)

    def _left_s(self) -> float:
        return max(0.0, self._end - time.monotonic())

    def _chosen(self, made: dict[Engine, Prepared]) -> Prepared:
        order, threads = self._order(), self._config.threads
        allowed = [engine for engine in order if engine in self._config.engines and engine in self._trials]
        engine, slower = choice.choose(self._trials, allowed or [LAST_RESORT], threads)
        rejected = self._rejected | slower
        kept = _FILES.get(engine)
        for file in self._staging.iterdir():
            if file.name != kept:
                file.unlink()
        return made[engine].model_copy(
            update={
                "engine_reason": choice.reason(engine, self._trials, rejected, order, threads),
                "rejected": rejected,
                "trials": dict(self._trials),
                "parity": dict(self._parity),
            }
        )


def _default_first(description: Description) -> list[str]:
    return sorted(description.signatures, key=lambda key: (key != DEFAULT_SIGNATURE, key))


def _unchecked(description: Description, reference: Answers) -> str | None:
    for key, signature in description.signatures.items():
        if signature.inputs and not reference.get(key):
            return f"no sample fits signature {key!r}, so nothing could be compared; give {samples.GOLDEN}"
    return None
