import base64
import json

import pytest

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.dsse import IN_TOTO_TYPE, STATEMENT_TYPE, sign_envelope
from appliance.registry.package.model_signature import sign_digests, verify_model_signature
from appliance.registry.package.strict_json import write_json

CONTENT = {"saved_model.pb": "11" * 32, "variables/a": "22" * 32, "variables.b": "33" * 32}
WHOLE = {**CONTENT, "release.json": "44" * 32}


def refused(bundle, publisher, digests=WHOLE):
    with pytest.raises(Rejected) as caught:
        verify_model_signature(bundle, digests, [publisher.public])
    return caught.value


def manifest(bundle):
    return json.loads(base64.b64decode(json.loads(bundle)["dsseEnvelope"]["payload"]))


def resigned(publisher, value, payload_type=IN_TOTO_TYPE):
    """What a publisher's key could sign, and none should."""
    bundle = json.loads(sign_digests("package", WHOLE, publisher.key))
    bundle["dsseEnvelope"] = sign_envelope(payload_type, write_json(value), [publisher.key])
    return write_json(bundle)


def test_what_is_signed_is_verified(publisher, stranger):
    found = verify_model_signature(
        sign_digests("package", WHOLE, publisher.key), WHOLE, [stranger.public, publisher.public]
    )
    assert (found.key, found.covers_statement) == (publisher.public, True)


def test_signed_before_the_statement_was_there(publisher):
    bundle = sign_digests("package", CONTENT, publisher.key)
    assert manifest(bundle)["predicate"]["serialization"]["ignore_paths"] == ["model.sig", "release.json"]
    assert not verify_model_signature(bundle, WHOLE, [publisher.public]).covers_statement
    assert not verify_model_signature(bundle, CONTENT, [publisher.public]).covers_statement


@pytest.mark.parametrize(
    ("reason", "digests"),
    [
        (Refusal.CONTENT, {**WHOLE, "variables/a": "00" * 32}),
        (Refusal.CONTENT, {**WHOLE, "release.json": "00" * 32}),
        (Refusal.EXTRA_FILE, {**WHOLE, ".git/config": "00" * 32}),
        (Refusal.EXTRA_FILE, {**WHOLE, "sub/release.json": "00" * 32}),
        (Refusal.EXTRA_FILE, {**WHOLE, "sub/model.sig": "00" * 32}),
        (Refusal.MISSING_FILE, CONTENT),
        (Refusal.MISSING_FILE, {}),
    ],
)
def test_files_that_are_not_the_signed_ones(publisher, reason, digests):
    assert refused(sign_digests("package", WHOLE, publisher.key), publisher, digests).reason is reason


@pytest.mark.parametrize("ignored", [[".git", "variables"], ["variables/a"], ["."], [""], ["RELEASE.JSON"]])
def test_nothing_else_may_be_left_out(publisher, ignored):
    """The tool lets a signer leave anything out, and a verifier of the tool believes that."""
    value = manifest(sign_digests("package", {"saved_model.pb": "11" * 32}, publisher.key))
    value["predicate"]["serialization"]["ignore_paths"] = [*ignored, "model.sig"]
    said = refused(resigned(publisher, value), publisher, {"saved_model.pb": "11" * 32, "variables/a": "22" * 32})
    assert said.reason is Refusal.EXTRA_FILE


def test_a_statement_that_nobody_left_out(publisher):
    value = manifest(sign_digests("package", CONTENT, publisher.key))
    value["predicate"]["serialization"]["ignore_paths"] = ["model.sig"]
    said = refused(resigned(publisher, value), publisher)
    assert said.reason is Refusal.EXTRA_FILE
    assert "'release.json' is in the package and not signed in model.sig" in str(said)


def _twice(value):
    value["predicate"]["resources"].append(dict(value["predicate"]["resources"][0]))


def _blake(value):
    value["predicate"]["resources"][0]["algorithm"] = "blake2b"


def _shards(value):
    value["predicate"]["serialization"]["method"] = "shards"


def _other_hash(value):
    value["predicate"]["serialization"]["hash_type"] = "blake2b"


def _root(value):
    value["subject"][0]["digest"]["sha256"] = "00" * 32


def _subjects(value):
    value["subject"] *= 2


def _older(value):
    value["predicateType"] = "https://model_signing/Digests/v0.1"


def _no_statement(value):
    value["_type"] = "https://in-toto.io/Statement/v0.1"


def _nothing(value):
    value["predicate"]["resources"] = []


def _no_predicate(value):
    value["predicate"] = None


def _no_name(value):
    del value["predicate"]["resources"][0]["name"]


def _upper(value):
    value["predicate"]["resources"][0]["digest"] = "AB" * 32


def _ignored_is_text(value):
    value["predicate"]["serialization"]["ignore_paths"] = "release.json"


@pytest.mark.parametrize(
    "spoil",
    [
        _twice, _blake, _shards, _other_hash, _root, _subjects, _older, _no_statement, _nothing, _no_predicate,
        _no_name, _upper, _ignored_is_text,
    ],
)  # fmt: skip
def test_manifests_that_are_none_though_signed(publisher, spoil):
    value = manifest(sign_digests("package", WHOLE, publisher.key))
    spoil(value)
    assert refused(resigned(publisher, value), publisher).reason is Refusal.SIGNATURE


def test_signed_as_something_else(publisher):
    value = manifest(sign_digests("package", WHOLE, publisher.key))
    assert refused(resigned(publisher, value, STATEMENT_TYPE), publisher).reason is Refusal.SIGNATURE


@pytest.mark.parametrize(
    "change",
    [
        {"mediaType": "application/vnd.dev.sigstore.bundle.v0.2+json"},
        {"mediaType": None},
        {"dsseEnvelope": None},
        {"dsseEnvelope": {}},
        {"verificationMaterial": None},
        {"verificationMaterial": {"certificate": {"rawBytes": "AAAA"}}},
        {"verificationMaterial": {"publicKey": {"hint": "00" * 32}, "tlogEntries": []}},
        {"verificationMaterial": {"publicKey": {"hint": 3}, "tlogEntries": []}},
        {"verificationMaterial": {"publicKey": {"hint": None}, "tlogEntries": [{}]}},
        {"messageSignature": {}},
    ],
    ids=str,
)
def test_bundles_that_are_none(publisher, change):
    bundle = {**json.loads(sign_digests("package", WHOLE, publisher.key)), **change}
    said = refused(write_json(bundle), publisher)
    assert said.reason is Refusal.SIGNATURE
    assert "model.sig" in str(said)


@pytest.mark.parametrize("material", [{"publicKey": {}}, {"publicKey": {"hint": None}, "tlogEntries": []}])
def test_bundles_without_a_hint_at_the_key(publisher, material):
    bundle = {**json.loads(sign_digests("package", WHOLE, publisher.key)), "verificationMaterial": material}
    assert verify_model_signature(write_json(bundle), WHOLE, [publisher.public]).key is publisher.public


def test_every_flipped_bit_is_seen(publisher):
    bundle = sign_digests("package", WHOLE, publisher.key)
    for at in range(len(bundle)):
        changed = bundle[:at] + bytes([bundle[at] ^ (1 << at % 7)]) + bundle[at + 1 :]
        assert refused(changed, publisher).reason is Refusal.SIGNATURE


def test_a_stranger_s_signature(publisher, stranger):
    assert refused(sign_digests("package", WHOLE, stranger.key), publisher).reason is Refusal.SIGNATURE
