"""The examiner with a candidate that misbehaves: `python stand_in.py KIND ARGUMENTS`. Only the model is another."""

import contextlib
import ctypes
import itertools
import os
import socket
import sys
import threading
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the examiner itself sees to it, before these imports

import numpy as np

from appliance import sandbox
from appliance.examiner.__main__ import main
from appliance.runtimes.errors import LoadError
from appliance.runtimes.litert.model import LiteRtModel
from appliance.runtimes.loader import SavedModelLoader

_predict = LiteRtModel.predict


def hang(*_):
    threading.Event().wait()


def segfault(*_):
    ctypes.string_at(0)


def take_memory(*_):
    held = np.ones(800 << 17)  # 800 MiB
    hang(held)


def run_out(*_):
    held = [np.ones(64 << 20) for _ in range(1000)]
    hang(held)


def refuse(*_):
    raise LoadError("no such operation: Frobnicate")


def came_to(attempt):
    try:
        attempt()
    except OSError as error:
        return type(error).__name__
    return "done"


def misuse(*_):
    """What a model could try; what it came to is told as the reason of a failure."""
    config, version = (Path(sys.argv[sys.argv.index(option) + 1]) for option in ("--config", "--folder"))
    attempts = {
        "write": lambda: Path(__file__).with_name("was-here").write_text("x"),
        "config": lambda: config.write_text("x"),
        "version": lambda: (version / "more").write_text("x"),
        "kill": lambda: os.kill(os.getppid(), 9),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
        "network": socket.socket,
        "control": lambda: socket.socket(socket.AF_UNIX),
    }
    raise LoadError(repr({name: came_to(attempt) for name, attempt in attempts.items()}))


def after_the_first(what):
    """The blank picture of loading goes well; golden samples do not."""
    calls = itertools.count()

    def predict(*given):
        return what(*given) if next(calls) else _predict(*given)

    return predict


def not_numbers(*given):
    return {key: np.full_like(value, np.nan) for key, value in _predict(*given).items()}


def nonsense(*_):
    """Into every descriptor that it has been given, but its link's and what it says for people."""
    link = int(sys.argv[sys.argv.index("--link") + 1])
    for descriptor in range(3, 30):
        if descriptor != link:
            with contextlib.suppress(OSError):
                os.write(descriptor, b"\x00\xff")
                os.write(descriptor, b"\n")
    hang()


at_load = {
    "abort": lambda *_: os.abort(),
    "segfault": segfault,
    "exit": lambda *_: os._exit(1),
    "hang": hang,
    "take-memory": take_memory,
    "run-out": run_out,
    "refuse": refuse,
    "misuse": misuse,
    "nonsense": nonsense,
    "defect": lambda *_: 1 / 0,
}
at_predict = {
    "abort-later": after_the_first(lambda *_: os.abort()),
    "hang-later": after_the_first(hang),
    "not-numbers": not_numbers,
    "numbers-once": after_the_first(not_numbers),
}

if __name__ == "__main__":
    kind = sys.argv.pop(1)
    if kind == "unsealed":
        sandbox.seal = lambda *_, **__: sandbox.Sealed((), ("nothing is sealed",))
    elif kind in at_load:
        SavedModelLoader.load = at_load[kind]
    else:
        LiteRtModel.predict = at_predict[kind]
    sys.exit(main())
