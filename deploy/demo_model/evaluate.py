"""Measures the demo's model on parts that it has never seen, through the appliance's own code, and writes the table.

Every part goes the way it goes on the box: cut and reduced by the preprocessor, scored by the engine that preparing
chose, decided by the limits in the model's inspection.json.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import numpy as np
from limits import wilson
from parts import GOOD, LABELS, MEASURING_SEEDS, Pictures, seen, without_part

from appliance.inspection.decide import Decision
from appliance.inspection.plan import Plan
from appliance.inspection.recipe import RecipeConfig
from appliance.inspection.result import Evaluation
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.runtimes.model import Model
from appliance.serving.ids import ServableId
from camera.conveyor import Scene
from camera.frame import Frame, PixelFormat

_REPOSITORY: Final = Path(__file__).parents[2]
_BANDS: Final = ((0.0, 0.25, "faint"), (0.25, 0.5, "middling"), (0.5, 1.01, "plain"))
"""Severity from, to (outside), and what it is called."""
_NO_PART: Final = "no part"


@dataclass(slots=True)
class Tally:
    """What became of the parts."""

    by_kind: dict[str, Counter[Evaluation]] = field(default_factory=dict)
    by_band: dict[str, Counter[Evaluation]] = field(default_factory=dict)
    """Defects only, by how plain they are."""
    named_right: Counter[str] = field(default_factory=Counter)
    """Kind: how many NotOK parts had their own defect as the highest score."""
    preprocess_ms: list[float] = field(default_factory=list)
    infer_ms: list[float] = field(default_factory=list)

    def add(self, kind: str, severity: float, decision: Decision) -> None:
        """Count one part."""
        self.by_kind.setdefault(kind, Counter())[decision.evaluation] += 1
        if kind not in {LABELS[GOOD], _NO_PART}:
            band = next(name for low, high, name in _BANDS if low <= severity < high)
            self.by_band.setdefault(band, Counter())[decision.evaluation] += 1
        if decision.evaluation is Evaluation.NOT_OK and decision.classes[0].label == kind:
            self.named_right[kind] += 1


def main() -> None:
    """Read the arguments, measure, print the page."""
    options = _arguments()
    with tempfile.TemporaryDirectory() as cache:
        loader = SavedModelLoader(options.model, RuntimeConfig(cache=Path(cache), threads=1))
        model = loader.load(ServableId("demo", 1))
        plan = Plan(RecipeConfig(model="demo", deadline_ms=100), model)
        tally = Tally()
        for number, seed in enumerate(options.seeds, start=1):
            _measure(Scene(seed), options.parts, plan, model, tally)
            print(f"\rscene {number} of {len(options.seeds)}", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)
        page = _page(options, plan, model, tally)
        loader.unload()
    if options.out is not None:
        options.out.write_text(page, encoding="utf-8")
    print(page)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    model = _REPOSITORY / "appliance" / "demo_model" / "1"
    parser.add_argument("--model", type=Path, default=model, help="the version's folder (default: %(default)s)")
    parser.add_argument("--scenes", type=int, default=len(MEASURING_SEEDS), help="scenes (default: %(default)s)")
    parser.add_argument("--parts", type=int, default=240, help="parts of each scene (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write the page to this file as well")
    options = parser.parse_args()
    options.seeds = MEASURING_SEEDS[: options.scenes]
    return options


def _measure(scene: Scene, parts: int, plan: Plan, model: Model, tally: Tally) -> None:
    """One in five is bad, as they come; and for every tenth part also a picture without a whole one."""
    shown: list[Pictures] = []
    for index in range(parts):
        pixels, truth = scene.part(index)
        frame = Frame(pixels, PixelFormat.MONO8, sequence=index, epoch=1, exposed_ns=0, exposed_utc_ns=0)
        began = time.perf_counter()
        batch = plan.preprocessor.apply(frame)
        between = time.perf_counter()
        scores = plan.infer(model, batch)
        tally.infer_ms.append((time.perf_counter() - between) * 1e3)
        tally.preprocess_ms.append((between - began) * 1e3)
        tally.add(truth["kind"], truth["severity"], plan.judge(scores))
        if index % 10 == 0:
            shown.append(seen(pixels))
    for empty in without_part(np.stack(shown), np.random.default_rng(scene.seed)):
        tally.add(_NO_PART, 0.0, plan.judge(plan.infer(model, empty[None, :, :, None])))


def _page(options: argparse.Namespace, plan: Plan, model: Model, tally: Tally) -> str:
    seeds = options.seeds
    return f"""# How good the demo's model is

Measured {datetime.now(timezone.utc):%Y-%m-%d} by `deploy/demo_model/evaluate.py` on {_machine()},
through the appliance's own preprocessing, engine (`{model.engine}`) and decision.

Parts: scenes {seeds.start} to {seeds.stop - 1} of the virtual camera, {options.parts} of each as they come: one in five
is bad, and severities from 0.1 to 1 are equally frequent. The model has seen none of these plates, belts and lamps.
*No part* are pictures of the empty belt, of half a part, too dark, too bright, cut off or out of focus.

Limits: OK from {plan.limits.good_min} for good; NotOK from {_class_limits(plan)};
between them a person decides. Bounds are Wilson's, 95 %.

{_lines(_table(tally))}

{_lines(_bands(tally))}

{_lines(_sentences(tally))}
"""


def _lines(lines: Iterator[str]) -> str:
    return "\n".join(lines)


def _table(tally: Tally) -> Iterator[str]:
    yield "| what it is | parts | OK | NotDecidable | NotOK | passed, 95 % | NotOK and rightly named |"
    yield "|---|---|---|---|---|---|---|"
    for kind in (*LABELS, _NO_PART):
        named = f"{tally.named_right[kind]}" if kind not in {LABELS[GOOD], _NO_PART} else ""
        yield f"| {kind} | {_counts(tally.by_kind.get(kind, Counter()))} | {named} |"


def _bands(tally: Tally) -> Iterator[str]:
    yield "| defect | parts | OK | NotDecidable | NotOK | passed, 95 % |"
    yield "|---|---|---|---|---|---|"
    for low, high, name in _BANDS:
        yield f"| {name}: severity {low:g} to {min(high, 1):g} | {_counts(tally.by_band.get(name, Counter()))} |"


def _sentences(tally: Tally) -> Iterator[str]:
    goods = tally.by_kind[LABELS[GOOD]]
    bads = sum((tally.by_kind[kind] for kind in LABELS[1:] if kind in tally.by_kind), Counter[Evaluation]())
    yield f"- Escapes: {_rate(bads[Evaluation.OK], bads.total())} of bad parts pass."
    yield f"- False rejects: {_rate(goods[Evaluation.NOT_OK], goods.total())} of good parts are NotOK,"
    yield f"  and a person looks at another {_rate(goods[Evaluation.NOT_DECIDABLE], goods.total())}."
    times = (np.quantile(tally.preprocess_ms, 0.5), np.quantile(tally.infer_ms, 0.5), np.quantile(tally.infer_ms, 0.99))
    yield "- Time: preprocessing {:.2f} ms, the model {:.2f} ms (median; 99 %: {:.2f} ms), on one thread.".format(
        *times
    )


def _counts(seen_as: Counter[Evaluation]) -> str:
    ok, recheck, reject = (seen_as[one] for one in (Evaluation.OK, Evaluation.NOT_DECIDABLE, Evaluation.NOT_OK))
    return f"{seen_as.total()} | {ok} | {recheck} | {reject} | {_rate(ok, seen_as.total())}"


def _rate(hits: int, of: int) -> str:
    if of == 0:
        return "none seen"
    low, high = wilson(hits, of)
    return f"{hits / of:.2%} ({low:.2%} to {high:.2%})"


def _class_limits(plan: Plan) -> str:
    return ", ".join(f"{label} {limit}" for label, limit in plan.limits.per_class.items())


def _machine() -> str:
    names = (line for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if "model name" in line)
    name = next(names, f": {platform.machine()}").split(":")[1].strip()
    return f"{os.cpu_count()} cores of {name}"


if __name__ == "__main__":
    main()
