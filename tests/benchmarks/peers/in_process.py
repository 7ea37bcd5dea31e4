"""The floor: the engine in a bare loop, no server. `python in_process.py ENGINE SAVED_MODEL NPZ SECONDS THREADS...`.

Prints one JSON line: for each number of threads, the seconds that each call took and how long the loop ran.
"""

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np

from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving import ServableId


def main() -> None:
    engine, folder, npz, seconds = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), float(sys.argv[4])
    cache = Path(sys.argv[5])
    model = SavedModelLoader(folder, RuntimeConfig(cache=cache, engines=(engine,))).load(ServableId("floor", 1))
    with np.load(npz) as archive:
        inputs = {"x": archive["x"]}
    found = {}
    for threads in map(int, sys.argv[6:]):
        found[threads] = run(model, inputs, seconds, threads)
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
