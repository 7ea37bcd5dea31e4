"""Loads a shared library without holding the interpreter's lock.

`ctypes.CDLL(path)` holds it while the library is mapped and relocated: 0.3 s for TensorFlow's, measured.
"""

import ctypes
import os
from pathlib import Path


def open_library(file: Path) -> tuple[ctypes.PyDLL, ctypes.CDLL]:
    """Return the library twice: for calls that keep the interpreter's lock, and for calls that let go of it.

    Raises: OSError.
    """
    dl = ctypes.CDLL(None)
    dl.dlopen.restype, dl.dlopen.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_int)
    if not dl.dlopen(os.fsencode(file), os.RTLD_NOW | os.RTLD_LOCAL):
        dl.dlerror.restype = ctypes.c_char_p
        raise OSError((dl.dlerror() or b"dlopen failed").decode(errors="replace"))
    # Opened for good by now: what follows finds it loaded and takes microseconds.
    return ctypes.PyDLL(str(file)), ctypes.CDLL(str(file))
