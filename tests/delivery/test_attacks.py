"""What must not be trusted ends `rejected` with a reason; nothing of it was loaded, and nothing of it is left."""

import json
import shutil
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from delivery.publisher import LINE, Publisher
from delivery.rig import PlayedCandidate, Rig
from running import DEMO_MODEL

from appliance.delivery import fetching
from appliance.registry.package.keys import new_key_pair

WEIGHTS = "variables/variables.data-00000-of-00001"
NOW = datetime.now(timezone.utc).replace(microsecond=0)


@pytest.fixture
def publisher(tmp_path):
    return Publisher(tmp_path / "publisher")


@pytest.fixture
def rig(tmp_path, publisher, monkeypatch):
    with Rig(tmp_path, publisher, monkeypatch, product="housing-a", factory=_other(tmp_path)) as running:
        yield running


def _other(folder: Path) -> Path:
    """A factory model with no file in common with what is published: all of that has to be fetched."""
    place = folder / "factory"
    shutil.copytree(DEMO_MODEL, place)
    for file in (place / "1").rglob("*"):
        if file.is_file():
            with file.open("ab") as opened:
                opened.write(b" ")
    return place


def rejected(rig: Rig, act) -> dict:
    """What came of it; it was refused, and the box is as it was before."""
    before = _files(rig.store_folder)
    ended = rig.next_end(act)
    assert ended["state"] == "rejected", ended
    assert len(ended["detail"]) > 20
    assert set(rig.line.loaded) <= {0}
    assert PlayedCandidate.started == []
    assert _files(rig.store_folder) == before, "nothing of it is left on the disk"
    assert rig.delivery.store.current.release == 0
    return ended


def _files(store: Path) -> set[str]:
    """Of the content: journal and audit say more than before, which is their purpose."""
    return {
        str(path.relative_to(store))
        for path in store.rglob("*")
        if path.relative_to(store).parts[0] in {"blobs", "partial", "versions", "serving", "current", "previous"}
    }


def _flip(file: Path) -> None:
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


@pytest.mark.parametrize("path", ["saved_model.pb", WEIGHTS, "assets.extra/inspection.json", "fingerprint.pb"])
def test_a_flipped_bit_in_any_file(rig, publisher, path):
    def act():
        package = publisher.package(1, products=["housing-a"])
        _flip(package / path)
        publisher.publish(package)

    ended = rejected(rig, act)
    assert ended["reason"] == "content"
    assert path in ended["detail"]


@pytest.mark.parametrize(("path", "reason"), [("release.json", "signature"), ("model.sig", "signature")])
def test_a_flipped_bit_in_a_signature(rig, publisher, path, reason):
    def act():
        package = publisher.package(1, products=["housing-a"])
        value = json.loads((package / path).read_text())
        envelope = value.get("dsseEnvelope", value)
        sig = envelope["signatures"][0]["sig"]
        envelope["signatures"][0]["sig"] = sig[:20] + ("A" if sig[20] != "A" else "B") + sig[21:]
        (package / path).write_text(json.dumps(value))
        publisher.publish(package)

    assert rejected(rig, act)["reason"] == reason


def test_a_missing_file(rig, publisher):
    def act():
        package = publisher.package(1, products=["housing-a"])
        (package / WEIGHTS).unlink()
        publisher.publish(package)

    assert rejected(rig, act)["reason"] == "missing_file"


def test_a_link_in_the_place_of_a_file(rig, publisher):
    def act():
        there = publisher.publish(publisher.package(1, products=["housing-a"]))
        (there / WEIGHTS).unlink()
        (there / WEIGHTS).symlink_to("/etc/hostname")

    assert rejected(rig, act)["reason"] == "link"


def test_a_key_that_this_box_does_not_trust(rig, publisher, tmp_path):
    stranger = new_key_pair(tmp_path / "stranger.key", tmp_path / "stranger.pub")
    act = lambda: publisher.publish(publisher.package(1, key=stranger, products=["housing-a"]))  # noqa: E731
    assert rejected(rig, act)["reason"] == "signature"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"model": "another"}, "wrong_model"),
        ({"lines": ["acme/linz/hall2/line4"]}, "wrong_line"),
        ({"products": ["housing-b"]}, "wrong_product"),
        ({"issued": NOW - timedelta(days=9), "valid": timedelta(days=1)}, "expired"),
        ({"issued": NOW + timedelta(days=2)}, "not_yet_valid"),
        ({"min_appliance": "99.0.0"}, "runtime"),
    ],
)
def test_a_release_that_is_not_for_this_box_or_not_for_now(rig, publisher, said, reason):
    act = lambda: publisher.publish(publisher.package(1, **{"products": ["housing-a"], **said}))  # noqa: E731
    assert rejected(rig, act)["reason"] == reason


def test_an_older_release_than_one_that_was_verified(rig, publisher):
    publisher.publish(publisher.package(5, products=["housing-a"]))
    assert rig.ended(5)["state"] == "success"
    ended = rig.next_end(lambda: publisher.publish(publisher.package(4, products=["housing-a"])))
    assert (ended["state"], ended["reason"]) == ("rejected", "older_release")
    assert rig.delivery.store.current.release == 5


def test_a_revoked_digest_and_the_one_that_serves(rig, publisher):
    publisher.publish(publisher.package(1, products=["housing-a"]))
    first = rig.ended(1)
    publisher.publish(publisher.package(2, products=["housing-a"], revokes=[first["digest"]]))
    assert rig.ended(2)["state"] == "success"
    again = publisher.package(3, version=2, products=["housing-a"])
    ended = rig.next_end(lambda: publisher.publish(again))
    assert (ended["state"], ended["reason"]) == ("rejected", "revoked")


def test_a_package_that_cannot_be_had_hides_no_revocation(rig, publisher):
    """Its statement was signed; what it revokes counts, whatever becomes of its files."""
    publisher.publish(publisher.package(1, products=["housing-a"]))
    first = rig.ended(1)

    def act():
        package = publisher.package(2, products=["housing-a"], revokes=[first["digest"]])
        (package / "assets.extra" / "inspection.json").unlink()
        publisher.publish(package)

    assert rig.next_end(act)["state"] == "rejected"
    assert first["digest"] in rig.delivery.records.facts.revoked
    assert rig.delivery.flags().revoked


def test_the_statement_of_one_and_the_weights_of_another(rig, publisher):
    def act():
        other = publisher.package(7, products=["housing-a"], change=lambda place: _flip(place / WEIGHTS))
        package = publisher.package(1, products=["housing-a"])
        (package / WEIGHTS).write_bytes((other / WEIGHTS).read_bytes())
        publisher.publish(package)

    assert rejected(rig, act)["reason"] == "content"


@pytest.mark.parametrize(("year", "reason"), [(1970, "expired"), (2099, "expired")])
def test_a_clock_that_is_wrong_hides_no_expiry(rig, publisher, monkeypatch, year, reason):
    """In 1970 nothing would ever expire: the time that was verified before stands in."""

    class Wrong(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime(year, 1, 1, tzinfo=tz)

    publisher.publish(publisher.package(1, products=["housing-a"], issued=NOW))
    rig.ended(1)
    monkeypatch.setattr(fetching, "datetime", Wrong)
    expired = {"issued": NOW - timedelta(days=9), "valid": timedelta(days=1)}
    ended = rig.next_end(lambda: publisher.publish(publisher.package(2, products=["housing-a"], **expired)))
    assert (ended["state"], ended["reason"]) == ("rejected", reason)


def test_a_graph_that_writes_files_though_it_is_signed(rig, publisher, tmp_path):
    from exporting import export

    evil = export(Path(__file__).with_name("export_writer.py"), tmp_path / "evil")

    def swap(place: Path) -> None:
        (place / "saved_model.pb").write_bytes((evil / "saved_model.pb").read_bytes())

    act = lambda: publisher.publish(publisher.package(1, products=["housing-a"], change=swap))  # noqa: E731
    ended = rejected(rig, act)
    assert ended["reason"] == "forbidden_op"
    assert "WriteFile" in ended["detail"]


def test_an_input_that_the_statement_does_not_speak_of(rig, publisher, monkeypatch):
    """Mix and match: the statement was made for another input than the model's own file says."""
    from appliance.registry.package import signing

    def act():
        package = publisher.package(1, products=["housing-a"])
        told = json.loads((package / "assets.extra/inspection.json").read_text())
        honest = signing.make_statement(
            package, model="surface", version=2, release=1, lines=[LINE], products=["housing-a"],
            issued=NOW, expires=NOW + timedelta(days=1),
        )  # fmt: skip
        from dataclasses import replace

        lie = replace(honest, input={**told["input"], "width": 64})
        (package / "release.json").write_bytes(signing.sign_statement(lie, publisher.key))
        (package / "model.sig").write_bytes(signing.sign_folder(package, publisher.key))
        publisher.publish(package)

    assert rejected(rig, act)["reason"] == "input_spec"


def test_no_signature_at_all(rig, publisher):
    def act():
        package = publisher.package(1, products=["housing-a"])
        there = publisher.publish(package)
        (there / "model.sig").unlink()

    assert rejected(rig, act)["reason"] == "signature"
