"""What the machine itself does to the punctual: a bare loop with the line's rights and none of its code.

It wakes 50 times a second, makes a small picture of one of camera size, and notes how long after its time it was done.
Where it is as late as the line, the line could not have been earlier.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np

LOOP = """
import os, sys, time
import cv2, numpy as np
try:
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(14))
    os.sched_setaffinity(0, set(range(max(1, os.cpu_count() // 2))))
except PermissionError:
    print("ordinary priority", flush=True)
else:
    print("real-time", flush=True)
cv2.setNumThreads(1)
picture = np.zeros((1200, 1920), np.uint8)
file = open(sys.argv[1], "ab", buffering=0)
due = time.monotonic()
while True:
    due = max(due + 0.02, time.monotonic())
    time.sleep(due - time.monotonic() if due > time.monotonic() else 0)
    cv2.resize(picture, (224, 224), interpolation=cv2.INTER_AREA)
    file.write(np.array([time.time(), (time.monotonic() - due) * 1e3]).tobytes())
"""


class Floor:
    """The loop in a process of its own, from start() to end()."""

    def __init__(self, record: Path) -> None:
        self._record = record
        self._process: subprocess.Popen[str] | None = None
        self.title = ""

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOOP, str(self._record)], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.title = f"a bare loop, {self._process.stdout.readline().strip()}"

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def between(self, begin_s: float, end_s: float) -> np.ndarray:
        """Milliseconds from due to done of each round; seconds since 1970."""
        rounds = np.fromfile(self._record).reshape(-1, 2)
        return rounds[(rounds[:, 0] >= begin_s) & (rounds[:, 0] <= end_s), 1]
