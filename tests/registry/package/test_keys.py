import stat

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from appliance.registry.package.keys import (
    KeyUnusable,
    PassphraseNeeded,
    new_key_pair,
    read_private_key,
    read_public_key,
    read_public_keys,
)

OTHERS = {
    "an RSA key": lambda: rsa.generate_private_key(65537, 2048),
    "an Ed25519 key": ed25519.Ed25519PrivateKey.generate,
    "an EC key on the curve secp384r1": lambda: ec.generate_private_key(ec.SECP384R1()),
}


def private_pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key):
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def pair(tmp_path):
    return tmp_path / "line3.pem", tmp_path / "line3.pub"


@pytest.mark.parametrize("passphrase", [None, b"eight good words"])
def test_a_pair_is_made_and_read_again(pair, passphrase):
    made = new_key_pair(*pair, passphrase)
    assert stat.S_IMODE(pair[0].stat().st_mode) == 0o600
    assert read_private_key(pair[0], passphrase).public.id == made.public.id == read_public_key(pair[1]).id
    assert sorted(file.name for file in pair[0].parent.iterdir()) == ["line3.pem", "line3.pub"]


def test_a_private_key_is_not_shown(pair):
    assert "EllipticCurvePrivateKey" not in repr(new_key_pair(*pair))
    assert "ECPrivateKey" not in repr(new_key_pair(pair[0].with_name("b.pem"), pair[1].with_name("b.pub")))


@pytest.mark.parametrize("there", [0, 1])
def test_a_pair_never_overwrites(pair, there):
    pair[there].write_text("mine")
    with pytest.raises(KeyUnusable, match="is there already and stays as it is; choose another name"):
        new_key_pair(*pair)
    assert pair[there].read_text() == "mine"
    assert not pair[1 - there].exists()


def test_a_pair_is_whole_or_not_there(pair):
    with pytest.raises(KeyUnusable, match="cannot be written"):
        new_key_pair(pair[0], pair[0].parent / "missing" / "line3.pub")
    assert list(pair[0].parent.iterdir()) == []


def test_one_file_cannot_hold_both_halves(pair):
    with pytest.raises(KeyUnusable, match="name two"):
        new_key_pair(pair[0], pair[0])


def test_an_encrypted_key_asks_for_its_passphrase(pair):
    new_key_pair(*pair, b"right")
    with pytest.raises(PassphraseNeeded, match="is encrypted; give its passphrase"):
        read_private_key(pair[0])
    with pytest.raises(PassphraseNeeded, match="does not open with this passphrase"):
        read_private_key(pair[0], b"wrong")


def test_a_passphrase_for_an_open_key_is_left_unused(pair):
    made = new_key_pair(*pair)
    assert read_private_key(pair[0], b"not needed").public.id == made.public.id


def test_openssl_s_older_format_is_read(pair):
    key = ec.generate_private_key(ec.SECP256R1())
    pair[0].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    pair[1].write_bytes(public_pem(key))
    assert read_private_key(pair[0]).public.id == read_public_key(pair[1]).id


@pytest.mark.parametrize("kind", OTHERS)
def test_other_kinds_of_keys_are_named(pair, kind):
    key = OTHERS[kind]()
    pair[0].write_bytes(private_pem(key))
    pair[1].write_bytes(public_pem(key))
    with pytest.raises(KeyUnusable, match=kind):
        read_private_key(pair[0])
    with pytest.raises(KeyUnusable, match=f"{kind}, and signatures are made with EC P-256 here"):
        read_public_key(pair[1])


def test_halves_in_each_other_s_place(pair):
    new_key_pair(*pair)
    with pytest.raises(KeyUnusable, match="is a private key; give its public half"):
        read_public_key(pair[0])
    with pytest.raises(KeyUnusable, match="is no private key"):
        read_private_key(pair[1])


@pytest.mark.parametrize("content", [b"", b"hello", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_no_key_at_all(pair, content):
    pair[1].write_bytes(content)
    for read in (read_public_key, read_private_key):
        with pytest.raises(KeyUnusable, match="in PEM; `appliance keys new` makes a pair"):
            read(pair[1])


def test_a_key_that_is_not_there_or_too_long(pair):
    with pytest.raises(KeyUnusable, match="cannot be read: No such file"):
        read_public_key(pair[1])
    pair[1].write_bytes(b"x" * 20_000)
    with pytest.raises(KeyUnusable, match="longer than 16384 bytes"):
        read_public_key(pair[1])


def test_the_same_key_twice_is_a_mistake(pair, tmp_path):
    new_key_pair(*pair)
    copy = tmp_path / "copy.pub"
    copy.write_bytes(pair[1].read_bytes())
    with pytest.raises(KeyUnusable, match="hold the same key"):
        read_public_keys([pair[1], copy])


def test_several_keys_keep_their_order(tmp_path):
    files = [tmp_path / f"{name}.pub" for name in "ba"]
    ids = [new_key_pair(file.with_suffix(".pem"), file).public.id for file in files]
    assert [key.id for key in read_public_keys(files)] == ids
    assert [key.name for key in read_public_keys(files)] == ["b.pub", "a.pub"]
