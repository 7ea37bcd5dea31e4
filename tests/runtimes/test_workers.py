"""An engine's own threads do not stay at the priority of the thread that loaded the model."""

import os
import resource
import threading
from pathlib import Path

import pytest

from appliance.runtimes.description import describe
from appliance.runtimes.litert.model import LiteRtModel
from appliance.runtimes.workers import new_workers_at_normal_priority

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 and resource.getrlimit(resource.RLIMIT_NICE)[0] < 20,
    reason="this account may not raise priorities",
)


def workers():
    """Priority by thread, of threads that are not Python's."""
    ours = {thread.native_id for thread in threading.enumerate()}
    tasks = {int(task.name) for task in Path("/proc/self/task").iterdir()} - ours
    return {task: os.getpriority(os.PRIO_PROCESS, task) for task in tasks}


@pytest.mark.parametrize("lifted", [True, False])
def test_workers_of_a_model_loaded_at_low_priority_are_lifted(models, expected, lifted):
    before = workers()
    seen: list[dict[int, int]] = []

    def load():
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 15)
        with new_workers_at_normal_priority() if lifted else threading.Lock():
            model = LiteRtModel(
                models / "classifier.tflite",
                describe(models / "classifier"),
                same_as={"same": "serving_default"},
                threads=3,
                copies=1,
                engine_reason="",
                digest="",
            )
        seen.append(workers())
        model.predict({"image": expected["images"]})
        model.close()

    thread = threading.Thread(target=load)
    thread.start()
    thread.join(30)
    new = [nice for task, nice in seen[0].items() if task not in before]
    assert len(new) >= 2
    assert set(new) == {os.getpriority(os.PRIO_PROCESS, os.getpid()) if lifted else 15}
