"""What an engineer writes is what the camera does, or it is refused with what it may be."""

import time

import pytest
from gige_simulator import gige_cameras

from camera import CameraConfigError, CameraInUse, CameraNotFound, make_camera
from camera.drivers.aravis.discovering import discover

ROI = (("Width", 128), ("Height", 64))


def test_settings_are_applied_in_their_order_and_told_as_they_were_read_back(make):
    camera = make(settings=[["Width", 128], ["ExposureTimeAbs", 500], ["PixelFormat", "BayerRG8"]], packet_size=1400)
    camera.open()
    told = camera.info.settings
    assert told[:3] == (("Width", "128"), ("ExposureTimeAbs", "500"), ("PixelFormat", "BayerRG8"))
    assert ("TriggerSource", "Software") in told
    assert told[-1] == ("GevSCPSPacketSize", "1400")


@pytest.mark.parametrize("wrong", ["RGB8Packed", "NV12"])
def test_a_pixel_format_that_the_camera_lacks_is_refused_with_those_it_has(make, wrong):
    with pytest.raises(CameraConfigError, match=rf"PixelFormat cannot be {wrong}.*Mono8, RGB8, Mono16"):
        make(settings=[["PixelFormat", wrong]]).open()


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("Width", 5000, "1 to 2048"),
        ("ExposureTimeAbs", 1e9, "10 to 10000000"),
        ("GainRaw", -1, "0 to 10"),
        ("TriggerMode", "Perhaps", "Off, On"),
        ("Width", "wide", "kind integer"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_range_and_nothing_stays_open(make, name, value, allowed):
    with pytest.raises(CameraConfigError, match=rf"{name}.*{allowed}"):
        make(settings=[[name, value]]).open()
    make().open()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("ExposureTime", "this camera has ExposureTimeAbs for it"),
        ("Gain", "this camera has GainRaw for it"),
        ("Widht", r"did you mean Width\?"),
    ],
)
def test_a_feature_that_the_camera_lacks_is_refused_with_the_one_that_is_meant(make, name, hint):
    with pytest.raises(CameraConfigError, match=f"no feature {name}; {hint}"):
        make(settings=[[name, 1]]).open()


def test_a_feature_that_can_only_be_read_is_refused(make):
    with pytest.raises(CameraConfigError, match=r"SensorWidth.*read only"):
        make(settings=[["SensorWidth", 640]]).open()


def test_an_input_and_a_counter_that_the_camera_lacks_are_refused(make):
    with pytest.raises(CameraConfigError, match=r"TriggerSource cannot be Line7.*Line0"):
        make(trigger="hardware", trigger_source="Line7").open()
    with pytest.raises(CameraConfigError, match="counts no pulses"):
        make(trigger="hardware", trigger_source="Line0", counter="chunk").open()


@pytest.mark.parametrize("name", ["Aravis-Fake-GV01", "gv01", "127.0.0.1", None])
def test_a_camera_is_found_by_id_serial_number_or_address_or_because_it_is_the_only_one(make, name):
    camera = make(device=name)
    camera.open()
    assert (camera.info.model, camera.info.serial) == ("Aravis Fake", "GV01")
    assert camera.info.is_simulated


def test_opening_does_not_wait_for_the_whole_network_to_answer(make):
    for name in ("127.0.0.1", "Aravis-Fake-GV01"):
        camera = make(device=name)
        began = time.monotonic()
        camera.open()
        assert time.monotonic() - began < 0.9, "the library's own discovery takes a second"
        camera.close()


def test_a_camera_that_is_not_there_is_not_found(make):
    with pytest.raises(CameraNotFound, match=r"called Basler-1 \(there are Aravis-Fake-GV01\)"):
        make(device="Basler-1").open()
    with pytest.raises(CameraNotFound, match=r"no GigE Vision camera answers at 127\.0\.0\.9"):
        make(device="127.0.0.9").open()


def test_one_of_several_cameras_has_to_be_named():
    with gige_cameras(2), pytest.raises(CameraConfigError, match='set device to one of "Aravis-Fake-GV0'):
        make_camera({"driver": "aravis"}).open()


def test_two_programs_for_one_camera(make, supervise):
    first = supervise()
    first.open()
    with pytest.raises(CameraInUse, match=r"another program controls camera Aravis-Fake-GV01 at 127\.0\.0\.1"):
        make().open()
    first.start()
    first.trigger()
    assert first.read(5).sequence == 0, "who has it keeps it"
    first.close()
    make().open()


def test_discovery_tells_who_is_there_how_to_open_it_and_that_it_is_taken(make):
    with gige_cameras(2):
        taken = make_camera({"driver": "aravis", "device": "GV02"})
        taken.open()
        looked = discover(0.5)
        taken.close()
        assert looked.problem == ""
        first, second = sorted(looked.found, key=lambda found: found.serial)
        assert (first.device, first.serial, first.address) == ("Aravis-Fake-GV01", "GV01", "127.0.0.1")
        assert (first.note, second.note) == ("", "another program controls it")
        camera = make_camera({**first.settings, "settings": ROI})
        camera.open()
        camera.close()


def test_a_socket_that_gets_less_than_it_asks_for_is_noted_with_the_remedy(make):
    camera = make(socket_buffer_mb=1000)
    camera.open()
    assert "sysctl -w net.core.rmem_max=1000000000" in " ".join(camera.info.notes)
    camera.close()
    camera = make(socket_buffer_mb=0.1)
    camera.open()
    assert "rmem_max" not in " ".join(camera.info.notes)


def test_bits_that_are_dropped_are_noted(make):
    camera = make(settings=[*ROI, ["PixelFormat", "Mono16"]])
    camera.open()
    assert "Mono16: the upper 8 of its 16 bits are kept" in camera.info.notes
