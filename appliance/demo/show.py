"""What the demo writes to the terminal: a line per part, running counts, a summary."""

import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TextIO

_COLOURS: Final = {"pass": "\x1b[32m", "fail": "\x1b[31m", "NotDecidable": "\x1b[33m"}
_PLAIN: Final = "\x1b[0m"
_HEADER: Final = (
    f"{'part':>6}  {'verdict':<7}  {'evaluation':<12}  {'top class':<14} {'score':>6}  {'total':>8}  deadline"
)


def shown(place: Path | str) -> str:
    """A path as one would type it here: short where it lies below the current folder."""
    text, here = str(place), f"{Path.cwd()}/"
    return text.removeprefix(here)


@dataclass
class Show:
    """Prints results as they arrive. One thread."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    verdicts: Counter[str] = field(default_factory=Counter)
    evaluations: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    missed: int = 0
    totals_ms: list[float] = field(default_factory=list)
    is_brief: bool = False
    """Only the counts, now and then: something else is the story."""
    _in_place: bool = False

    @property
    def parts(self) -> int:
        """Results seen."""
        return sum(self.verdicts.values())

    def header(self) -> None:
        """The columns' names."""
        if not self.is_brief:
            self._write(_HEADER)

    def result(self, result: Mapping[str, Any]) -> None:
        """One part's line; every twentieth is followed by the counts."""
        self._count(result)
        if self.is_brief:
            self._brief(result)
            return
        top = next(iter(result["classes"]), None)
        label = top["label"] if top else result["reason"]
        score = f"{top['score']:.3f}" if top else "-"
        kept = "met" if result["deadline_met"] else "MISSED"
        verdict, evaluation = result["verdict"], result["evaluation"]
        self._write(
            f"{result['sequence']:>6}  {self._coloured(f'{verdict:<7}', verdict)}  "
            f"{self._coloured(f'{evaluation:<12}', evaluation)}  {label:<14} {score:>6}  "
            f"{result['processing_times']['total_ms']:>5.1f} ms  {kept}"
        )
        if evaluation == "Undefined" and result["detail"]:
            self._write(f"        {result['detail']}")
        if self.parts % 20 == 0:
            self._write(f"        {self.counts()}")

    def counts(self) -> str:
        """Everything so far, in one line."""
        kinds = ", ".join(f"{count} {name}" for name, count in self.evaluations.most_common())
        return (
            f"{self.parts} parts: {self.verdicts['pass']} passed, {self.verdicts['fail']} failed ({kinds}); "
            f"{self.missed} deadlines missed"
        )

    def summary(self) -> None:
        """The end of the demo."""
        self._write("")
        self._write(self.counts())
        if self.totals_ms:
            ordered = sorted(self.totals_ms)
            middle, tail = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
            self._write(
                f"trigger to verdict: median {middle:.1f} ms, 99 % below {tail:.1f} ms, worst {ordered[-1]:.1f} ms"
            )

    def say(self, text: str) -> None:
        """A sentence of the demo's own."""
        self._write(text)

    def progress(self, text: str) -> None:
        """A sentence that the next line replaces on a terminal; in a file it is a line of its own."""
        if self.out.isatty():
            self.out.write(f"\r\x1b[K{text}")
            self.out.flush()
            self._in_place = True
        else:
            self._write(text)

    def _brief(self, result: Mapping[str, Any]) -> None:
        version = result["model"]["version"] if result["model"] else "none"
        if self.out.isatty() or self.parts % 100 == 0:
            self.progress(f"        {self.counts()}; judged by version {version}")

    def _count(self, result: Mapping[str, Any]) -> None:
        self.verdicts[result["verdict"]] += 1
        self.evaluations[result["evaluation"]] += 1
        if result["reason"]:
            self.reasons[result["reason"]] += 1
        self.missed += not result["deadline_met"]
        self.totals_ms.append(result["processing_times"]["total_ms"])

    def _coloured(self, text: str, word: str) -> str:
        colour = _COLOURS.get(word)
        return f"{colour}{text}{_PLAIN}" if colour and self.out.isatty() else text

    def _write(self, text: str) -> None:
        if self._in_place:
            self.out.write("\r\x1b[K")
            self._in_place = False
        self.out.write(text + "\n")
        self.out.flush()
