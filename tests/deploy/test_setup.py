"""From a clone to a filled environment: what is there is left alone, what is missing is said in one sentence."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from machine import CHECKOUT, WITH_PRIVATE_MOUNTS
from running import open_to_all

NOBODY = 65534
OFFLINE = {"PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="makes namespaces or another user, which needs root")


def deploy(clone: Path, *arguments: str, before: tuple[str, ...] = (), **environment: str):
    """Run a command of deploy/ in a clone, as the user and in the surroundings that `before` makes."""
    return subprocess.run(
        [*before, str(clone / "deploy" / arguments[0]), *arguments[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd="/",
        env={
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/nonexistent",
            **environment,
        },
    )


@pytest.fixture
def clone(tmp_path) -> Path:
    """A fresh clone that everybody may enter."""
    folder = tmp_path / "clone"
    (folder / "deploy").mkdir(parents=True)
    for name in ("demo", "test", "check", "install", "setup", "constraints.txt"):
        shutil.copy(CHECKOUT / "deploy" / name, folder / "deploy")
    shutil.copy(CHECKOUT / "pyproject.toml", folder)
    open_to_all(folder)
    folder.chmod(0o777)
    return folder


@pytest.fixture
def as_nobody() -> tuple[str, ...]:
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def fill(clone: Path, purpose: str) -> None:
    """Make an environment that looks filled, with an `appliance` that prints its arguments."""
    python = shutil.which("python3", path="/usr/bin") or sys.executable  # the system's may be used by everybody
    subprocess.run([python, "-m", "venv", "--without-pip", clone / ".venv"], check=True, timeout=60)
    put_program(clone, "appliance", 'echo "$@"')
    fingerprint = f'. {clone}/deploy/setup; fingerprint "$1" >"$1/filled-for-{purpose}"'
    subprocess.run(["bash", "-c", fingerprint, "_", clone / ".venv"], check=True, timeout=60)


def put_program(clone: Path, name: str, body: str) -> None:
    program = clone / ".venv" / "bin" / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)


def put_pytest(clone: Path, code: int) -> None:
    (packages,) = (clone / ".venv" / "lib").glob("python3*/site-packages")
    (packages / "pytest.py").write_text(f"import sys\nprint('pytest', *sys.argv[1:])\nsys.exit({code})\n")


@pytest.mark.parametrize("command", ["demo", "install"])
def test_help_is_there_before_anything_is_installed(command, clone):
    done = deploy(clone, command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: deploy/{command}")
    assert not (clone / ".venv").exists()


def test_what_is_up_to_date_takes_no_time_and_hands_the_arguments_on(clone):
    fill(clone, "demo")
    started = time.monotonic()
    done = deploy(clone, "demo", "--parts", "20", "--folder", "two words")
    assert time.monotonic() - started < 0.5
    assert (done.returncode, done.stdout, done.stderr) == (0, "demo --parts 20 --folder two words\n", "")


def test_an_interrupted_step_ends_with_everything_it_started(clone):
    program = f". {clone}/deploy/setup; steps=1; run_step 'Waiting long' sleep 60"
    # Who starts the tests in a shell's background has them ignore SIGINT, and no shell below could take it up again.
    with subprocess.Popen(
        ["env", "--default-signal=INT", "bash", "-c", program],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ},
    ) as step:
        assert step.stderr.readline() == "[1/1] Waiting long\n"
        os.killpg(step.pid, signal.SIGINT)
        rest = step.communicate(timeout=10)[1]  # comes only when nobody holds stderr any more
    assert rest.splitlines()[-1].endswith(": Interrupted; start this again to go on.")
    assert step.returncode == 1


def test_a_step_that_fails_shows_the_end_of_what_it_said(clone, tmp_path):
    program = f". {clone}/deploy/setup; steps=1; run_step 'Counting' sh -c 'seq 30; exit 3'"
    done = subprocess.run(
        ["bash", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    lines = done.stderr.splitlines()
    assert lines[:2] == ["[1/1] Counting", "    11"]
    (kept,) = tmp_path.glob("tmp.*")
    assert lines[-1].endswith(f": [1/1] Counting failed; the lines above say why (all of it: {kept}).")
    assert done.returncode == 1


@as_root
@pytest.mark.parametrize("changed", [pytest.param("pyproject.toml", marks=pytest.mark.slow), "deploy/constraints.txt"])
def test_a_changed_list_of_packages_is_installed_again(changed, clone):
    fill(clone, "demo")
    with (clone / changed).open("a") as file:
        file.write("# changed\n")
    done = deploy(clone, "demo", before=("unshare", "--net"), **OFFLINE)
    assert done.returncode == 1
    assert "[1/2] Python environment" in done.stderr


@as_root
def test_an_environment_that_was_copied_from_elsewhere_is_made_anew(clone):
    fill(clone, "demo")
    (copied := clone.with_name("copy")).mkdir()
    shutil.copytree(clone, copied, symlinks=True, dirs_exist_ok=True)
    done = deploy(copied, "demo", before=("unshare", "--net"), **OFFLINE)
    assert "[1/2] Python environment" in done.stderr
    assert not (copied / ".venv" / "bin" / "appliance").exists()


@as_root
def test_without_a_network_one_sentence_says_so(clone):
    done = deploy(clone, "demo", before=("unshare", "--net"), **OFFLINE)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "deploy/demo: No package server answers: connect this computer to the network once, for the installation, "
        "and start this again."
    )


@as_root
def test_without_room_nothing_is_begun(clone):
    small_disk = 'mount -t tmpfs -o size=100M tmpfs "$1" && cp -r "$2"/. "$1" && shift 2 && exec "$@"'
    disk = clone.with_name("disk")
    disk.mkdir()
    done = deploy(disk, "demo", before=(*WITH_PRIVATE_MOUNTS, "sh", "-c", small_disk, "_", str(disk), str(clone)))
    assert done.returncode == 1
    assert done.stderr == (
        f"deploy/demo: 99 MB are free in {disk} and 4 GB are needed: free some and start this again.\n"
    )


@as_root
def test_who_may_not_install_is_told_what_to_install(clone, as_nobody, tmp_path):
    (bare := tmp_path / "bin").mkdir()
    for program in ("bash", "basename", "dirname"):
        (bare / program).symlink_to(shutil.which(program, path="/usr/bin:/bin"))
    open_to_all(tmp_path)
    done = deploy(clone, "demo", before=("/usr/bin/setpriv", *as_nobody[1:]), PATH=str(bare))
    assert done.returncode == 1
    assert done.stderr == (
        "deploy/demo: Not everything needed is here: as root, run 'apt install python3 python3-venv', "
        "then start this again.\n"
    )


@as_root
def test_who_may_not_install_needs_nothing_where_all_is_there(clone, as_nobody):
    fill(clone, "demo")
    done = deploy(clone, "demo", "--parts", "3", before=as_nobody)
    assert (done.returncode, done.stdout) == (0, "demo --parts 3\n")


@pytest.mark.parametrize(("checked", "tested", "code"), [(0, 0, 0), (1, 0, 1), (0, 2, 2), (1, 5, 5)])
def test_tests_run_even_after_a_failed_check_and_both_decide_the_exit_code(checked, tested, code, clone):
    fill(clone, "test")
    for check in ("ruff", "mypy", "lint-imports"):
        put_program(clone, check, f"echo {check} $*; exit {checked}")
    put_pytest(clone, tested)
    done = deploy(clone, "test", "-k", "outbox")
    assert done.stdout.splitlines() == [
        *("== ruff format --check .", "ruff format --check ."),
        *("== ruff check .", "ruff check ."),
        *("== mypy", "mypy"),
        *("== lint-imports", "lint-imports"),
        "pytest -k outbox",
    ]
    assert done.returncode == code


def test_continuous_integration_runs_what_everybody_runs(clone):
    fill(clone, "test")
    for check in ("ruff", "mypy", "lint-imports"):
        put_program(clone, check, f"echo {check} $*")
    put_pytest(clone, 0)
    (clone / ".ci").mkdir()
    shutil.copy(CHECKOUT / ".ci" / "run", clone / ".ci")
    done = subprocess.run(["bash", ".ci/run"], cwd=clone, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "pytest"


# Mosquitto lies in /usr/sbin.
WITHOUT_MOSQUITTO = (*WITH_PRIVATE_MOUNTS, "sh", "-c", 'mount --bind /usr/bin /usr/sbin && exec "$@"', "_")


def put_pip(clone: Path, body: str) -> None:
    (packages,) = (clone / ".venv" / "lib").glob("python3*/site-packages")
    (packages / "pip.py").write_text(f"import pathlib, sys\n{body}\n")
    for place in (clone / ".venv", packages):
        place.chmod(0o777)


@as_root
def test_who_may_not_install_gets_a_broker_in_python_once(clone, as_nobody):
    fill(clone, "demo")
    put_pip(clone, "print(*sys.argv)\n(pathlib.Path(__file__).parent / 'amqtt').mkdir()")
    first, second = (deploy(clone, "demo", "--parts", "3", before=(*WITHOUT_MOSQUITTO, *as_nobody)) for _ in "ab")
    assert (first.returncode, first.stdout) == (0, "demo --parts 3\n")
    assert first.stderr.splitlines() == [
        "Mosquitto is not installed and only root could do that, so the broker is amqtt, a Python package:",
        "[1/1] Python package: amqtt",
    ]
    assert (second.returncode, second.stdout, second.stderr) == (0, "demo --parts 3\n", "")


@as_root
def test_a_broker_in_python_that_cannot_be_fetched_is_one_sentence(clone, as_nobody):
    fill(clone, "demo")
    put_pip(clone, "sys.exit('Temporary failure in name resolution')")
    done = deploy(clone, "demo", before=(*WITHOUT_MOSQUITTO, *as_nobody))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("deploy/demo: No package server answers:")


@as_root
def test_who_asks_for_mosquitto_and_may_not_install_it_is_told(clone, as_nobody):
    fill(clone, "demo")
    done = deploy(clone, "demo", "--broker", "mosquitto", before=(*WITHOUT_MOSQUITTO, *as_nobody))
    assert (done.returncode, done.stderr) == (
        1,
        "deploy/demo: Not everything needed is here: as root, run 'apt install mosquitto', then start this again.\n",
    )


def test_the_python_broker_comes_on_request(clone):
    fill(clone, "demo")
    put_pip(clone, "(pathlib.Path(__file__).parent / 'amqtt').mkdir()")
    done = deploy(clone, "demo", "--broker=amqtt")
    assert (done.returncode, done.stdout) == (0, "demo --broker=amqtt\n")
    assert done.stderr.splitlines() == [
        "The broker that was asked for is a Python package:",
        "[1/1] Python package: amqtt",
    ]
