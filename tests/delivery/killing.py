"""The sweep itself, in a lean process: `python -m delivery.killing FOLDER FIRST STEP`. Forks are cheap there.

A box takes release 1 and commits it; then release 2 comes, disappoints in probation, and is rolled back. At each change
that the delivery makes to its disk it is killed; while it recovers from that, once more, elsewhere each time.
"""

import logging
import os
import shutil
import sys
from pathlib import Path

from delivery.publisher import Publisher
from delivery.rig import PlayedCandidate, PlayedLine, Rig
from registry.store.dying import NOBODY, live

from appliance.delivery import model
from appliance.registry.package.inventory import verify_folder
from appliance.registry.package.keys import read_public_key
from appliance.registry.package.statement import read_statement
from appliance.registry.store.view import StoreView


def play(home: Path, publisher: Publisher) -> None:
    """Both releases, from wherever it stands, to both ends."""
    model.Candidate = PlayedCandidate  # type: ignore[misc, assignment]
    logging.disable(logging.CRITICAL)
    line = PlayedLine(home / "state" / "models" / "surface")
    line.misbehaves = {2: {"late": 1}}
    with Rig(home, publisher, line=line, poll_s=1) as box:
        ends = {}
        for release in (1, 2):
            box.delivery.watcher.look_now()
            if not any(one["release"] == release for one in box.delivery.records.history()):
                _only(publisher, release)
            ends[release] = box.ended(release)
        assert ends[1]["state"] == "success", ends[1]
        assert ends[2]["state"] == "rolled_back", ends[2]
        assert ends[2]["reason"] == "late", ends[2]
        assert box.delivery.store.current.release == 1


def _only(publisher: Publisher, release: int) -> None:
    """The registry names this release; the same file again is no change of it."""
    pointer = publisher.registry / "latest.json"
    wanted = f'{{"release": {release}, "path": "{release}"}}'
    if pointer.read_text() != wanted:
        staging = pointer.with_suffix(f".{os.getpid()}")
        staging.write_text(wanted)
        staging.rename(pointer)


def assert_sound(home: Path, publisher: Publisher) -> None:
    """Whatever happened: `current` is a whole version, and what was delivered is what was signed."""
    current = StoreView(home / "state" / "models" / "surface").current()
    if current is None:
        assert not (home / "state" / "models" / "surface" / "current").exists(), "killed before the factory was adopted"
        return
    assert (current.folder / "saved_model.pb").stat().st_size > 0
    if current.release:
        keys = [read_public_key(publisher.public_key)]
        statement, _ = read_statement((current.folder / "release.json").read_bytes(), keys)
        verify_folder(current.folder, statement, keys)


def sweep(place: Path, first: int, step: int) -> tuple[int, int]:
    """How many changes there are, and at how many of them it was killed."""
    publisher = Publisher(place / "publisher")
    for release in (1, 2):
        publisher.publish(publisher.package(release))
    for path in (place, *place.rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)
    changes = live(lambda: play(_home(place), publisher))
    assert changes is not None
    killed = 0
    for last in range(first, changes + 1, step):
        home = _home(place)
        if live(lambda home=home: play(home, publisher), last) is None:
            killed += 1
            assert_sound(home, publisher)
        live(lambda home=home: play(home, publisher), 1 + last % 29)
        assert_sound(home, publisher)
        assert live(lambda home=home: play(home, publisher)) is not None, f"killed at change {last}"
        assert_sound(home, publisher)
    return changes, killed


def _home(place: Path) -> Path:
    home = place / "home"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(mode=0o777)
    home.chmod(0o777)
    (place / "publisher" / "registry" / "latest.json").write_text('{"release": 1, "path": "1"}')
    return home


if __name__ == "__main__":
    print(*sweep(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
