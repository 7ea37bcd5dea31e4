"""One pin of this box, held for its edges by libgpiod, with the kernel's own time of each."""

import errno
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from appliance.inspection.gpio_chip import PinError, library, offset, open_chip

if TYPE_CHECKING:
    import gpiod

CONSUMER: Final = "appliance"
"""Who holds the pin, as `gpioinfo` shows it."""
_QUEUE: Final = 1024
"""Edges that the kernel keeps for us: the most that it can. Its default is 16."""
_ALIVE_S: Final = 1.0
"""A silent pin is asked for its level so often: kernels before 6.1 do not say that a chip is gone."""
_REFUSED: Final = (errno.EINVAL, errno.EOPNOTSUPP, 524)  # 524: the kernel's own ENOTSUPP, which has no name outside
_BIAS: Final = {"as-is": "AS_IS", "disabled": "DISABLED", "pull-up": "PULL_UP", "pull-down": "PULL_DOWN"}


class PinBusy(PinError):
    """Somebody else holds it."""

    def __init__(self, sentence: str, consumer: str) -> None:
        super().__init__(sentence)
        self.consumer = consumer
        """As `gpioinfo` names them."""


@dataclass(frozen=True, slots=True)
class EyeSettings:
    """Which pin, which edge, and how long before the part is in front of the camera."""

    chip: str
    """Path, name or label."""
    line: int | str
    """Number or name."""
    edge: str
    """rising or falling."""
    bias: str
    """as-is, disabled, pull-up or pull-down."""
    debounce_s: float
    """A level has to stay so long; 0: every edge counts."""
    delay_s: float
    debounce_by: str = "box"
    """box: by us, from all edges; kernel: by the kernel or the chip, which tell of a change when they are sure."""
    late_s: float | None = 0.02
    """An edge that is noticed later than this is a part that nobody photographs; None: something else exposes."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The level changed."""

    at_ns: int
    """CLOCK_MONOTONIC of the interrupt."""
    is_high: bool
    """The level after it."""
    number: int
    """From 1 since the pin was opened. Numbers that are missing did not fit into the kernel's queue."""


class Pin:
    """Opened when made. Threads: one; every method at most as long as it is told, and a read of the chip.

    Raises, from every method: PinError.
    """

    def __init__(self, settings: EyeSettings, *, label: str | None = None) -> None:
        """`label`: of the chip that it was on before. Its number may be another when it is plugged in again."""
        gpio = library()
        self.debounced_by_kernel = settings.debounce_by == "kernel" and settings.debounce_s > 0
        try:
            self._chip = chip = open_chip(gpio, settings.chip, label)
        except OSError as error:
            raise PinError(f"{settings.chip} cannot be opened ({error.strerror}); was it unplugged?") from error
        try:
            info = chip.get_info()
            self.label: str = info.label
            self._offset = offset(gpio, chip, settings.line)
            name = chip.get_line_info(self._offset).name
            self.name = f"pin {self._offset}{f' ({name})' if name else ''} of {info.name} ({info.label})"
            self._request = self._requested(gpio, settings)
        except OSError as error:
            chip.close()
            raise PinError(f"{settings.chip} cannot be used ({error.strerror}); was it unplugged?") from error
        except PinError:
            chip.close()
            raise
        self._asked_s = time.monotonic()

    def read(self, timeout_s: float) -> list[Edge]:
        """The edges since the last call, oldest first; where there are none, those of the next `timeout_s`."""
        with self._translated():
            if not self._request.wait_edge_events(max(0.0, timeout_s)):
                if time.monotonic() - self._asked_s > _ALIVE_S:
                    self._level()
                return []
            events = self._request.read_edge_events(_QUEUE)
        now_ns = time.monotonic_ns()
        self._asked_s = now_ns / 1e9
        rising = events[0].Type.RISING_EDGE if events else None
        return [Edge(min(one.timestamp_ns, now_ns), one.event_type is rising, one.line_seqno) for one in events]

    def is_high(self) -> bool:
        """The level now."""
        with self._translated():
            return self._level()

    def close(self) -> None:
        """Let go of it."""
        with suppress(OSError):  # the chip may be gone
            self._request.release()
        with suppress(OSError):
            self._chip.close()

    def _level(self) -> bool:
        self._asked_s = time.monotonic()
        return bool(self._request.get_value(self._offset).value)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise PinError(f"{self.name} cannot be read any more ({error.strerror}); was it unplugged?") from error

    def _requested(self, gpio: Any, settings: EyeSettings) -> "gpiod.LineRequest":
        try:
            return self._request_lines(gpio, settings)
        except OSError as error:
            if error.errno in _REFUSED and self.debounced_by_kernel:
                self.debounced_by_kernel = False  # a period that the chip's own filter cannot have
                return self._requested(gpio, settings)
            raise self._why(error, settings) from error

    def _request_lines(self, gpio: Any, settings: EyeSettings) -> "gpiod.LineRequest":
        line = gpio.line
        one_edge = line.Edge.RISING if settings.edge == "rising" else line.Edge.FALLING
        by_us = settings.debounce_s > 0 and not self.debounced_by_kernel
        wanted = gpio.LineSettings(
            direction=line.Direction.INPUT,
            edge_detection=line.Edge.BOTH if by_us else one_edge,
            bias=getattr(line.Bias, _BIAS[settings.bias]),
            debounce_period=timedelta(seconds=settings.debounce_s if self.debounced_by_kernel else 0.0),
            event_clock=line.Clock.MONOTONIC,
        )
        return self._chip.request_lines({self._offset: wanted}, consumer=CONSUMER, event_buffer_size=_QUEUE)

    def _why(self, error: OSError, settings: EyeSettings) -> PinError:
        if error.errno == errno.EBUSY:
            consumer = str(self._chip.get_line_info(self._offset).consumer or "the kernel")
            sentence = f"{self.name} is in use by {consumer!r}; end that, or take another pin (`gpioinfo` lists them)"
            return PinBusy(f"{sentence}.", consumer)
        if error.errno in (errno.ENODEV, errno.ENXIO, errno.ENOENT):
            return PinError(f"{self.name} cannot tell of edges: it has no interrupt. Take another pin.")
        return PinError(f"{self.name} refuses edges with bias {settings.bias!r} ({error.strerror}); take another.")


def look_at_pin(settings: EyeSettings) -> str:
    """What there is to say of it, for a person who commissions the line. Raises: PinError."""
    try:
        pin = Pin(settings)
    except PinBusy as error:
        if error.consumer == CONSUMER:
            return f"the line that runs reads its photo-eye, as pin {settings.line} of {settings.chip}."
        raise
    try:
        level = "high" if pin.is_high() else "low"
        return f"{pin.name} can be read, and is {level} now; a part gives a {settings.edge} edge."
    finally:
        pin.close()
