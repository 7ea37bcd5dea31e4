"""What is said about a camera and the way to it: each sentence from a system, or pictures, that call for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from camera import make_camera
from camera.checking import Level, devices, motion, network, pace, picture, worst
from camera.checking.findings import note, well, wrong
from camera.checking.surroundings import after, before, shares_interface, surroundings
from camera.checking.system import Interface, System, device
from camera.checking.trial import take
from camera.config import AravisConfig, OpencvConfig
from camera.frame import PixelFormat

FRAME = 1920 * 1200


@pytest.fixture
def root(tmp_path) -> Path:
    """The /proc and /sys of a box with a camera on enp3s0 (192.168.7.0/24) and the plant on eno1."""

    def put(name: str, content: object) -> None:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{content}\n")

    put("proc/sys/net/core/rmem_max", 33_554_432)
    put("sys/module/usbcore/parameters/usbfs_memory_mb", 16)
    put(
        "proc/net/route",
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "eno1\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eno1\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "enp3s0\t0007A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0",
    )
    put(
        "proc/net/snmp",
        "Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors\nUdp: 1000 0 0 10 7",
    )
    for name, mtu, speed in (("eno1", 1500, 100), ("enp3s0", 9000, 1000), ("lo", 65536, "")):
        place = f"sys/class/net/{name}"
        put(f"{place}/mtu", mtu)
        put(f"{place}/speed", speed)
        put(f"{place}/operstate", "unknown" if name == "lo" else "up")
        put(f"{place}/duplex", "full")
        for kind in ("rx_errors", "rx_dropped", "rx_missed_errors"):
            put(f"{place}/statistics/{kind}", 3)
    return tmp_path


def test_the_system_says_by_which_interface_a_camera_comes(root):
    system = System(root)
    assert system.towards("192.168.7.20") == Interface("enp3s0", mtu=9000, speed_mbit=1000, errors=3, dropped=6)
    assert system.towards("192.168.1.9").name == "eno1"
    assert system.towards("10.1.2.3").name == "eno1"  # by the router
    assert system.towards("127.0.0.1").is_loopback
    assert system.towards("no address") is None
    assert [system.is_direct(one) for one in ("192.168.7.20", "10.1.2.3", "127.0.0.1")] == [True, False, True]
    assert (system.socket_buffer_max, system.usbfs_memory_mb, system.socket_drops) == (33_554_432, 16, 7)
    assert set(system.interfaces()) == {"eno1", "enp3s0", "lo"}


def test_a_system_that_tells_nothing_is_no_fault(tmp_path):
    system = System(tmp_path)
    assert (system.socket_buffer_max, system.usbfs_memory_mb, system.socket_drops) == (None, None, None)
    assert system.interfaces() == {}
    assert network.socket_buffer(None, FRAME).level is Level.NOTE


@pytest.mark.parametrize(
    ("rmem_max", "level", "says"),
    [
        (212_992, Level.WRONG, "sysctl -w net.core.rmem_max=33554432"),
        (4_194_304, Level.NOTE, "gets 4.2 MB"),
        (33_554_432, Level.WELL, "room for 7 pictures of 2.3 MB"),
    ],
)
def test_a_socket_buffer_has_to_hold_a_picture(rmem_max, level, says):
    found = network.socket_buffer(rmem_max, 16 * 2**20, FRAME)
    assert found.level is level
    assert says in found.sentence


@pytest.mark.parametrize(
    ("mtu", "packet_size", "level", "says"),
    [
        (1500, 8000, Level.WRONG, "nothing would arrive"),
        (1500, None, Level.NOTE, "ip link set enp3s0 mtu 9000"),
        (9000, 1500, Level.NOTE, "without packet_size"),
        (9000, None, Level.WELL, "as large as passes"),
        (9000, 8192, Level.WELL, "8192 bytes"),
    ],
)
def test_packets_have_to_pass_the_interface(mtu, packet_size, level, says):
    found = network.packets(Interface("enp3s0", mtu=mtu), packet_size)
    assert found.level is level, found.sentence
    assert says in found.sentence


def test_cameras_that_share_a_link_are_added_up():
    one = network.Stream("top", FRAME, 30)
    gigabit = Interface("enp3s0", speed_mbit=1000)
    assert network.link(gigabit, [one]).level is Level.WELL
    both = network.link(gigabit, [one, network.Stream("side", FRAME, 30)])
    assert both.level is Level.WRONG
    assert "top 575 + side 575" in both.sentence
    assert "each camera a port of its own" in both.sentence


@pytest.mark.parametrize(
    ("interface", "level", "says"),
    [
        (Interface("e", is_up=False), Level.WRONG, "plug in the cable"),
        (Interface("e", speed_mbit=1000, is_full_duplex=False), Level.WRONG, "half duplex"),
        (Interface("e", speed_mbit=100), Level.NOTE, "all eight wires"),
        (Interface("e"), Level.NOTE, "does not say"),
        (Interface("lo", is_loopback=True), Level.WELL, "on this computer"),
    ],
)
def test_a_slow_or_broken_link_is_named(interface, level, says):
    found = network.link(interface, [network.Stream("top", 256 * 128, 25)])
    assert found.level is level, found.sentence
    assert says in found.sentence


@pytest.mark.parametrize(
    ("changes", "drops", "level", "says"),
    [
        ({"errors": 2}, 0, Level.WRONG, "change the cable"),
        ({}, 9, Level.WRONG, "buffer full"),
        ({"dropped": 4}, 0, Level.NOTE, "ethtool -G e rx"),
        ({}, 0, Level.WELL, "lost nothing"),
    ],
)
def test_what_the_interface_lost_meanwhile_is_told(changes, drops, level, says):
    found = network.losses(Interface("e"), Interface("e", **changes), drops)
    assert found.level is level
    assert says in found.sentence


def test_usb_needs_memory_for_all_pictures_under_way():
    assert devices.usb_memory(16, 16 * FRAME).level is Level.WRONG
    assert devices.usb_memory(16, 3 * FRAME).level is Level.NOTE
    assert devices.usb_memory(1000, 16 * FRAME).level is Level.WELL
    assert devices.usb_memory(0, 16 * FRAME).level is Level.WELL
    assert "/sys/module/usbcore/parameters/usbfs_memory_mb" in devices.usb_memory(16, 16 * FRAME).sentence


def test_a_device_that_is_missing_or_closed_is_told_with_what_there_is(tmp_path):
    (tmp_path / "video0").write_bytes(b"")
    gone = devices.may_open(device(tmp_path / "video7", "video*"))
    assert gone.level is Level.WRONG
    assert f"there are {tmp_path / 'video0'}" in gone.sentence
    assert devices.may_open(device(tmp_path / "video0")).level is Level.WELL
    closed = devices.may_open(devices.Device(tmp_path / "video0", exists=True, may_use=False, group="video"))
    assert "usermod -aG video" in closed.sentence


@pytest.mark.parametrize(
    ("exposure_us", "level", "says"),
    [(100, Level.WELL, "0.5 px"), (300, Level.NOTE, "200 µs at most"), (1000, Level.WRONG, "is not seen")],
)
def test_an_exposure_may_not_be_longer_than_a_pixel_of_the_belt(exposure_us, level, says):
    found = motion.blur(exposure_us / 1e6, 400.0, 0.08)
    assert found.level is level
    assert says in found.sentence


@pytest.mark.parametrize(
    ("make", "level", "says"),
    [
        (lambda dice: np.zeros((60, 80)), Level.WRONG, "lens cap"),
        (lambda dice: np.full((60, 80), 128), Level.NOTE, "nearly the same everywhere"),
        (lambda dice: dice.integers(200, 300, (60, 80)).clip(0, 255), Level.NOTE, "expose shorter"),
        (lambda dice: dice.integers(30, 220, (60, 80)), Level.WELL, "contrast"),
    ],
)
def test_light_is_judged_at_a_glance(make, level, says):
    pixels = make(np.random.default_rng(1)).astype(np.uint8)
    found = picture.light(picture.figures(pixels, PixelFormat.MONO8))
    assert found.level is level, found.sentence
    assert says in found.sentence


def test_a_sharp_picture_has_more_focus_than_a_soft_one_in_every_format():
    sharp = np.zeros((64, 64), np.uint8)
    sharp[:, ::8] = 200
    soft = ((sharp.astype(int) + np.roll(sharp, 1, 1) + np.roll(sharp, -1, 1)) // 3).astype(np.uint8)
    for pixel_format in PixelFormat:
        one, other = (
            picture.figures(
                pixels if pixel_format is PixelFormat.MONO8 else np.repeat(pixels[..., None], 3, 2), pixel_format
            )
            for pixels in (sharp, soft)
        )
        assert one.focus > 2 * other.focus
        assert sum(one.histogram) == sharp.size


def test_a_gige_cameras_surroundings_are_looked_at_with_its_neighbours(root):
    system = System(root)
    config = AravisConfig(device="192.168.7.20")
    around = surroundings(config, system)
    assert [finding.level for finding in before(around, system)] == [Level.WELL]
    neighbour = AravisConfig(device="Maker-2")
    assert shares_interface(surroundings(neighbour, system, found_address="192.168.7.21"), around)
    assert not shares_interface(surroundings(neighbour, system, found_address="192.168.1.5"), around)
    assert not shares_interface(surroundings(neighbour, system), around)
    (root / "sys/class/net/enp3s0/statistics/rx_errors").write_text("5\n")
    (root / "proc/net/snmp").write_text("Udp: RcvbufErrors\nUdp: 7\n")
    streams = [network.Stream("top", FRAME, 30)]
    findings = {one.what: one for one in after(around, system, streams, FRAME)}
    assert findings["interface"].level is Level.WRONG
    assert "2 broken packets" in findings["interface"].sentence
    assert findings["socket buffer"].level is Level.WELL
    assert findings["link"].level is Level.WELL


def test_a_gige_camera_behind_a_router_and_one_that_cannot_be_reached_are_told(root):
    system = System(root)
    (routed,) = (
        one for one in before(surroundings(AravisConfig(device="10.1.2.3"), system), system) if one.what == "address"
    )
    assert "behind a router" in routed.sentence
    (root / "proc/net/route").write_text("Iface\n")
    (lost,) = before(surroundings(AravisConfig(device="10.1.2.3"), system), system)
    assert lost.level is Level.WRONG
    assert "no way to 10.1.2.3" in lost.sentence


def test_a_usb_camera_needs_usb_memory(root):
    system = System(root)
    around = surroundings(AravisConfig(device="Maker-Model-123", buffers_frames=16), system, "usb 3-2")
    (memory,) = after(around, system, [], FRAME)
    assert memory.level is Level.WRONG


def test_rtsp_comes_with_a_warning_and_udp_with_another(root):
    system = System(root)
    config = OpencvConfig(url="rtsp://192.168.7.30/stream", transport="udp")
    sentences = " ".join(one.sentence for one in before(surroundings(config, system), system))
    assert "does not wait for a trigger" in sentences
    assert "loses packets without a word" in sentences


SMALL = {"driver": "virtual", "width_px": 96, "height_px": 60}


@pytest.fixture
def tried():
    """A trial of a virtual camera for some exposures."""
    made = []

    def run(seconds=0.6, period_s=0.0, **settings):
        camera = make_camera(SMALL | settings)
        made.append(camera)
        camera.open()
        return take(camera, seconds, period_s)

    yield run
    for camera in made:
        camera.close()


def levels(findings):
    return {one.what: one.level for one in findings}


def test_a_camera_that_does_what_is_wanted_is_well(tried):
    trial = tried(0.8, trigger="timed", takt_s=0.05, latency_s=0.001)
    findings = pace.judge(trial, "timed", wanted_hz=20)
    assert worst(findings) is not Level.WRONG, findings
    seen = pace.pace(trial)
    assert seen.rate_hz == pytest.approx(20, rel=0.2)
    assert seen.lost == seen.damaged == 0


def test_a_camera_that_is_too_slow_is_told_with_what_is_wanted(tried):
    findings = pace.judge(tried(trigger="timed", takt_s=0.05, latency_s=0.001), "timed", wanted_hz=40)
    assert levels(findings)["frame rate"] is Level.WRONG
    assert any("of 40.0 that are wanted" in one.sentence for one in findings)


def test_lost_and_damaged_pictures_are_counted(tried):
    wrongs = {"lost": {"at_exposures": [2, 5]}, "incomplete": {"at_exposures": [7]}}
    trial = tried(trigger="timed", takt_s=0.02, latency_s=0.001, misbehave=wrongs)
    seen = pace.pace(trial)
    assert (seen.lost, seen.damaged) == (2, 1)
    (losses,) = (one for one in pace.judge(trial, "timed") if one.what == "losses")
    assert losses.level is Level.WRONG
    assert "rows arrived" in losses.sentence


def test_triggers_without_a_picture_and_too_early_ones_are_told(tried, monkeypatch):
    monkeypatch.setattr("camera.checking.trial._ANSWER_S", 0.05)
    unanswered = tried(latency_s=0.001, misbehave={"lost": {"rate": 1.0}})
    (nothing,) = pace.judge(unanswered, "software", 10)
    assert nothing.level is Level.WRONG
    assert "triggers was answered" in nothing.sentence


def test_a_camera_that_goes_ends_the_trial_with_its_sentence(tried):
    trial = tried(trigger="timed", takt_s=0.02, latency_s=0.001, misbehave={"gone": {"at_exposures": [4]}})
    assert trial.ended_by is not None
    (pictures, *_) = pace.judge(trial, "timed")
    assert pictures.level is Level.WRONG
    assert str(trial.ended_by) in pictures.sentence


def test_an_idle_wire_is_no_fault(tried, monkeypatch):
    trial = tried(0.1, trigger="timed", takt_s=5.0)
    (nothing,) = pace.judge(trial, "hardware")
    assert nothing.level is Level.NOTE
    assert "trigger_source" in nothing.sentence


def test_the_worst_finding_decides():
    assert worst([]) is Level.WELL
    assert worst([well("a", ""), note("b", "")]) is Level.NOTE
    assert worst([wrong("c", ""), note("b", "")]) is Level.WRONG


def test_pulses_that_exposed_nothing_are_counted(tried):
    trial = tried(0.2, trigger="timed", takt_s=0.02, latency_s=0.001)
    counted = [replace(sample, trigger_count=100 + 2 * sample.sequence) for sample in trial.samples]
    trial.samples = counted
    steps = counted[-1].sequence - counted[0].sequence
    assert pace.pace(trial).unseen_pulses == steps
    (pulses,) = (one for one in pace.judge(trial, "hardware") if one.what == "pulses")
    assert pulses.level is Level.WRONG
    trial.samples = [replace(sample, trigger_count=100 + sample.sequence) for sample in counted]
    assert pace.pace(trial).unseen_pulses == 0


def test_a_busy_computer_is_not_taken_for_a_slow_camera(tried):
    trial = tried(0.4, period_s=0.05, latency_s=0.001)
    (rate,) = (one for one in pace.judge(trial, "software", wanted_hz=100) if one.what == "frame rate")
    assert rate.level is Level.NOTE
    assert "this computer is busy" in rate.sentence
    slow = tried(0.8, latency_s=0.2)
    (rate,) = (one for one in pace.judge(slow, "software", wanted_hz=20) if one.what == "frame rate")
    assert rate.level is Level.WRONG


def test_what_is_nearly_black_or_white_counts_as_such():
    pixels = np.full((10, 10), 100, np.uint8)
    pixels[:2], pixels[2:5] = 4, 251
    seen = picture.figures(pixels, PixelFormat.MONO8)
    assert (seen.dark, seen.saturated) == (pytest.approx(0.2), pytest.approx(0.3))
