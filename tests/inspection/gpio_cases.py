"""What a photo-eye on a pin must do, against the kernel's own simulated pins: python gpio_cases.py

Runs where gpio-sim is: in a virtual machine of the tests, or as root on any Linux that has it. Each case takes a bank
of pins with nothing set and fails by AssertionError. Prints a line a case; exit code 1 where one failed.
"""

import os
import sys
import threading
import time
import traceback
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from running import until

sys.path.insert(0, str(Path(__file__).parent))
from gpio_bank import Bank
from line_rig import GOOD, Model, Rig, WiredCamera, in_force

from appliance.inspection.gpio_chip import PinError
from appliance.inspection.gpio_pin import EyeSettings, Pin, look_at_pin
from appliance.inspection.photo_eye import PhotoEye

EYE = 4
BUSY_S = 3.0
"""What an emulated processor may add to whatever is limited in time."""


def settings(bank, **changes):
    base = EyeSettings(
        chip=bank.label, line="PHOTO_EYE", edge="rising", bias="pull-down", debounce_s=0.0, delay_s=0.0, late_s=BUSY_S
    )
    return replace(base, **changes)


@contextmanager
def watching(bank, before=lambda: None, **changes):
    """A camera's line that this pin triggers: (its eye, its results)."""
    stop = threading.Event()
    with Rig(WiredCamera(triggers_itself=False), in_force(Model(GOOD), deadline_ms=10_000.0)) as rig:

        def trigger(triggered_ns, /, *, due_ns=None, lost=None):
            before()
            return rig.line.trigger(triggered_ns, due_ns=due_ns, lost=lost)

        eye = PhotoEye(settings(bank, **changes), trigger)
        thread = threading.Thread(target=eye.run, args=(stop,))
        thread.start()
        try:
            until(lambda: eye._pin is not None, "the pin to be open", 10)
            yield eye, rig.results
        finally:
            stop.set()
            asked_s = time.monotonic()
            thread.join(10)
            assert time.monotonic() - asked_s < 1.0 + BUSY_S


def said(results):
    return Counter(one.reason.value if one.reason else one.evaluation.value for one in results)


def settled(eye, results):
    """How many edges the kernel has counted, when each has its result."""
    quiet, before = 0, -1
    while quiet < 5:
        threading.Event().wait(0.1)
        quiet, before = (quiet + 1 if eye._number == before else 0), eye._number
    until(lambda: len(results) >= before, f"{before} results, and there are {len(results)}", 60)
    threading.Event().wait(0.2)
    assert len(results) == before, (len(results), before)
    return before


def few_merged(made, counted):
    """Of two edges that come before its interrupt's thread has run the kernel makes one, with one number.

    A starved emulated processor makes that happen at 1 ms and more; on a real one it takes 50 microseconds.
    """
    return made * 0.97 <= counted <= made


def refused(**changes):
    try:
        look_at_pin(EyeSettings(**({"edge": "rising", "bias": "as-is", "debounce_s": 0, "delay_s": 0} | changes)))
    except PinError as error:
        return str(error)
    raise AssertionError("nothing was wrong")


def it_is_found_by_path_name_and_label_by_number_and_name(bank):
    for chip in (bank.path, bank.path.removeprefix("/dev/"), bank.label):
        for line in (EYE, str(EYE), "PHOTO_EYE"):
            found = look_at_pin(settings(bank, chip=chip, line=line))
            assert f"pin 4 (PHOTO_EYE) of {bank.path[5:]} (eyes) can be read, and is low now" in found, found
    bank.set(EYE, high=True)
    assert "is high now" in look_at_pin(settings(bank, bias="as-is"))


def it_says_what_is_wrong_and_what_there_is(bank):
    assert "did you mean 'eyes'?" in refused(chip="eye", line=1)
    assert f"there are {bank.path} (eyes)" in refused(chip="/dev/gpiochip77", line=1)
    assert "did you mean 'PHOTO_EYE'?" in refused(chip="eyes", line="PHOTOEYE")
    assert "has no pin 8: its pins are 0 to 7" in refused(chip="eyes", line=8)
    assert "is no GPIO chip" in refused(chip="/dev/null", line=8)
    other = Bank("other", "expander", {2: "GATE"}).plug()
    try:
        assert "not on" in refused(chip="eyes", line="GATE")
        assert "(expander), pin 2" in refused(chip="eyes", line="GATE")
    finally:
        other.remove()
    twin = Bank("twin", "eyes", {}).plug()
    try:
        assert "Several GPIO chips are called 'eyes'" in refused(chip="eyes", line=EYE)
    finally:
        twin.remove()


def it_says_who_has_the_pin(bank):
    import gpiod

    with gpiod.request_lines(bank.path, {EYE: None}, consumer="gate-plc"):
        assert "in use by 'gate-plc'" in refused(chip="eyes", line=EYE)
    with gpiod.request_lines(bank.path, {EYE: None}, consumer="appliance"):
        assert "the line that runs" in look_at_pin(settings(bank))


def it_says_that_it_may_not(bank):
    Path(bank.path).chmod(0o600)
    os.seteuid(65534)
    try:
        for chip in ("eyes", bank.path):
            sentence = refused(chip=chip, line=EYE)
            assert "may not be opened" in sentence, sentence
            assert "deploy/install --cameras gpio" in sentence
    finally:
        os.seteuid(0)


def an_edges_time_is_the_kernels_on_the_monotonic_clock(bank):
    pin = Pin(settings(bank))
    try:
        after_ms = []
        for _ in range(50):
            before_ns = bank.set(EYE, high=True)
            done_ns = bank.set(EYE, high=False)
            (edge,) = pin.read(BUSY_S)
            assert before_ns <= edge.at_ns <= done_ns + 50_000_000
            assert edge.is_high
            after_ms.append((edge.at_ns - before_ns) / 1e6)
        print(f"after the level was set: median {sorted(after_ms)[25]:.2f} ms, longest {max(after_ms):.2f} ms")
    finally:
        pin.close()


def fifty_parts_a_second_are_fifty_results(bank):
    with watching(bank) as (eye, results):
        begun_s = time.monotonic()
        for number in range(250):
            bank.pulse(EYE)
            threading.Event().wait(max(0.004, begun_s + (number + 1) * 0.02 - time.monotonic()))
        took_s = time.monotonic() - begun_s
        counted = settled(eye, results)
    assert few_merged(250, counted)
    assert [one.trigger_id for one in results] == list(range(counted))
    assert eye.missed == 0
    print(f"{250 / took_s:.1f} edges a second, {counted} counted by the kernel: {dict(said(results))}")
    assert said(results)["OK"] >= 240, said(results)  # an emulated processor may be late for one


def a_falling_edge_is_one_where_that_is_set(bank):
    bank.set(EYE, high=True)
    with watching(bank, edge="falling", bias="as-is") as (_eye, results):
        bank.set(EYE, high=False)
        until(lambda: len(results) == 1, "the result", 10)
        bank.set(EYE, high=True)
        bank.set(EYE, high=False)
        until(lambda: len(results) == 2, "the result", 10)


def _bounced(bank, **how):
    """How late the edge's moment is, and when it was told, in ms, by part; each part bounces five times."""
    first_ns, moments_ms, told_ms = [], [], []
    with watching(bank, debounce_s=0.05, **how) as (eye, results):
        give = eye._trigger

        def told(edge_ns, **more):
            moments_ms.append((edge_ns - first_ns[-1]) / 1e6)
            told_ms.append((time.monotonic_ns() - first_ns[-1]) / 1e6)
            return give(edge_ns, **more)

        eye._trigger = told
        for number in range(20):
            first_ns.append(bank.pulse(EYE))
            for _ in range(4):
                bank.pulse(EYE)
            bank.set(EYE, high=True)
            until(lambda number=number: len(results) == number + 1, f"result {number}: {len(results)}", 10)
            for _ in range(4):
                bank.pulse(EYE)
            threading.Event().wait(0.15 + number * 0.0007)
        threading.Event().wait(0.2)
        assert len(results) == 20, said(results)
        bank.pulse(EYE)  # a spike
        threading.Event().wait(0.3)
        assert len(results) == 20, said(results)
    moments_ms.sort()
    shown = f"edge's moment {moments_ms[0]:.1f} to {moments_ms[-1]:.1f} ms after the real one"
    print(f"debounced by {how['debounce_by']}: {shown}, told after {min(told_ms):.1f} to {max(told_ms):.1f} ms")
    return moments_ms


def bouncing_is_one_part_at_its_first_edge(bank):
    moments_ms = _bounced(bank, debounce_by="box")
    assert moments_ms[0] >= 0
    assert moments_ms[10] < 5


def bouncing_is_one_part_by_the_kernel_too(bank):
    moments_ms = _bounced(bank, debounce_by="kernel")
    assert moments_ms[0] > 0


def each_edge_that_the_kernel_could_not_keep_has_its_result(bank):
    held = threading.Event()
    with watching(bank, before=lambda: held.wait(100)) as (eye, results):
        bank.pulse(EYE)
        until(lambda: eye._number == 1 and not eye._coming, "the first part to be taken up", 10)
        for _ in range(1200):
            bank.pulse(EYE)
            threading.Event().wait(0.001)
        held.set()
        until(lambda: eye._number > 1, "what the kernel kept", 10)
        counted = settled(eye, results)
        bank.pulse(EYE)
        until(lambda: len(results) == counted + 1, "the next", 10)
    assert counted > 1100, counted
    lost = [one for one in results if one.reason and "nothing is known but that it passed" in one.detail]
    assert len(lost) == counted - 1 - 1024, (len(lost), counted)  # the first was read, and 1024 are what it keeps
    assert [one.trigger_id for one in results] == list(range(counted + 1))
    assert all(one.evaluation.verdict == "fail" for one in lost)
    print(f"of {counted} edges {len(lost)} were known by their number only: {dict(said(results))}")


def an_edge_noticed_too_late_exposes_nothing(bank):
    held = threading.Event()
    with watching(bank, before=lambda: held.wait(100), late_s=0.3) as (eye, results):
        bank.pulse(EYE)
        until(lambda: eye._number == 1, "the first part to be taken up", 10)
        bank.pulse(EYE)
        threading.Event().wait(0.5)
        held.set()
        until(lambda: len(results) == 2, "the results", 10)
    assert results[1].reason.value == "TRIGGER_MISSED"


def several_parts_are_on_the_way_to_the_camera(bank):
    with watching(bank, delay_s=0.5) as (eye, results):
        most = 0
        for _ in range(10):
            bank.pulse(EYE)
            threading.Event().wait(0.04)
            most = max(most, len(eye._coming))
        assert most >= 3, most
        until(lambda: len(results) == 10, "the results", 10)
    assert said(results) == {"OK": 10}, said(results)
    waited_ms = [one.times.acquisition_ms for one in results]
    assert min(waited_ms) >= 500
    print(f"exposed {min(waited_ms):.1f} to {max(waited_ms):.1f} ms after the edge, for 500 ms")


def an_unplugged_chip_is_told_and_read_again_when_it_is_back(bank):
    with watching(bank) as (eye, results):
        bank.pulse(EYE)
        until(lambda: len(results) == 1, "the first result", 10)
        unplugged_s, before = time.monotonic(), bank.path
        bank.unplug()
        until(lambda: eye.problem, "the problem to be told", BUSY_S)
        print(f"told after {time.monotonic() - unplugged_s:.2f} s: {eye.problem}")
        until(lambda: "There is no GPIO chip" in (eye.problem or ""), "it to say what there is", 5 + BUSY_S)
        plugged_s = time.monotonic()
        bank.plug()
        until(lambda: eye.problem is None, "the pin to be read again", 3 + BUSY_S)
        print(f"was {before}, is {bank.path}; read again after {time.monotonic() - plugged_s:.2f} s")
        bank.pulse(EYE)
        until(lambda: len(results) == 2, "the result after it", 10)
    assert said(results) == {"OK": 2}, said(results)


CASES = [
    it_is_found_by_path_name_and_label_by_number_and_name,
    it_says_what_is_wrong_and_what_there_is,
    it_says_who_has_the_pin,
    it_says_that_it_may_not,
    an_edges_time_is_the_kernels_on_the_monotonic_clock,
    fifty_parts_a_second_are_fifty_results,
    a_falling_edge_is_one_where_that_is_set,
    bouncing_is_one_part_at_its_first_edge,
    bouncing_is_one_part_by_the_kernel_too,
    each_edge_that_the_kernel_could_not_keep_has_its_result,
    an_edge_noticed_too_late_exposes_nothing,
    several_parts_are_on_the_way_to_the_camera,
    an_unplugged_chip_is_told_and_read_again_when_it_is_back,
]


def main():
    failed = 0
    for case in CASES:
        bank = Bank("bank", "eyes", {EYE: "PHOTO_EYE"}).plug()
        begun = time.monotonic()
        try:
            case(bank)
            print(f"ok {case.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED {case.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
        finally:
            bank.remove()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
