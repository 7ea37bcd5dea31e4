"""The first load of a program that has nothing else to do yet: with more threads than later."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from appliance.serving.ids import ServableId
from appliance.serving.manager import Manager

ServableT = TypeVar("ServableT")


def load_initially(
    manager: Manager[ServableT], wanted: Iterable[str | ServableId], *, threads: int, timeout_s: float
) -> None:
    """Load with so many threads until each wanted is AVAILABLE or cannot become so; then with as many as before.

    What is wanted is aspired before or meanwhile, and another thread runs the manager.
    Raises: NotAvailable, naming each that did not become available, and why.
    """
    with more_load_threads(manager, threads):
        manager.monitor.wait_until_available(wanted, timeout_s)


@contextmanager
def more_load_threads(manager: Manager[ServableT], threads: int) -> Iterator[None]:
    """Load with so many threads until the end of the `with`; what is under way then goes on."""
    before = manager.set_load_threads(threads)
    try:
        yield
    finally:
        manager.set_load_threads(before)
