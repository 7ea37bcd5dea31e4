import json
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.dsse import IN_TOTO_TYPE, STATEMENT_TYPE, sign_envelope
from appliance.registry.package.files import content_digest
from appliance.registry.package.statement import parse_statement, read_statement, write_statement
from appliance.registry.package.strict_json import write_json

DIGEST = "sha256:" + "ab" * 32
FILE = {"path": "extra", "size": 3, "sha256": "00" * 32}


@pytest.fixture(scope="module")
def statement(publisher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "inspection.json").write_text('{"input": {"width": 64, "scale": 1.0}}')
    (folder / "saved_model.pb").write_bytes(b"graph")
    return publisher.state(folder, products=["housing-a"], revokes=[DIGEST], min_appliance="0.1", notes="Kratzer ü")


def refusal(payload):
    with pytest.raises(Rejected) as caught:
        parse_statement(payload)
    return caught.value


def resealed(value):
    """The digest made to fit the files, as an attacker with a key would."""
    from appliance.registry.package.files import PackageFile

    value["digest"] = content_digest(PackageFile(**file) for file in value["files"])
    return write_json(value)


def test_what_is_written_is_read_again(statement):
    payload = write_statement(statement)
    assert parse_statement(payload) == statement
    assert payload.startswith(b'{"digest":"sha256:')
    assert json.loads(payload)["issued"] == "2026-11-20T12:00:00Z"
    assert statement.size == sum(file.size for file in statement.files)


def test_moments_are_written_in_utc(statement):
    elsewhere = replace(statement, issued=statement.issued.astimezone(timezone(timedelta(hours=2))))
    assert write_statement(elsewhere) == write_statement(statement)
    with pytest.raises(RuntimeError):
        write_statement(replace(statement, issued=statement.issued.replace(tzinfo=None)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schema_version", 2),
        ("schema_version", True),
        ("model", ""),
        ("model", "../x"),
        ("model", "1st"),
        ("model", "x" * 65),
        ("model", None),
        ("version", -1),
        ("version", True),
        ("version", 1.0),
        ("version", "7"),
        ("version", 1 << 63),
        ("release", 0),
        ("release", 1 << 63),
        ("digest", "sha256:" + "AB" * 32),
        ("digest", "md5:" + "ab" * 32),
        ("files", []),
        ("files", {}),
        ("files", [7]),
        ("files", [{**FILE, "mode": 7}]),
        ("files", [{"path": "a", "size": 1}]),
        ("files", [{**FILE, "size": -1}]),
        ("files", [{**FILE, "size": 1.5}]),
        ("files", [{**FILE, "size": 1 << 60}]),
        ("files", [{**FILE, "sha256": "0" * 63}]),
        ("files", [{**FILE, "path": 3}]),
        ("files", [{**FILE, "path": "model.sig"}]),
        ("files", [{**FILE, "path": "Release.JSON"}]),
        ("files", [{**FILE, "path": f"f{i}"} for i in range(4097)]),
        ("lines", []),
        ("lines", "**"),
        ("lines", ["/a"]),
        ("lines", ["a//b"]),
        ("lines", ["a", "a"]),
        ("lines", ["a\x1b[31m"]),
        ("lines", [f"l{i}" for i in range(257)]),
        ("products", [""]),
        ("products", None),
        ("input", []),
        ("input", None),
        ("issued", "2026-11-20T12:00:00"),
        ("issued", "2026-11-20T12:00:00+00:00"),
        ("issued", "2026-11-20T12:00:00.5Z"),
        ("issued", "2026-02-30T12:00:00Z"),
        ("issued", 1_700_000_000),
        ("issued", "2099-01-01T00:00:00Z"),
        ("expires", "2026-11-20T12:00:00Z"),
        ("revokes", ["everything"]),
        ("revokes", [DIGEST] * 2),
        ("min_appliance", "newest"),
        ("min_appliance", ""),
        ("min_appliance", 1),
        ("notes", "two\nlines"),
        ("notes", "\x1b]0;owned\x07"),
        ("notes", "x" * 1001),
        ("notes", None),
        ("more", 1),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_fields_that_are_none(statement, field, value):
    refused = refusal(write_json({**json.loads(write_statement(statement)), field: value}))
    assert refused.reason is Refusal.STATEMENT
    assert len(str(refused)) < 300


@pytest.mark.parametrize("field", json.loads(b'["files","input","revokes","min_appliance","notes","schema_version"]'))
def test_fields_that_are_missing(statement, field):
    value = json.loads(write_statement(statement))
    del value[field]
    refused = refusal(write_json(value))
    assert refused.reason is Refusal.STATEMENT
    assert f"missing or too many: '{field}'" in str(refused)


@pytest.mark.parametrize("path", ["../../etc/cron.d/x", "/etc/passwd", "a\\b", "a\x00", "\u202e", "a" * 256, "CON:"])
def test_paths_that_climb_out_or_cannot_be_stored(statement, path):
    value = json.loads(write_statement(statement))
    value["files"] = sorted([*value["files"], {**FILE, "path": path}], key=lambda file: file["path"])
    assert refusal(resealed(value)).reason is Refusal.PATH


@pytest.mark.parametrize("path", ["SAVED_MODEL.PB", "saved_model.pb", "assets.extra"])
def test_paths_that_are_one(statement, path):
    value = json.loads(write_statement(statement))
    value["files"] = sorted([*value["files"], {**FILE, "path": path}], key=lambda file: file["path"])
    assert refusal(resealed(value)).reason is Refusal.PATH


def test_a_digest_of_other_files(statement):
    value = json.loads(write_statement(statement))
    value["files"][0]["size"] += 1
    assert refusal(write_json(value)).reason is Refusal.CONTENT


@pytest.mark.parametrize(
    "change",
    [
        lambda raw: json.dumps(json.loads(raw)).encode(),
        lambda raw: json.dumps(dict(reversed(json.loads(raw).items())), separators=(",", ":")).encode(),
        lambda raw: raw + b"\n",
        lambda raw: raw.replace("ü".encode(), b"\\u00fc"),
        lambda raw: raw.replace(b'"scale":1.0', b'"scale":1.00'),
        lambda raw: raw[:-1] + b',"release":99}',
        lambda raw: raw.replace(b'"release":12', b'"release":12,"release":99'),
        lambda raw: b"[" * 5000 + raw,
    ],
)
def test_another_spelling_of_the_same_is_refused_though_signed(statement, publisher, change):
    payload = change(write_statement(statement))
    assert refusal(payload).reason is Refusal.STATEMENT
    envelope = write_json(sign_envelope(STATEMENT_TYPE, payload, [publisher.key]))
    with pytest.raises(Rejected) as caught:
        read_statement(envelope, [publisher.public])
    assert caught.value.reason is Refusal.STATEMENT


def test_an_endless_statement():
    assert refusal(b'"' + b"x" * (2 << 20) + b'"').reason is Refusal.STATEMENT


def test_nothing_of_a_stranger_s_statement_is_read(statement, stranger, publisher):
    """Whatever a stranger sends ends at the signature: what is behind it is never parsed."""
    for payload in (b"[" * 5000, write_statement(statement)):
        envelope = write_json(sign_envelope(STATEMENT_TYPE, payload, [stranger.key]))
        with pytest.raises(Rejected) as caught:
            read_statement(envelope, [publisher.public])
        assert caught.value.reason is Refusal.SIGNATURE


def test_re_encoded_after_it_was_signed(statement, publisher):
    envelope = sign_envelope(STATEMENT_TYPE, write_statement(statement), [publisher.key])
    other = sign_envelope(STATEMENT_TYPE, write_statement(replace(statement, release=99)), [publisher.key])
    envelope["payload"] = other["payload"]
    with pytest.raises(Rejected) as caught:
        read_statement(write_json(envelope), [publisher.public])
    assert caught.value.reason is Refusal.SIGNATURE


def test_signed_as_something_else(statement, publisher):
    envelope = sign_envelope(IN_TOTO_TYPE, write_statement(statement), [publisher.key])
    with pytest.raises(Rejected, match="is of the type") as caught:
        read_statement(write_json(envelope), [publisher.public])
    assert caught.value.reason is Refusal.SIGNATURE


def test_the_key_that_signed_is_told(statement, publisher, stranger):
    envelope = write_json(sign_envelope(STATEMENT_TYPE, write_statement(statement), [publisher.key]))
    assert read_statement(envelope, [stranger.public, publisher.public]) == (statement, publisher.public)
