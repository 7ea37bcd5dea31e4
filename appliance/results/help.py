"""The examples that `appliance results COMMAND --help` ends with."""

from pathlib import Path
from typing import Final

CONFIG: Final = Path("/etc/appliance/appliance.toml")
"""The operator's file where nobody says another one."""

RESULTS: Final = """examples:
  appliance results tail                                 each part as it is judged
  appliance results stats --since 8h                     how the shift went
  appliance results export --since 7d -o week.parquet    for whoever computes with them
  appliance results verify                               nothing missing, nothing changed
  appliance results outbox                               what waits for the broker
  appliance results replay --camera top --from-sequence 41200 --to-sequence 41260

All but replay read what is on the disk: they work while the line runs or is stopped, with every cable unplugged, and
on a copy of an outbox folder (--outbox), and never change it. Results are there until the broker has them, and then
for [outbox] keep_days. Run them as root or as a member of the appliance's group. Each command says more with --help.
"""
TAIL: Final = """examples:
  appliance results tail
  appliance results tail -n 100 --no-follow --camera top --verdict fail
  appliance results tail --json --since 1h | jq -r 'select(.evaluation=="Undefined") | .reason'

Times are UTC, as in the results. A gap (numbers that will never come) is always shown, whatever is filtered. A result
is shown when it is on the disk, whether the broker is there or not. End with Ctrl-C.
"""
EXPORT: Final = """examples:
  appliance results export -o results.jsonl              the messages byte for byte; `verify` reads it again
  appliance results export --since 7d --camera top -o week.csv
  appliance results export --since 30d -o month.parquet  typed columns; needs pyarrow
  appliance results export --rechecks rechecks.csv -o rechecked.csv
                                                         what `appliance recipe calibrate --rechecks` reads
  appliance results export --file archive.jsonl -o archive.parquet

FILE is written whole or not at all. In CSV and Parquet there is a row for each result; classes, regions, views and
model are JSON in a column; numbers that are missing are told on standard error. CSV is UTF-8 with values as they are:
what a spreadsheet would take for a formula stays what it is, so import it as text.
"""
STATS: Final = """examples:
  appliance results stats --since 8h
  appliance results stats --since 7d --by shift --camera top
  appliance results stats --since 7d --by model --rechecks rechecks.csv
  appliance results stats --json --by hour | jq .

First pass yield is the share of parts that passed, of all that were triggered; its bounds hold the true share in 19 of
20 samples (Clopper-Pearson). Escapes are counted among the passed parts that were rechecked, false rejects among the
failed ones: they are right for parts that were chosen by chance. Latency is from the trigger to the verdict.
"""
VERIFY: Final = """examples:
  appliance results verify                               all that this box still has
  appliance results verify results.jsonl                 an export, or what an MES archived
  appliance results verify results.jsonl --expect sha256:9f86d081884c..

Each message has `prev`, the SHA-256 of the message before it in its stream. verify proves that between the first and
the last message of each stream nothing is missing, doubled or changed, but for what a gap names. It does not prove who
wrote them: whoever can write a message can write the whole chain anew. Compare the last digest with one that somebody
else noted (--expect): then they are the same messages, up to there. Exit code 0: nothing found; 1: something; 2: wrong
usage.
"""
REPLAY: Final = """examples:
  appliance results replay --camera top --from-sequence 41200 --to-sequence 41260
  appliance results replay --camera top --from-sequence 1 --to-sequence 500 \\
                           --stream 0193a5f0-8a2b-7c61-9d4e-05f3a1b2c3d4

They go to <base>/<camera>/replay, with "replayed": true, behind all new results. Results that are no longer on the box
are named. Exit code 0: all of them were sent; 1: some are no longer here, or the box did not do it; 2: wrong usage.
"""
OUTBOX: Final = """examples:
  appliance results outbox
  appliance results outbox --watch
  appliance results outbox --json | jq .waiting

waiting: recorded, and not yet in the broker's hands; they have room before all others. kept: the broker has them; they
are here for replay and export, for [outbox] keep_days. Rates are measured over --interval.
"""
