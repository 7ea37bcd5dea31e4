"""One line for each result, as a person at the line reads it."""

from typing import Any, Final, TextIO

from appliance.outbox.row import GAP_TOPIC
from appliance.results import moments
from appliance.results.message import Message
from appliance.results.terminal import ALARM, DIM, GREEN, RED, YELLOW, clean, coloured, count

_COLOURS: Final = {"OK": GREEN, "NotOK": RED, "NotDecidable": YELLOW, "Undefined": YELLOW}


class Pretty:
    """One thread. What seldom changes (day, recipe, model, stream) has a line of its own when it does."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._day = ""
        self._of_camera: dict[str, str] = {}
        self._models: dict[str, str] = {}
        self._wide = 0

    def message(self, one: Message) -> None:
        """A result, or a gap."""
        if one.topic == GAP_TOPIC:
            why = clean(one.fields.get("reason"))
            self._alarm(f"GAP  {one.camera}: {_numbers(one.sequence, one.through)} will never come ({why})", one.stream)
            return
        at = clean(one.fields.get("exposure_time_utc") or moments.text(one.at_utc_ns))
        self._headings(one, at[:10])
        self._write(_line(one.fields, at[11:-1], self._wide), _COLOURS.get(str(one.fields.get("evaluation")), ""))

    def missing(self, camera: str | None, stream: str, first: int, last: int) -> None:
        """Numbers that nobody named."""
        self._alarm(f"MISSING  {camera}: {_numbers(first, last)}: not here, and no gap names them", stream)

    def notice(self, sentence: str) -> None:
        """What else happened."""
        self._write(f"-- {sentence} --", YELLOW)

    def _headings(self, one: Message, day: str) -> None:
        if day != self._day:
            self._day = day
            self._write(f"-- {day} (UTC) --", DIM)
        camera = str(one.camera)
        self._wide = max(self._wide, len(camera))
        model = one.fields.get("model")
        if isinstance(model, dict):
            self._models[camera] = f"{model.get('name')} {model.get('version')}"
        heading = (
            f"{camera}: recipe {clean(one.fields.get('recipe_id'))}, model {clean(self._models.get(camera, '-'))}, "
            f"stream {one.stream}"
        )
        if self._of_camera.get(camera) != heading:
            self._of_camera[camera] = heading
            self._write(f"-- {heading} --", DIM)

    def _alarm(self, text: str, stream: str) -> None:
        self._write(f"!! {text}, stream {stream}", ALARM)

    def _write(self, text: str, colour: str) -> None:
        self._out.write(coloured(text, colour, self._out) + "\n")


def _line(fields: dict[str, Any], at: str, wide: int) -> str:
    classes = fields.get("classes") or [{}]
    best = classes[0]
    score = f"{best['label']} {best['score']:.3f}" if "score" in best else "-"
    total = (fields.get("processing_times") or {}).get("total_ms")
    cells = [
        at.ljust(12),
        clean(fields.get("camera")).ljust(wide),
        f"{fields.get('sequence')!s:>7}",
        f"{fields.get('verdict')!s:4}",
        f"{fields.get('evaluation')!s:12}",
        f"{clean(score):16}",
        "        -" if total is None else f"{total:>6.1f} ms",
        "LATE" if fields.get("deadline_met") is False else "    ",
        clean(fields.get("reason") or ""),
        clean("" if fields.get("part_id") is None else f"part {fields['part_id']}"),
        clean("" if fields.get("detail") is None else f"({fields['detail']})"),
    ]
    return "  ".join(cell for nth, cell in enumerate(cells) if cell or nth < 8).rstrip()


def _numbers(first: int, last: int) -> str:
    return f"number {first}" if first == last else f"{count(last - first + 1)} numbers, {first} to {last},"
