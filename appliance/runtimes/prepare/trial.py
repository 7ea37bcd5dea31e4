"""One engine on trial: `python -m appliance.runtimes.prepare.trial FOLDER STAGING OPTIONS RECORD`.

Loads the version as the line will, answers STAGING's samples.npz into answers.npz and writes trial.json. An engine
that fails ends this process with a sentence on stderr; one that crashes takes nothing else with it.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np

from appliance.errors import ApplianceError
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.description import describe
from appliance.runtimes.errors import InvalidInput, PredictError
from appliance.runtimes.memory import give_back, resident_bytes
from appliance.runtimes.model import Array, Model
from appliance.runtimes.opening import load_libraries, open_model
from appliance.runtimes.prepare.background import become_background
from appliance.runtimes.prepare.samples import packed, unpacked
from appliance.runtimes.prepared import Prepared, Trial
from appliance.runtimes.tensorflow.opening import does_not_run

SAMPLES, ANSWERS, TRIAL = "samples.npz", "answers.npz", "trial.json"
REFUSED = 2
"""Exit status where the engine said no in a sentence."""
Samples: TypeAlias = Mapping[str, Mapping[int, Mapping[str, Array]]]
"""By signature, number and alias."""
_RUNS_MIN, _RUNS_MAX, _TIMED_S = 20, 400, 4.0
_ROUNDS = 8
"""A neighbour on the same core doubles what calls take, for tenths of a second; the round disturbed least counts."""


def main(arguments: Sequence[str]) -> int:
    source, staging, options, record = Path(arguments[0]), Path(arguments[1]), arguments[2], arguments[3]
    config = RuntimeConfig.model_validate_json(options)
    become_background(config.prepare_memory_max)
    try:
        _try(source, staging, config, Prepared.model_validate_json(record))
    except ApplianceError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the parent reads it
        return REFUSED
    return 0


def _try(source: Path, staging: Path, config: RuntimeConfig, prepared: Prepared) -> None:
    samples = unpacked(staging / SAMPLES)
    file = staging / prepared.file.name if prepared.file else None
    description = describe(source, config.tags)
    load_libraries(prepared.engine)
    before, began = resident_bytes(), time.monotonic()
    model = open_model(source, description, prepared, file, config)
    load_s = time.monotonic() - began
    try:
        answers, first_run_ms = _answers(model, samples)
    except PredictError as error:
        raise does_not_run(source, error) from error
    np.savez(staging / ANSWERS, **packed(answers))  # type: ignore[arg-type]
    p50, p99, cpu_p50 = _times(model, samples, answers)
    give_back()
    trial = Trial(
        load_s=load_s,
        first_run_ms=first_run_ms,
        p50_ms=p50,
        p99_ms=p99,
        cpu_p50_ms=cpu_p50,
        resident_bytes=max(0, resident_bytes() - before),
    )
    (staging / TRIAL).write_text(trial.model_dump_json())


def _answers(model: Model, samples: Samples) -> tuple[Samples, float]:
    """Return the answers and what the first took. An input that the model refuses has none: it was our guess."""
    answers: dict[str, dict[int, dict[str, Array]]] = {}
    first_run_ms = 0.0
    for key, by_index in samples.items():
        for index, sample in by_index.items():
            began = time.perf_counter_ns()
            try:
                answers.setdefault(key, {})[index] = model.predict(sample, key)
            except InvalidInput:
                continue
            first_run_ms = first_run_ms or (time.perf_counter_ns() - began) / 1e6
    return answers, first_run_ms


def _times(model: Model, samples: Samples, answers: Samples) -> tuple[float, float, float]:
    """p50, p99 and the median of the thread's processor time, in ms, of the first sample that has an answer.

    The medians are those of the quickest round; p99 is over all calls.
    """
    answered = ((key, index) for key, by_index in answers.items() for index in by_index)
    key, index = next(answered, (None, 0))
    if key is None:
        return 0.0, 0.0, 0.0
    call, sample = model.bind(key), samples[key][index]
    walls: list[int] = []
    cpus: list[int] = []
    end = time.monotonic() + _TIMED_S
    while len(walls) < _RUNS_MAX and (len(walls) < _RUNS_MIN or time.monotonic() < end):
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        call(sample)
        walls.append(time.perf_counter_ns() - wall)
        cpus.append(time.thread_time_ns() - cpu)
    return _quickest_median(walls), float(np.percentile(walls, 99)) / 1e6, _quickest_median(cpus)


def _quickest_median(times_ns: Sequence[int]) -> float:
    """In ms."""
    return min(float(np.median(each)) for each in np.array_split(times_ns, _ROUNDS)) / 1e6


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
