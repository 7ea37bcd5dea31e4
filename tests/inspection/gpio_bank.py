"""Pins whose levels a test sets: the kernel's gpio-sim, by its own files. Needs root, configfs, and that module."""

import threading
import time
from pathlib import Path

CONFIG = Path("/sys/kernel/config/gpio-sim")


class Bank:
    """One chip of pins: plug() makes it, unplug() takes it away as a USB expander is. Its label stays the same."""

    def __init__(self, name, label, pins, count=8):
        """`pins`: by number, those that have a name."""
        self.name, self.label, self._config = name, label, CONFIG / name
        (self._config / "bank").mkdir(parents=True)
        (self._config / "bank" / "num_lines").write_text(str(count))
        (self._config / "bank" / "label").write_text(label)
        for number, pin in pins.items():
            (self._config / "bank" / f"line{number}").mkdir()
            (self._config / "bank" / f"line{number}" / "name").write_text(pin)

    def plug(self):
        (self._config / "live").write_text("1")
        chip = (self._config / "bank" / "chip_name").read_text().strip()
        device = (self._config / "dev_name").read_text().strip()
        self._pins = Path("/sys/devices/platform") / device / chip
        self.path = f"/dev/{chip}"
        limit = time.monotonic() + 5
        while not Path(self.path).exists():
            assert time.monotonic() < limit
            threading.Event().wait(0.01)
        return self

    def unplug(self):
        (self._config / "live").write_text("0")

    def set(self, number, *, high):
        """CLOCK_MONOTONIC before it."""
        now_ns = time.monotonic_ns()
        (self._pins / f"sim_gpio{number}" / "pull").write_text("pull-up" if high else "pull-down")
        return now_ns

    def pulse(self, number, length_s=0.0):
        """A part passes: CLOCK_MONOTONIC before the rising edge."""
        at_ns = self.set(number, high=True)
        if length_s:
            threading.Event().wait(length_s)
        self.set(number, high=False)
        return at_ns

    def remove(self):
        self.unplug()
        for line in (self._config / "bank").glob("line*"):
            line.rmdir()
        (self._config / "bank").rmdir()
        self._config.rmdir()
