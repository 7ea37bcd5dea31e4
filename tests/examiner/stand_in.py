"""The examiner with a candidate that misbehaves: `python stand_in.py KIND ARGUMENTS`. Only the model is another."""

import ctypes
import os
import sys
import threading
from pathlib import Path

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as the examiner itself sees to it, before these imports

import numpy as np

from appliance.examiner.__main__ import main
from appliance.runtimes.errors import LoadError
from appliance.runtimes.litert.model import LiteRtModel
from appliance.runtimes.loader import SavedModelLoader

_load, _predict = SavedModelLoader.load, LiteRtModel.predict
_calls = 0


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


def misuse(*_):
    """What a model could try; what it came to is told as the reason of a failure."""
    tried = {}
    for name, attempt in {
        "write": lambda: Path(sys.argv[0]).with_name("was-here").write_text("x"),
        "config": lambda: Path(sys.argv[sys.argv.index("--config") + 1]).write_text("x"),
        "version": lambda: (Path(sys.argv[sys.argv.index("--folder") + 1]) / "more").write_text("x"),
        "kill": lambda: os.kill(os.getppid(), 9),
        "priority": lambda: os.setpriority(os.PRIO_PROCESS, os.getppid(), 19),
        "socket": lambda: __import__("socket").socket(),
        "control": lambda: __import__("socket").socket(__import__("socket").AF_UNIX),
    }.items():
        try:
            attempt()
        except OSError as error:
            tried[name] = type(error).__name__
        else:
            tried[name] = "done"
    raise LoadError(repr(tried))


def later(what):
    """The blank picture of loading goes well; golden samples do not."""

    def predict(self, inputs, signature="serving_default"):
        global _calls
        _calls += 1
        return what() if _calls > 1 else _predict(self, inputs, signature)

    return predict


def not_numbers(self, inputs, signature="serving_default"):
    answer = _predict(self, inputs, signature)
    return {key: np.full_like(value, np.nan) for key, value in answer.items()}


def numbers_once(self, inputs, signature="serving_default"):
    global _calls
    _calls += 1
    return (_predict if _calls == 1 else not_numbers)(self, inputs, signature)


at_load = {
    "abort": lambda *_: os.abort(),
    "segfault": segfault,
    "exit": lambda *_: os._exit(1),
    "hang": hang,
    "take-memory": take_memory,
    "run-out": run_out,
    "refuse": refuse,
    "misuse": misuse,
    "defect": lambda *_: 1 / 0,
}
at_predict = {
    "abort-later": later(os.abort),
    "hang-later": later(hang),
    "not-numbers": not_numbers,
    "numbers-once": numbers_once,
}

if __name__ == "__main__":
    kind = sys.argv.pop(1)
    if kind in at_load:
        SavedModelLoader.load = at_load[kind]
    else:
        LiteRtModel.predict = at_predict[kind]
    sys.exit(main())
