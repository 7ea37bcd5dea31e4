"""`appliance keys` and `appliance sign`: what a box verifies later."""

import io
import json
import stat
from datetime import datetime, timezone

import pytest

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.files import content_digest
from appliance.registry.package.inventory import hash_files, list_folder, verify_folder
from appliance.registry.package.keys import read_private_key, read_public_key
from appliance.registry.package.model_signature import sign_digests
from appliance.registry.package.statement import read_statement


def statement_of(folder, key):
    return read_statement((folder / "release.json").read_bytes(), [key])[0]


def test_a_new_pair_signs_and_is_never_overwritten(tmp_path, appliance):
    said = appliance("keys", "new", "line3", "--folder", tmp_path)
    assert said.code == 0
    assert stat.S_IMODE((tmp_path / "line3.key").stat().st_mode) == 0o600
    assert "trusted_keys" in said.out
    shown = appliance("keys", "show", tmp_path / "line3.pub").out.split()[0]
    assert shown == appliance("keys", "show", tmp_path / "line3.key").out.split()[0]
    assert shown in said.out
    before = (tmp_path / "line3.key").read_bytes()
    said = appliance("keys", "new", "line3", "--folder", tmp_path)
    assert said.code == 1
    assert "is there already and stays as it is" in said.sentence
    assert (tmp_path / "line3.key").read_bytes() == before
    assert appliance("keys", "new", "../x").code == 2
    said = appliance("keys", "new", "x", "--folder", tmp_path / "none")
    assert said.code == 1


def test_a_key_with_a_passphrase_needs_it(package, tmp_path, appliance, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO())  # no person is there
    words = tmp_path / "words"
    words.write_text("correct horse\n")
    assert appliance("keys", "new", "safe", "--folder", tmp_path, "--passphrase-file", words).code == 0
    assert b"ENCRYPTED" in (tmp_path / "safe.key").read_bytes()
    sign = ["sign", package, "--key", tmp_path / "safe.key", "--release", 1]
    said = appliance(*sign)
    assert said.code == 1
    assert "passphrase" in said.sentence
    assert appliance(*sign, "--passphrase-file", words).code == 0
    words.write_text("wrong")
    said = appliance(*sign, "--passphrase-file", words)
    assert said.code == 1
    assert "passphrase" in said.sentence
    words.write_text("\n")
    assert "holds no passphrase" in appliance(*sign, "--passphrase-file", words).sentence


def test_what_was_asked_for_stands_in_the_statement_and_both_signatures_hold(package, keys, appliance):
    revoked = "sha256:" + "ab" * 32
    arguments = ["--line", "acme/*/line3", "--line", "acme/linz/**", "--product", "plate", "--expires", "30d"]
    arguments += ["--revoke", revoked, "--notes", "less glare", "--min-appliance", "0.1.0"]
    said = appliance("sign", package, "--key", keys / "plant.key", "--release", 12, *arguments)
    assert said.code == 0, said.err
    trusted = read_public_key(keys / "plant.pub")
    statement = statement_of(package, trusted)
    assert (statement.model, statement.version, statement.release) == ("surface", 7, 12)
    assert statement.lines == ("acme/*/line3", "acme/linz/**")
    assert statement.products == ("plate",)
    assert statement.revokes == (revoked,)
    assert statement.notes == "less glare"
    assert (statement.expires - statement.issued).days == 30
    assert abs((datetime.now(timezone.utc) - statement.issued).total_seconds()) < 60
    verified = verify_folder(package, statement, [trusted])
    assert verified.signature_covers_statement
    assert statement.digest in said.out
    files = hash_files(package, list_folder(package))
    assert statement.digest == content_digest(files)
    with pytest.raises(Rejected) as refused:
        verify_folder(package, statement, [read_public_key(keys / "other.pub")])
    assert refused.value.reason is Refusal.SIGNATURE


def test_a_package_can_be_signed_again_for_another_release(signed, keys, appliance):
    trusted = read_public_key(keys / "plant.pub")
    first = statement_of(signed, trusted)
    arguments = ["--key", keys / "plant.key", "--release", 4, "--expires", "2099-06-30"]
    assert appliance("sign", signed, *arguments).code == 0
    again = statement_of(signed, trusted)
    assert (first.release, again.release) == (3, 4)
    assert first.digest == again.digest
    assert again.expires == datetime(2099, 7, 1, tzinfo=timezone.utc), "the whole of its last day"
    verify_folder(signed, again, [trusted])


def test_lint_errors_keep_it_from_being_signed(package, keys, appliance):
    (package / "assets.extra/golden/samples.json").unlink()
    sign = ["sign", package, "--key", keys / "plant.key", "--release", 1]
    said = appliance(*sign)
    assert said.code == 1
    assert "there are no golden samples" in said.err
    assert not (package / "release.json").exists()
    assert appliance(*sign, "--force").code == 0


def test_wrong_use_is_told_in_a_sentence(package, demo, keys, appliance, tmp_path):
    sign = ["sign", package, "--key", keys / "plant.key"]
    assert appliance(*sign).code == 2
    assert appliance(*sign, "--release", 0).code == 2
    assert appliance(*sign, "--release", 1, "--expires", "soon").code == 2
    assert "--registry DEST" in appliance(*sign, "--release", "next").sentence
    assert "is no content digest" in appliance(*sign, "--release", 1, "--revoke", "sha256:12").sentence
    assert (
        "says that its version is 7, and --version says 8" in appliance(*sign, "--release", 1, "--version", 8).sentence
    )
    said = appliance("sign", demo, "--key", keys / "plant.key", "--release", 1)
    assert said.sentence.endswith("does not say which model and version it is; give --model and --version.")
    said = appliance("sign", package, "--key", keys / "plant.pub", "--release", 1)
    assert (said.code, "plant.pub" in said.sentence) == (1, True)
    said = appliance("sign", package, "--key", tmp_path / "none.key", "--release", 1)
    assert "cannot be read" in said.sentence
    said = appliance(*sign, "--release", 1, "--line", "/acme/")
    assert said.code == 1
    assert not (package / "release.json").exists()


def test_the_signature_of_the_standard_tool_is_kept_and_checked(package, keys, appliance):
    """What `model_signing sign` leaves: a bundle over all files, made before there is a release.json."""
    other = read_private_key(keys / "other.key")
    digests = {one.path: one.sha256 for one in hash_files(package, list_folder(package))}
    bundle = sign_digests(package.name, digests, other)
    (package / "model.sig").write_bytes(bundle)
    sign = ["sign", package, "--key", keys / "plant.key", "--release", 5, "--keep-signature"]
    said = appliance(*sign)
    assert said.code == 1
    assert "name the key's public half with --signature-key" in said.sentence
    said = appliance(*sign, "--signature-key", keys / "other.pub")
    assert said.code == 0, said.err
    assert (package / "model.sig").read_bytes() == bundle
    both = [read_public_key(keys / f"{name}.pub") for name in ("plant", "other")]
    verified = verify_folder(package, statement_of(package, both[0]), both)
    assert not verified.signature_covers_statement
    assert verified.signature_key.id == both[1].id
    assert appliance(*sign, "--signature-key", keys / "other.pub").code == 0, "and again, with release.json there"
    (package / "assets.extra/README.md").write_text("changed")
    said = appliance(*sign, "--signature-key", keys / "other.pub")
    assert said.code == 1
    assert "does not hold" in said.sentence
    (package / "model.sig").unlink()
    assert "has no model.sig to keep" in appliance(*sign).sentence


def test_a_signature_over_this_release_cannot_be_kept_for_another(signed, keys, appliance):
    before = (signed / "release.json").read_bytes()
    said = appliance("sign", signed, "--key", keys / "plant.key", "--release", 9, "--keep-signature")
    assert said.code == 1
    assert "covers the release.json that is there, which would change now" in said.sentence
    assert (signed / "release.json").read_bytes() == before


def test_a_statement_is_an_envelope_that_other_tools_read(signed):
    envelope = json.loads((signed / "release.json").read_text())
    assert envelope["payloadType"] == "application/vnd.inspection-appliance.release+json"
    assert [set(one) for one in envelope["signatures"]] == [{"keyid", "sig"}]
