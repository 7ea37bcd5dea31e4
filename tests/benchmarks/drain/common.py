"""What each contender is told, and how it answers: the same for all, and the standard library only.

    python CONTENDER.py PORT TOPIC WINDOW FOLDER COUNT

Fills its backlog with COUNT messages (0: takes up what an earlier run has left), prints `ready`, waits for a line,
drains, and prints a line of JSON.
"""

import json
import sys
import time


def messages(count):
    for number in range(1, count + 1):
        yield json.dumps({"number": number, "verdict": "pass", "pad": "x" * 350}, separators=(",", ":")).encode()


class Run:
    def __init__(self):
        port, self.topic, window, self.folder, count = sys.argv[1:]
        self.port, self.window, self.count = int(port), int(window), int(count)

    def go(self):
        """The backlog is there: wait for the word."""
        print("ready", flush=True)
        sys.stdin.readline()
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def done(self, count):
        """The broker has acknowledged so many."""
        seconds, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu
        print(json.dumps({"count": count, "seconds": seconds, "cpu": cpu}), flush=True)
