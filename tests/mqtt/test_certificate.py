"""When a certificate ends, told by its bytes; against the cryptography package."""

from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from appliance.mqtt.certificate import end_of

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a box with a name " + "x" * 40)])


@pytest.mark.parametrize("end", ["1999-12-31", "2026-02-28", "2049-12-31", "2050-01-01", "9999-12-31"])
def test_the_end_is_read(tmp_path, end):
    key = ec.generate_private_key(ec.SECP256R1())
    end = datetime.fromisoformat(end).replace(tzinfo=timezone.utc) + timedelta(hours=13, seconds=7)
    made = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(key.public_key())
    made = made.serial_number(2**150).not_valid_before(end - timedelta(days=9)).not_valid_after(end)
    file = tmp_path / "box.crt"
    file.write_bytes(b"a word before it\n" + made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    assert end_of(file) == end


@pytest.mark.parametrize(
    "content", [b"", b"-----BEGIN CERTIFICATE-----", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_ends_never(tmp_path, content):
    file = tmp_path / "box.crt"
    file.write_bytes(content)
    assert end_of(file) is None
    assert end_of(tmp_path / "nowhere") is None
