"""`appliance results outbox`: what waits, how old it is, how fast it goes out."""

import argparse
import json
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from appliance.results.folder import of_config
from appliance.results.help import CONFIG
from appliance.results.holding import Look, Lookout
from appliance.results.holding_text import as_json, text
from appliance.results.recorded import RecordedRows
from appliance.results.source import outbox_folder
from appliance.results.terminal import pipe_may_end

_HOME: Final = "\x1b[H\x1b[J"


def outbox(options: argparse.Namespace) -> int:
    """Once, over an interval; or until Ctrl-C. Raises: ResultsError, OutboxError, ConfigError."""
    folder, max_bytes, keep_days = _place(options)
    with closing(RecordedRows(folder)) as rows, pipe_may_end():
        lookout = Lookout(folder, rows, max_bytes, keep_days)
        try:
            before = lookout.look()
            while True:
                time.sleep(options.interval)
                now = lookout.look()
                _show(before, now, options)
                if not options.watch:
                    return 0
                before = now
        except KeyboardInterrupt:
            return 0


def _place(options: argparse.Namespace) -> tuple[Path, int | None, float | None]:
    """The folder; and what only the operator's file says."""
    if options.outbox is not None:
        return outbox_folder(options), None, None
    config_file = options.config or CONFIG
    from appliance.config import load_config  # half a second that a copied folder does not need

    config = load_config(config_file)
    return of_config(config_file), int(config.outbox.max_bytes), config.outbox.keep_days


def _show(before: Look, now: Look, options: argparse.Namespace) -> None:
    if options.json:
        sys.stdout.write(json.dumps(as_json(before, now), ensure_ascii=False) + "\n")
    else:
        clears = _HOME if options.watch and sys.stdout.isatty() else ""
        sys.stdout.write(clears + text(before, now, sys.stdout) + ("\n\n" if options.watch and not clears else "\n"))
    sys.stdout.flush()
