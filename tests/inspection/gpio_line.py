"""The whole appliance, triggered by a simulated pin: python gpio_line.py PREPARED_MODELS

Runs in the tests' virtual machine: `appliance run` with a simulated camera and trigger = "gpio", a broker, a
subscriber. Prints a line a case, as gpio_cases.py does.
"""

import shutil
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path

from running import VALIDATOR, Appliance, Mosquitto, Subscriber, until

sys.path.insert(0, str(Path(__file__).parent))
from gpio_bank import Bank

EYE = 4
PARTS = 50
LINE = """trigger = "gpio"
gpio = {{ chip = "eyes", line = "PHOTO_EYE", bias = "pull-down", late_ms = 2000 }}
detect_frozen = false"""
CAMERA = 'driver = "virtual"\nseed = 5\nwidth_px = 320\nheight_px = 200\nlatency_s = 0.001\nexposure_s = 0.0'


def edges_become_published_results(bank, line, heard):
    until(lambda: "The photo-eye on pin 4 (PHOTO_EYE)" in line.log(), "the pin to be read", 400)
    print(f"the pin is read after {time.monotonic() - line.begun_s:.0f} s")
    for number in range(PARTS):
        bank.pulse(EYE)
        until(lambda number=number: len(heard.results) == number + 1, f"result {number}", 60)
    assert [one["trigger_id"] for one in heard.results] == list(range(PARTS))
    for one in heard.results:
        VALIDATOR.validate(one)
    # Whether camera and model are there by then is up to the emulated processor; that each edge has its result is not.
    print(f"{len(heard.results)} results: {dict(Counter(one['reason'] or one['evaluation'] for one in heard.results))}")


def an_unplugged_chip_is_in_health_until_it_is_back(bank, line, heard):
    bank.unplug()
    until(lambda: "TRIGGER_LOST" in heard.codes(), "health to say so", 60)
    (reason,) = [one for one in heard.health()["reasons"] if one["code"] == "TRIGGER_LOST"]
    assert heard.health()["device_health"] == "FAILURE"
    assert reason["component"] == "trigger/top"
    print(reason["message"])
    bank.plug()
    until(lambda: "TRIGGER_LOST" not in heard.codes(), "health to be well again", 60)
    count = len(heard.results)
    bank.pulse(EYE)
    until(lambda: len(heard.results) == count + 1, "the part after it", 60)


def check_says_that_the_line_reads_it(bank, line, heard):
    code = "import sys; from pathlib import Path; from appliance.check import _questions, _print; "
    code += "from appliance.config import load_config; q = dict(_questions(load_config(Path(sys.argv[1])))); "
    code += "sys.exit(not _print('trigger top', q['trigger top']))"
    command = [sys.executable, "-c", code, str(line.config_file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the line that runs reads its photo-eye" in done.stdout, done.stdout


CASES = [
    edges_become_published_results,
    an_unplugged_chip_is_in_health_until_it_is_back,
    check_says_that_the_line_reads_it,
]


def _passes(case, bank, line, heard):
    begun = time.monotonic()
    try:
        case(bank, line, heard)
    except Exception:
        print(f"FAILED {case.__name__}", flush=True)
        traceback.print_exc(file=sys.stdout)
        print(line.log()[-3000:])
        return False
    print(f"ok {case.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
    return True


def main():
    folder = Path("/tmp/line")
    folder.mkdir()
    bank = Bank("bank", "eyes", {EYE: "PHOTO_EYE"}).plug()
    broker = Mosquitto(folder / "broker").start()
    heard = Subscriber(broker.port)
    line = Appliance(
        folder, broker.port, line=LINE.format(), camera=CAMERA, recipe="deadline_ms = 20000", extra="[resources]"
    )
    shutil.copytree(sys.argv[1], folder / "state" / "prepared")
    line.begun_s = time.monotonic()
    line.start()
    failed = 0
    for case in CASES:
        failed += not _passes(case, bank, line, heard)
    begun = time.monotonic()
    print(f"stopped with {line.stop(120)} after {time.monotonic() - begun:.1f} s")
    line.end()
    heard.close()
    broker.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
