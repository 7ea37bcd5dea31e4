"""A process that does what the line does with its outbox, to be killed at any moment.

    python line.py FOLDER PARTS_PER_S

prints a line for each message that is on the disk: ROW CAMERA STREAM SEQUENCE RESULT_ID.
"""

import itertools
import os
import sys
import time
from pathlib import Path

from appliance.outbox.reader import Reader
from appliance.outbox.row import from_disk  # noqa: F401 - imported early, so that a start is quick
from appliance.outbox.store import Outbox


def main() -> None:
    folder, rate = Path(sys.argv[1]), float(sys.argv[2])
    reader = Reader(folder)

    def tell(recorded):
        rows = {row.row: row for row in reader.after(recorded[0].row - 1, len(recorded))}
        lines = [
            f"{one.row} {one.camera} {one.stream} {one.sequence} {rows[one.row].payload.hex()}\n" for one in recorded
        ]
        os.write(1, "".join(lines).encode())

    outbox = Outbox(folder, max_bytes=64 * 1024**2, on_recorded=tell)
    outbox.start()
    life = time.monotonic_ns()
    for nth in itertools.count():
        camera = "top" if nth % 3 else "side"
        outbox.append(camera, "result", {"schema_version": 1, "result_id": f"{life}-{nth}", "pad": "x" * 300})
        time.sleep(1 / rate)


if __name__ == "__main__":
    main()
