"""`appliance results export`: results into a file, whole or not at all, or to standard output."""

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import BinaryIO, Final

from appliance.outbox.history import Selection
from appliance.outbox.row import GAP_TOPIC
from appliance.results.columns import columns, looks_like_a_formula
from appliance.results.errors import ResultsError
from appliance.results.message import Source
from appliance.results.rechecks import Rechecks
from appliance.results.source import Wanted, open_source, selection, wanted
from appliance.results.tables import Csv, JsonLines, Sheet
from appliance.results.terminal import HowFar, leave_standard_output, of, say
from appliance.results.whole import whole_file

_FORMATS: Final = {".csv": "csv", ".jsonl": "jsonl", ".json": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}


def export(options: argparse.Namespace) -> int:
    """All that is asked for. Raises: ResultsError, OutboxError, ConfigError."""
    kind = options.format or _kind(options.output)
    rechecks = None if options.rechecks is None else Rechecks(options.rechecks)
    sheet = _sheet(kind, rechecks)
    with closing(open_source(options)) as source:
        if options.output is None:
            return _to_standard_output(kind, source, sheet, options, rechecks)
        with whole_file(options.output, replaces=options.force) as out:
            done = _Export(source, selection(options), wanted(options))
            done.write(sheet(out))
    done.tell(str(options.output), kind, rechecks)
    return 0


def _to_standard_output(
    kind: str,
    source: Source,
    sheet: Callable[[BinaryIO], Sheet],
    options: argparse.Namespace,
    rechecks: Rechecks | None,
) -> int:
    if kind == "parquet" and sys.stdout.isatty():
        raise ResultsError("Parquet is nothing to read on a terminal: name a file with -o.")
    done = _Export(source, selection(options), wanted(options))
    try:
        done.write(sheet(sys.stdout.buffer))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        leave_standard_output()
        say(f"appliance: whoever reads this ended after about {of(done.results, 'result')}.")
        return 1
    except OSError as error:
        raise ResultsError(f"Standard output cannot be written ({error.strerror}).") from error
    done.tell("standard output", kind, rechecks)
    return 0


class _Export:
    """What was written, and what has to be said about it."""

    def __init__(self, source: Source, chosen: Selection, which: Wanted) -> None:
        self._source = source
        self._chosen = chosen
        self._which = which
        self.results = 0
        self._gaps = 0
        self._numbers_in_gaps = 0
        self._formulas = 0

    def write(self, sheet: Sheet) -> None:
        """From the first to the last. Raises: ResultsError, OutboxError, OSError."""
        try:
            self._write(sheet)
            sheet.finish()
        except BaseException:
            sheet.abandon()
            raise

    def _write(self, sheet: Sheet) -> None:
        progress = HowFar("results", self._source.about())
        for one in self._source.every(self._chosen):
            if one.topic == GAP_TOPIC:
                self._gaps += 1
                self._numbers_in_gaps += one.through - one.sequence + 1
                if self._which.is_all:
                    sheet.write(one)
            elif self._which.takes(one.fields):
                sheet.write(one)
                self.results += 1
                self._formulas += looks_like_a_formula(one)
                progress.at(self.results)
        progress.done()

    def tell(self, where: str, kind: str, rechecks: Rechecks | None) -> None:
        """To the person: how much it was, and what is not in it."""
        say(f"{of(self.results, 'result')} in {where}.")
        if self._gaps:
            is_there = kind == "jsonl" and self._which.is_all
            say(
                f"{of(self._gaps, 'gap')} for {of(self._numbers_in_gaps, 'number')} that will never come: "
                f"{'among the lines' if is_there else 'not in the table'}."
            )
        if self._source.damaged:
            say(f"Left out, not what was written: {of(self._source.damaged, 'row')}; see `results verify`.")
        if kind == "csv" and self._formulas:
            say(
                f"{of(self._formulas, 'result')} with a value that begins with =, +, - or @: a spreadsheet that is not "
                "told to import text computes it."
            )
        if rechecks is not None:
            _tell_rechecks(rechecks, kind)
        elif kind == "jsonl" and not self._which.is_all:
            say("It is filtered, so `results verify` will miss the others.")


def _tell_rechecks(rechecks: Rechecks, kind: str) -> None:
    if rechecks.contradictions:
        say(f"{of(rechecks.contradictions, 'recheck')} with both answers: the later one counts.")
    if kind == "jsonl":
        say("Lines with a recheck are not what was published: `results verify` reads an export without --rechecks.")


def _sheet(kind: str, rechecks: Rechecks | None) -> Callable[[BinaryIO], Sheet]:
    """Raises: ResultsError, where something is not installed: before anything is read."""
    if kind == "jsonl":
        return lambda out: JsonLines(out, rechecks)
    which = columns(None if rechecks is None else rechecks.of)
    if kind == "csv":
        return lambda out: Csv(out, which)
    from appliance.results.parquet import Parquet

    return lambda out: Parquet(out, which)


def _kind(output: Path | None) -> str:
    if output is None:
        return "jsonl"
    kind = _FORMATS.get(output.suffix.lower())
    if kind is None:
        raise ResultsError(f"{output} does not end with .csv, .jsonl or .parquet: say --format.")
    return kind
