"""The floor: the engine in a bare loop with the server's own settings, and no server.

`python in_process.py ENGINE INTRA_OP SAVED_MODEL NPZ SECONDS PREPARED_FOLDER THREADS...` prints one JSON line: for each
number of threads, the seconds that each call took and how long the loop ran.
"""

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np

from appliance.runtimes.loader import SavedModelLoader
from appliance.serve.settings import runtime_config
from appliance.serve.values import Values
from appliance.serving import ServableId


def main() -> None:
    engine, intra_op, folder, npz, seconds, cache, *counts = sys.argv[1:]
    flags = {"engines": engine, "prepared_folder": cache, "model_base_path": folder}
    flags["tensorflow_intra_op_parallelism"] = int(intra_op)
    model = SavedModelLoader(Path(folder), runtime_config(Values(flags))).load(ServableId("floor", 1))
    with np.load(npz) as archive:
        inputs = {"x": archive["x"]}
    found = {}
    for count in map(int, counts):
        found[count] = run(model, inputs, float(seconds), count)
    print(json.dumps(found))


def run(model, inputs, seconds, count):
    took = []
    stop = threading.Event()

    def loop():
        mine = []
        while not stop.is_set():
            begun = time.perf_counter()
            model.run("serving_default", inputs)
            mine.append(time.perf_counter() - begun)
        took.extend(mine)

    for _ in range(3):
        model.run("serving_default", inputs)
    threads = [threading.Thread(target=loop) for _ in range(count)]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    stop.set()
    for thread in threads:
        thread.join()
    return {"took_s": took, "ran_s": time.perf_counter() - begun}


main()
