"""A driver's process whose driver does the worst: python wicked_driver.py REQUESTS CLOSING, as camera.supervised runs.

It is the virtual camera until its read number 3; then it does what the environment variable WICKED says.
"""

import ctypes
import os
import threading

from camera import opening
from camera.drivers.virtual import VirtualCamera
from camera.supervised import __main__ as driver_process
from camera.supervised import memory


class WickedCamera(VirtualCamera):
    """One thread's driver; what it does wrong, it does from its third read on."""

    reads = 0
    kept: list[bytearray]

    def read(self, timeout_s):
        self.reads += 1
        if self.reads >= 3:
            getattr(self, os.environ["WICKED"])()
        return super().read(timeout_s)

    def close(self):
        if os.environ["WICKED"] == "never_closes" and self.reads:
            threading.Event().wait()
        super().close()

    def never_closes(self):
        pass

    def segfaults(self):
        ctypes.string_at(0)

    def aborts(self):
        os.abort()

    def raises(self):
        raise ZeroDivisionError("a bug in a vendor's binding")

    def exits(self):
        os._exit(3)

    def waits_for_ever(self):
        threading.Event().wait()

    def keeps_the_interpreter(self):
        """A C function that does not let go of the interpreter's lock: no other thread of it runs any more."""
        ctypes.PyDLL(None).sleep(1000)

    def leaks(self):
        self.__dict__.setdefault("kept", []).append(bytearray(os.urandom(1 << 20) * 8))

    def leaves_threads_and_children(self):
        threading.Thread(target=threading.Event().wait, daemon=False).start()
        if os.fork() == 0:
            threading.Event().wait()
        os._exit(4)


if __name__ == "__main__":
    opening.DRIVERS["virtual"] = ("wicked_driver", "WickedCamera")
    if "WICKED_MEMORY_MAX" in os.environ:
        memory.limit_bytes = lambda: int(os.environ["WICKED_MEMORY_MAX"])
    driver_process.main()
