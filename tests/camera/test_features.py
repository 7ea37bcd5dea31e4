"""Features of cameras that no simulator has: increments, rounding, counters (real ones: see tests/camera/aravis)."""

import pytest

from camera import AravisConfig, CameraConfigError
from camera.drivers.aravis.setup import device_clock, set_up
from camera.features import Description, FeatureRefused, apply

ON_OFF = Description("enumeration", entries=("Off", "On"))


class Recorded:
    """The features of a camera as its makers describe them, kept in a dict; values are rounded as sensors do."""

    def __init__(self, features, values=(), rounds_to=None):
        self.features, self.values = dict(features), dict(values)
        self.rounds_to = rounds_to or {}
        self.written = []

    def names(self):
        return tuple(self.features)

    def describe(self, name):
        return self.features.get(name)

    def has(self, name):
        return name in self.features

    def entries(self, name):
        return self.features[name].entries if name in self.features else ()

    def read(self, name):
        return self.values[name]

    def write(self, name, value):
        if name == "Locked":
            raise FeatureRefused("the feature is locked while the camera acquires")
        self.written.append((name, value))
        step = self.rounds_to.get(name)
        self.values[name] = round(value / step) * step if step else value

    def execute(self, name):
        self.written.append((name, "run"))


def test_order_is_kept_for_selectors_make_it_matter():
    camera = Recorded(
        {"GainSelector": Description("enumeration", entries=("Red", "Blue")), "Gain": Description("float")}
    )
    settings = (("GainSelector", "Red"), ("Gain", 1.0), ("GainSelector", "Blue"), ("Gain", 2.0))
    assert apply(settings, camera) == (("GainSelector", "Red"), ("Gain", "1"), ("GainSelector", "Blue"), ("Gain", "2"))
    assert tuple(camera.written) == settings


def test_a_step_of_the_sensor_is_no_mismatch_and_more_than_that_is():
    exposure = {"ExposureTime": Description("float", 10.0, 1e6, None, "us")}
    assert apply((("ExposureTime", 5000),), Recorded(exposure, rounds_to={"ExposureTime": 1.002})) == (
        ("ExposureTime", "4999.98"),
    )
    with pytest.raises(CameraConfigError, match=r"set to 500 and the camera says 600 \(it may be 10 to 1000000 us\)"):
        apply((("ExposureTime", 500),), Recorded(exposure, rounds_to={"ExposureTime": 300.0}))


def test_numbers_between_the_steps_are_refused_with_the_step():
    camera = Recorded({"Width": Description("integer", 64, 1920, 16)})
    assert apply((("Width", 1280),), camera) == (("Width", "1280"),)
    for wrong in (1285, 1280.5):
        with pytest.raises(CameraConfigError, match=r"64 to 1920 in steps of 16"):
            apply((("Width", wrong),), camera)


def test_a_value_that_the_camera_does_not_take_is_refused_in_its_own_words():
    with pytest.raises(CameraConfigError, match="does not take Locked = 1: the feature is locked"):
        apply((("Locked", 1),), Recorded({"Locked": Description("integer")}))


def test_values_of_another_kind_are_refused():
    camera = Recorded({"ReverseX": Description("boolean"), "UserSetLoad": Description("command"), "Mode": ON_OFF})
    for name, value in (("ReverseX", 1), ("UserSetLoad", "now"), ("Mode", 1), ("Mode", True)):
        with pytest.raises(CameraConfigError, match=f"{name} = .* is no value"):
            apply(((name, value),), camera)
    assert apply((("UserSetLoad", True), ("ReverseX", False)), camera) == (
        ("UserSetLoad", "done"),
        ("ReverseX", "false"),
    )


COUNTING = {
    "PixelFormat": Description("enumeration", entries=("Mono8",)),
    "AcquisitionMode": Description("enumeration", entries=("Continuous",)),
    "TriggerSelector": Description("enumeration", entries=("FrameStart", "LineStart")),
    "TriggerMode": ON_OFF,
    "TriggerSource": Description("enumeration", entries=("Line1", "Software")),
    "TriggerActivation": Description("enumeration", entries=("RisingEdge", "FallingEdge")),
    "CounterEventSource": Description("enumeration", entries=("Line1",)),
    "CounterEventActivation": Description("enumeration", entries=("RisingEdge", "FallingEdge")),
    "CounterReset": Description("command"),
    "ChunkModeActive": Description("boolean"),
    "ChunkSelector": Description("enumeration", entries=("CounterValue", "Timestamp")),
    "ChunkEnable": Description("boolean"),
}
MONO = {"PixelFormat": "Mono8"}


def test_a_wire_that_exposes_is_counted_and_its_count_comes_with_each_picture():
    camera = Recorded(COUNTING, MONO)
    set_up(AravisConfig(trigger="hardware", trigger_activation="FallingEdge", counter="chunk"), camera)
    assert camera.written == [
        ("AcquisitionMode", "Continuous"),
        ("TriggerSelector", "FrameStart"),
        ("TriggerMode", "Off"),
        ("TriggerSelector", "LineStart"),
        ("TriggerMode", "Off"),
        ("TriggerSelector", "FrameStart"),
        ("TriggerSource", "Line1"),
        ("TriggerActivation", "FallingEdge"),
        ("TriggerMode", "On"),
        ("CounterEventSource", "Line1"),
        ("CounterEventActivation", "FallingEdge"),
        ("CounterReset", "run"),
        ("ChunkModeActive", True),
        ("ChunkSelector", "CounterValue"),
        ("ChunkEnable", True),
    ]


def test_a_camera_without_chunks_or_triggers_is_refused():
    without = {name: value for name, value in COUNTING.items() if name != "ChunkModeActive"}
    with pytest.raises(CameraConfigError, match="sends no chunk data"):
        set_up(AravisConfig(trigger="hardware", counter="chunk"), Recorded(without, MONO))
    without = {name: value for name, value in COUNTING.items() if not name.startswith("Trigger")}
    with pytest.raises(CameraConfigError, match="cannot be triggered"):
        set_up(AravisConfig(), Recorded(without, MONO))


def test_a_pixel_format_that_nobody_can_read_is_refused_with_those_that_can():
    formats = {**COUNTING, "PixelFormat": Description("enumeration", entries=("Mono12p", "Mono8", "BGR8"))}
    with pytest.raises(CameraConfigError, match=r"Mono12p cannot be read here.*this camera has Mono8, BGR8"):
        set_up(AravisConfig(), Recorded(formats, {"PixelFormat": "Mono12p"}))


@pytest.mark.parametrize(
    ("values", "clock"),
    [
        ({}, "free"),
        ({"PtpEnable": False, "PtpStatus": "Disabled"}, "free"),
        ({"PtpEnable": True, "PtpStatus": "Uncalibrated"}, "free"),
        ({"PtpEnable": True, "PtpStatus": "Slave"}, "ptp"),
        ({"GevIEEE1588": True, "GevIEEE1588Status": "Slave"}, "ptp"),
    ],
)
def test_a_clock_is_in_step_with_others_only_when_the_camera_says_so(values, clock):
    assert device_clock(Recorded(dict.fromkeys(values, ON_OFF), values)) == clock
