"""A process that does what the line does with its outbox, to be started and killed at any moment.

    python line.py FOLDER PARTS_PER_S

prints a line for each message that is on the disk: ROW CAMERA STREAM SEQUENCE PAYLOAD.
"""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from appliance.outbox.reader import Reader
from appliance.outbox.store import Outbox


class Line:
    """Lives of the line's process on one folder, and what each said to be on the disk."""

    def __init__(self, folder):
        self._folder = folder
        self.recorded = []
        self._process = None
        self._reader = None

    def start(self, rate=200):
        command = [sys.executable, __file__, str(self._folder), str(rate)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, args=(self._process.stdout,))
        self._reader.start()

    def signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        self._reader.join()
        self._process.stdout.close()

    def _read(self, pipe):
        for line in pipe:
            if line.endswith(b"\n"):  # the last one may be cut short
                row, camera, stream, sequence, payload = line.decode().split()
                self.recorded.append((int(row), camera, stream, int(sequence), bytes.fromhex(payload)))


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
