"""deploy/install on a machine of its own: what it makes, what it leaves alone, what it takes away."""

from collections.abc import Iterator

import pytest
from machine import CHECKOUT, Machine, MachineUnavailable, machine

INSTALL = str(CHECKOUT / "deploy" / "install")
CONFIG = "/etc/appliance/appliance.toml"
UNIT = "/etc/systemd/system/appliance.service"
HOST_SETTINGS = (
    "/etc/sysctl.d/60-appliance-cameras.conf",
    "/etc/tmpfiles.d/appliance-cameras.conf",
    "/etc/udev/rules.d/60-appliance-cameras.rules",
)


@pytest.fixture
def fresh() -> Iterator[Machine]:
    try:
        with machine() as box:
            yield box
    except MachineUnavailable as reason:
        pytest.skip(str(reason))


def owner(box: Machine, path: str) -> str:
    return box.run("stat", "-c", "%A %U %G", path).stdout.strip()


def test_a_dry_run_says_everything_and_does_nothing(fresh):
    said = fresh.run(INSTALL, "--dry-run").stdout
    for part in ("/opt/appliance/.venv", "useradd", CONFIG, UNIT, "enable appliance.service"):
        assert part in said
    for made in ("/opt/appliance", "/etc/appliance", UNIT):
        assert not fresh.path(made).exists()
    assert fresh.run("getent", "passwd", "appliance", check=False).returncode == 2


def test_an_installation_is_complete_repeatable_and_leaves_nothing_but_data(fresh):
    fresh.lend_packages("/opt/appliance/.venv")
    said = fresh.run(INSTALL, timeout_s=120).stdout
    assert "/opt/appliance/.venv/bin/appliance" in said
    assert CONFIG in said

    assert fresh.run("appliance", "--version").stdout.startswith("appliance ")
    assert owner(fresh, "/var/lib/appliance") == "drwxr-x--- appliance appliance"
    assert owner(fresh, "/etc/appliance") == "drwxr-x--- root appliance"
    assert owner(fresh, CONFIG) == "-rw-r----- root appliance"
    assert fresh.path(UNIT).read_text() == (CHECKOUT / "systemd" / "appliance.service").read_text()
    assert fresh.systemctl("is-enabled", "appliance.service") == "enabled"
    assert fresh.show("appliance.service", "NeedDaemonReload") == "no"
    assert fresh.show("appliance.service", "ActiveState") == "inactive"

    fresh.path(CONFIG).write_text("# mine\n")
    fresh.run(INSTALL, timeout_s=120)
    assert fresh.path(CONFIG).read_text() == "# mine\n"

    assert [fresh.path(file).exists() for file in HOST_SETTINGS] == [True] * 3
    fresh.run(INSTALL, "--uninstall")
    assert [fresh.path(file).exists() for file in HOST_SETTINGS] == [False] * 3
    assert not fresh.path("/opt/appliance").exists()
    assert fresh.run("appliance", "--version", check=False).returncode == 127
    assert fresh.path(CONFIG).exists()
    assert fresh.show("appliance.service", "LoadState") == "not-found"
    again = fresh.run(INSTALL, "--uninstall", check=False)
    assert (again.returncode, again.stderr) == (1, "deploy/install: There is no appliance to remove here.\n")


def test_another_prefix_gets_a_drop_in_of_its_own(fresh):
    fresh.lend_packages("/srv/line3/.venv")
    fresh.run(INSTALL, "--prefix", "/srv/line3", timeout_s=120)
    started = fresh.show("appliance.service", "ExecStart")
    assert "path=/srv/line3/.venv/bin/appliance " in started
    fresh.run(INSTALL, "--prefix", "/srv/line3", "--uninstall")
    assert not fresh.path("/srv/line3").exists()


@pytest.mark.slow
def test_cameras_open_what_they_need_of_the_services_walls_and_an_update_keeps_it(fresh):
    fresh.lend_packages("/opt/appliance/.venv")
    before = fresh.show("appliance.service", "RestrictAddressFamilies")
    fresh.run(INSTALL, "--cameras", "gige,gpio", timeout_s=120)
    fresh.run(INSTALL, timeout_s=120)
    assert "AF_NETLINK" in fresh.show("appliance.service", "RestrictAddressFamilies").split()
    assert "AF_NETLINK" not in before.split()
    devices = fresh.show("appliance.service", "DeviceAllow")
    assert "char-gpiochip rw" in devices
    assert "char-usb_device" not in devices
    assert int(fresh.run("sysctl", "-n", "net.core.rmem_max").stdout) >= 33_554_432
    fresh.run(INSTALL, "--uninstall")
    assert not fresh.path("/opt/appliance").exists()
    assert not list(fresh.path("/etc/systemd/system/appliance.service.d").glob("*.conf"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--prefix", "opt"], "--prefix needs an absolute path, not 'opt'."),
        (["--prefix"], "--prefix needs an absolute path, not ''."),
        (["--cameras"], "--cameras needs kinds of cameras, such as gige,gpio; not ''."),
        (["--cameras", "gige,firewire"], "there is no kind of camera 'firewire'; there are gige, usb, gpio and pylon."),
        (["--force"], "there is no option --force; see deploy/install --help."),
    ],
)
def test_wrong_usage_is_one_sentence(fresh, arguments, sentence):
    done = fresh.run(INSTALL, *arguments, check=False)
    assert (done.returncode, done.stderr) == (1, f"deploy/install: {sentence}\n")


def test_without_root_it_says_so(fresh):
    fresh.run("useradd", "somebody")
    done = fresh.run("setpriv", "--reuid=somebody", "--regid=somebody", "--clear-groups", INSTALL, check=False)
    assert (done.returncode, done.stderr) == (1, "deploy/install: Installing a service needs root: run it with sudo.\n")
