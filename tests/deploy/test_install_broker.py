"""deploy/install --broker on a machine of its own: the delivered broker under a real systemd."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import CHECKOUT, Machine, MachineUnavailable, machine
from running import until

INSTALL = str(CHECKOUT / "deploy" / "install")
BASE = "acme/plant1/assembly/line3/box1"
ACCESS = "/etc/appliance/mqtt-access"
DATABASE = "/var/lib/mosquitto/mosquitto.db"


@pytest.fixture
def fresh() -> Iterator[Machine]:
    try:
        with machine() as box:
            if not box.path("/usr/sbin/mosquitto").exists():
                pytest.skip("mosquitto is not installed")
            yield box
    except MachineUnavailable as reason:
        pytest.skip(str(reason))


def say(box: Machine, folder: str, name: str, topic: str) -> str:
    """Publish with the certificate of an account; returns the broker's answer."""
    files = ("--cafile", f"{folder}/ca.crt", "--cert", f"{folder}/{name}.crt", "--key", f"{folder}/{name}.key")
    where = ("-V", "5", "-h", "localhost", "-p", "8883", "-q", "1", "-t", topic, "-m", "{}", "-r", "-d")
    said = box.run("mosquitto_pub", *where, *files, check=False, timeout_s=20).stdout
    code = re.search(r"received PUBACK \(Mid: 1, RC:(\d+)\)", said)
    assert code is not None, said
    return {"0": "taken", "16": "taken", "135": "not authorized"}[code[1]]


def active(box: Machine) -> bool:
    return box.show("mosquitto.service", "ActiveState") == "active"


def test_a_dry_run_says_what_it_does_for_the_broker(fresh):
    said = fresh.run(INSTALL, "--broker", BASE, "--dry-run").stdout
    for part in ("inspection.conf", f"station box1 {BASE}", "enable mosquitto.service", "mosquitto-check-database"):
        assert part in said
    assert not fresh.path("/etc/mosquitto/inspection").exists()


def test_a_topic_that_is_none_is_one_sentence(fresh):
    done = fresh.run(INSTALL, "--broker", "#", check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "deploy/install: --broker needs the box's base topic, such as acme/plant1/assembly/line3/box1; not '#'.\n",
    )


def test_a_broker_that_somebody_set_up_is_left_alone(fresh):
    fresh.path("/etc/mosquitto/conf.d/mine.conf").write_text("listener 1883\n")
    done = fresh.run(INSTALL, "--broker", BASE, check=False)
    assert done.returncode == 1
    assert "Mosquitto on this box has a configuration of its own" in done.stderr


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_broker_runs_lets_the_box_in_survives_a_torn_database_and_goes_again(fresh):
    fresh.lend_packages("/opt/appliance/.venv")
    said = fresh.run(INSTALL, "--broker", BASE, timeout_s=180).stdout
    assert 'certificate_file = "/etc/appliance/mqtt/box1.crt"' in said
    assert active(fresh)
    assert fresh.show("mosquitto.service", "User") == "mosquitto"
    assert fresh.run("stat", "-c", "%A %U %G", "/etc/mosquitto/inspection/broker.key").stdout.split() == [
        *("-rw-r-----", "root", "mosquitto")
    ]
    assert fresh.run("stat", "-c", "%A %U %G", "/etc/appliance/mqtt/box1.key").stdout.split() == [
        *("-rw-r-----", "root", "appliance")
    ]
    assert fresh.run("stat", "-c", "%A %U", ACCESS).stdout.split() == ["drwx------", "root"]
    assert say(fresh, "/etc/appliance/mqtt", "box1", f"{BASE}/health") == "taken"
    assert say(fresh, "/etc/appliance/mqtt", "box1", "acme/other") == "not authorized"

    # What was on the disk when it filled up: a torn database, with which Mosquitto does not start.
    fresh.systemctl("stop", "mosquitto.service")
    database = fresh.path(DATABASE)
    database.write_bytes(database.read_bytes()[:-1])
    fresh.systemctl("start", "mosquitto.service")
    assert active(fresh)
    assert len(list(database.parent.glob("mosquitto.db.bad-*"))) == 1
    assert any("is damaged" in str(entry["MESSAGE"]) for entry in fresh.journal("_SYSTEMD_UNIT=mosquitto.service"))

    fresh.run("/opt/appliance/broker/make-certificates", ACCESS, "operator", "lead")
    fresh.run(INSTALL, timeout_s=180)  # an update keeps the broker, and brings the new access list
    assert say(fresh, f"{ACCESS}/accounts/lead", "lead", f"{BASE}/desired") == "taken"

    pid = int(fresh.show("mosquitto.service", "MainPID"))
    fresh.run("kill", "-9", str(pid))
    until(
        lambda: active(fresh) and int(fresh.show("mosquitto.service", "MainPID")) not in (0, pid), "it to be back", 20
    )

    fresh.run(INSTALL, "--uninstall")
    assert not active(fresh)
    assert not fresh.path("/etc/mosquitto/inspection").exists()
    assert not fresh.path("/opt/appliance").exists()
    assert fresh.path("/etc/mosquitto/mosquitto.conf").exists()
    assert Path(fresh.path(ACCESS)).exists()


def follow_the_readme(box: Machine) -> None:
    """Its steps 1 and 2, as they stand there, without apt."""
    readme = (CHECKOUT / "deploy/broker/README.md").read_text()
    blocks = [block.partition("```")[0] for block in readme.split("   ```\n")[1::2]]
    commands = [line.strip() for block in blocks[:2] for line in block.splitlines() if "apt install" not in line]
    assert len(commands) == 11
    box.run("mkdir", "/srv/steps")
    box.run("ln", "-s", str(CHECKOUT / "deploy"), "/srv/steps/deploy")
    commands[0] = "deploy/broker/make-certificates mqtt-access broker localhost"
    box.run("bash", "-euc", "\n".join(["cd /srv/steps", *commands]), timeout_s=120)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_as_the_readme_says_it_comes_back_even_from_a_full_disk(fresh):
    fresh.run("mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", "/var/lib/mosquitto")
    follow_the_readme(fresh)
    assert active(fresh)
    accounts = "/srv/steps/mqtt-access/accounts"

    def client(program: str, name: str, *more: str) -> str:
        files = [f"{accounts}/{name}/{file}" for file in ("ca.crt", f"{name}.crt", f"{name}.key")]
        tls = ("--cafile", files[0], "--cert", files[1], "--key", files[2])
        command = shlex.join([program, "-V", "5", "-h", "localhost", "-p", "8883", "-q", "1", *tls, *more])
        return fresh.run("bash", "-euc", f"seq -f '%01000g' 5 | {command}", timeout_s=60).stdout

    client("mosquitto_sub", "node-red", "-i", "node-red", "-c", "-x", "3600", "-t", "acme/#", "-E")
    client("mosquitto_pub", "line3-box1", "-t", f"{BASE}/top/result", "-l")
    # Room for one page more: the rest of the database is lost at the end of the save, and Mosquitto does not notice.
    fill = "cd /var/lib/mosquitto && { dd if=/dev/zero of=fill bs=4096 2>/dev/null || true; } && truncate -s -4096 fill"
    fresh.run("bash", "-euc", fill)
    pid = fresh.show("mosquitto.service", "MainPID")
    fresh.run("kill", "-USR1", pid)  # save now
    folder = fresh.path("/var/lib/mosquitto")
    database = folder / "mosquitto.db"
    until(lambda: database.exists() and database.stat().st_size == 4096, "a save on the full disk", 20)
    fresh.run("kill", "-9", pid)
    until(lambda: active(fresh) and fresh.show("mosquitto.service", "MainPID") not in ("0", pid), "it to be back", 60)
    assert len(list(folder.glob("mosquitto.db.bad-*"))) == 1
    assert any("is damaged" in str(entry["MESSAGE"]) for entry in fresh.journal("_SYSTEMD_UNIT=mosquitto.service"))
    assert client("mosquitto_pub", "line3-box1", "-t", f"{BASE}/top/result", "-l", "-d").count("RC:") == 5


@pytest.mark.slow
def test_the_walls_around_the_broker_are_what_systemd_calls_good(fresh, tmp_path):
    fresh.run(
        "install",
        "-D",
        str(CHECKOUT / "deploy/broker/inspection.conf"),
        "/etc/systemd/system/mosquitto.service.d/x.conf",
    )
    fresh.systemctl("daemon-reload")
    said = fresh.run("systemd-analyze", "security", "--no-pager", "mosquitto.service", check=False).stdout
    exposure = float(said.rpartition("mosquitto.service: ")[2].split()[0])
    assert exposure <= 2.0, said
