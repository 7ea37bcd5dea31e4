import base64
import json

import pytest

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.dsse import (
    IN_TOTO_TYPE,
    STATEMENT_TYPE,
    pae,
    read_envelope,
    sign_envelope,
    verify_envelope,
)

TYPE = "application/x-test"


@pytest.fixture
def envelope(publisher):
    return sign_envelope(TYPE, b"hello", [publisher.key])


def raw(value):
    return json.dumps(value).encode()


def refused(content, keys, payload_type=TYPE):
    with pytest.raises(Rejected) as caught:
        verify_envelope(read_envelope(content), payload_type, keys)
    assert caught.value.reason is Refusal.SIGNATURE
    return str(caught.value)


def test_the_protocol_s_own_example():
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("ü", b"") == b"DSSEv1 2 \xc3\xbc 0 "


def test_any_trusted_key_will_do(envelope, publisher, stranger):
    read = read_envelope(raw(envelope))
    assert read.payload == b"hello"
    assert verify_envelope(read, TYPE, [stranger.public, publisher.public]) is publisher.public


def test_several_signatures(publisher, stranger):
    both = read_envelope(raw(sign_envelope(TYPE, b"hello", [stranger.key, publisher.key])))
    assert verify_envelope(both, TYPE, [publisher.public]) is publisher.public
    assert verify_envelope(both, TYPE, [stranger.public]) is stranger.public


def test_nobody_or_a_stranger_signed(envelope, publisher, stranger):
    said = refused(raw(envelope), [stranger.public])
    assert f"trusted are stranger.pub ({stranger.public.id[:12]})" in said
    assert f"it names {publisher.public.id[:12]}" in said
    assert "nobody signed it" in refused(raw({**envelope, "signatures": []}), [publisher.public])
    refused(raw(envelope), [])


def test_a_keyid_confers_nothing(publisher, stranger):
    """A stranger's signature under the publisher's keyid, and the other way round."""
    forged = sign_envelope(TYPE, b"hello", [stranger.key])
    forged["signatures"][0]["keyid"] = publisher.public.id
    refused(raw(forged), [publisher.public])
    true = sign_envelope(TYPE, b"hello", [publisher.key])
    true["signatures"][0]["keyid"] = stranger.public.id
    refused(raw(true), [publisher.public, stranger.public])
    true["signatures"][0]["keyid"] = ""
    assert verify_envelope(read_envelope(raw(true)), TYPE, [stranger.public, publisher.public]) is publisher.public


def test_the_payload_s_type_is_signed_too(envelope, publisher):
    """What was signed as one thing is not to be read as another."""
    assert "is of the type 'application/x-test'" in refused(raw(envelope), [publisher.public], STATEMENT_TYPE)
    refused(raw({**envelope, "payloadType": STATEMENT_TYPE}), [publisher.public], STATEMENT_TYPE)
    refused(raw({**envelope, "payloadType": IN_TOTO_TYPE}), [publisher.public], IN_TOTO_TYPE)


def test_a_signature_over_the_bare_payload_is_none(envelope, publisher):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    bare = publisher.key.key.sign(b"hello", ec.ECDSA(hashes.SHA256()))
    envelope["signatures"][0]["sig"] = base64.b64encode(bare).decode()
    refused(raw(envelope), [publisher.public])


@pytest.mark.parametrize("at", [0, 3, 10, 40, -1])
def test_a_flipped_bit_of_the_signature(envelope, publisher, at):
    sig = bytearray(base64.b64decode(envelope["signatures"][0]["sig"]))
    sig[at] ^= 1
    envelope["signatures"][0]["sig"] = base64.b64encode(sig).decode()
    refused(raw(envelope), [publisher.public])


def test_the_url_s_alphabet_of_base64_is_read(publisher):
    payload = bytes(range(248, 256)) * 3
    envelope = sign_envelope(TYPE, payload, [publisher.key])
    envelope["payload"] = envelope["payload"].replace("+", "-").replace("/", "_")
    assert "-" in envelope["payload"]
    assert read_envelope(raw(envelope)).payload == payload


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "aGVsbG8"},
        {"payload": "aGVsbG8=\n"},
        {"payload": "aGVsbG9="},
        {"payload": "ü"},
        {"payload": 5},
        {"payloadType": None},
        {"payloadType": "a\nb"},
        {"payloadType": "x" * 300},
        {"signatures": {}},
        {"signatures": [7]},
        {"signatures": [{}]},
        {"signatures": [{"sig": 1}]},
        {"signatures": [{"sig": "", "keyid": 3}]},
        {"signatures": [{"sig": "", "keyid": "\x1b"}]},
        {"signatures": [{"sig": "", "cert": "x"}]},
        {"signatures": [{"sig": ""}] * 17},
        {"signatures": [{"sig": "A" * 4000}]},
        {"more": 1},
    ],
    ids=str,
)
def test_what_is_no_envelope(envelope, publisher, change):
    said = refused(raw({**envelope, **change}), [publisher.public])
    assert said.startswith("release.json cannot be verified: ")


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{}", b'"x"', b"[" * 9999, b"\xff", b'{"payload":"","payload":""}']
)
def test_what_is_not_even_json(content, publisher):
    refused(content, [publisher.public])


def test_an_endless_envelope(publisher):
    assert "longer than" in refused(b'"' + b"x" * (4 << 20) + b'"', [publisher.public])
