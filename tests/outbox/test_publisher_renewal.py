"""Passwords and certificates that change under a running box, and those that have ended."""

from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from outbox.brokers import Listener
from outbox.messages import append
from outbox.proxies import Proxy
from outbox.test_publisher_access import EVERYTHING, TlsBroker, certificates, protected, tls
from running import until

from appliance.mqtt import link

__all__ = ["certificates"]


@pytest.fixture(autouse=True)
def files_are_looked_at_often(monkeypatch):
    monkeypatch.setattr(link, "_LOOK_S", 0.1)


def signed(folder, name, *, days, authority="ca"):
    """The certificate of that name anew, with the same key, ending so many days from now."""
    key = serialization.load_pem_private_key((folder / f"{authority}.key").read_bytes(), None)
    issuer = x509.load_pem_x509_certificate((folder / f"{authority}.crt").read_bytes())
    old = x509.load_pem_x509_certificate((folder / f"{name}.crt").read_bytes())
    end = datetime.now(timezone.utc) + timedelta(days=days)
    new = x509.CertificateBuilder().subject_name(old.subject).issuer_name(issuer.subject)
    new = new.public_key(old.public_key()).serial_number(x509.random_serial_number())
    new = new.not_valid_before(min(end, datetime.now(timezone.utc)) - timedelta(days=30)).not_valid_after(end)
    for extension in old.extensions:
        if isinstance(extension.value, x509.SubjectAlternativeName):
            new = new.add_extension(extension.value, extension.critical)
    return new.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_a_renewed_password_is_used_without_a_restart_and_nobody_sees_us_go(tmp_path, open_outbox, publish):
    broker = protected(tmp_path, EVERYTHING)
    secret = tmp_path / "password"
    secret.write_text("right\n")
    outbox = open_outbox()
    publisher = publish(broker, username="box1", password_file=str(secret))
    with closing(Listener(broker, user="reader")) as listener:
        assert publisher.wait_acknowledged(append(outbox, 50), 20)
        since = publisher.state().since
        secret.write_text("right")  # another file, and for this broker the same password
        until(lambda: publisher.state().connected and publisher.state().since > since, "the new connection")
        assert publisher.wait_acknowledged(append(outbox, 50), 20)
        listener.wait(lambda it: len(it.numbers()) == 100, "all results")
        assert len(listener.on("top/result")) == 100, "and none twice"
        assert {one.payload for one in listener.on("availability")} == {b"online"}
    assert publisher.state().problem is None
    publisher.stop(1)
    broker.stop()


def test_what_is_under_way_is_answered_before_we_leave_to_come_back(tmp_path, open_outbox, broker, listener, publish):
    secret = tmp_path / "password"
    secret.write_text("one")
    outbox = open_outbox()
    with closing(Proxy(broker.port)) as proxy:
        proxy.delay_s = 0.005  # for each packet
        publisher = publish(proxy, username="box1", password_file=str(secret))
        newest = append(outbox, 300)
        until(lambda: publisher.state().acknowledged > 0, "the beginning")
        secret.write_text("two")
        assert publisher.wait_acknowledged(newest, 30)
        assert proxy.connections == 2
        listener.wait(lambda it: len(it.numbers()) == 300, "all results")
        assert len(listener.on("top/result")) == 300, "and none twice"
        publisher.stop(1)


def test_renewed_certificates_count_when_they_are_whole(tmp_path, certificates, publish):
    broker = TlsBroker(tmp_path / "tls", certificates).start()
    publisher = publish(broker, tls=tls(certificates))
    until(lambda: publisher.state().connected, "the connection")
    since = publisher.state().since
    good = (certificates / "box1.crt").read_bytes()
    (certificates / "box1.crt").write_bytes((certificates / "elsewhere.crt").read_bytes())  # its key comes later
    until(lambda: any("key_file; the connection" in one for one in publisher.state().notices), "the sentence")
    assert publisher.state().connected
    assert publisher.state().since == since
    (certificates / "box1.key").write_bytes((certificates / "elsewhere.key").read_bytes())
    until(lambda: publisher.state().connected and publisher.state().since > since, "the new connection")
    assert not any("goes on" in one for one in publisher.state().notices)
    assert good != (certificates / "box1.crt").read_bytes()
    publisher.stop(1)
    broker.stop()


def test_files_that_are_only_touched_cut_nothing(tmp_path, certificates, publish):
    broker = TlsBroker(tmp_path / "tls", certificates).start()
    publisher = publish(broker, tls=tls(certificates))
    until(lambda: publisher.state().connected, "the connection")
    since = publisher.state().since
    secrets = publisher._link._secrets
    for name in ("box1.crt", "box1.key", "ca.crt"):
        (certificates / name).touch()
    seen = secrets._look
    until(lambda: secrets._look != seen, "them to be looked at")
    assert publisher.state().since == since
    publisher.stop(1)
    broker.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho leaves a failed socket
def test_a_broker_whose_certificate_has_ended_is_not_believed(tmp_path, certificates, open_outbox, publish):
    whole = (certificates / "broker.crt").read_bytes()
    (certificates / "broker.crt").write_bytes(signed(certificates, "broker", days=-1))
    broker = TlsBroker(tmp_path / "tls", certificates).start()
    outbox = open_outbox()
    newest = append(outbox, 10)
    publisher = publish(broker, tls=tls(certificates))
    until(lambda: "certificate has expired" in (publisher.state().problem or ""), "the sentence")
    assert publisher.state().acknowledged == 0
    (certificates / "broker.crt").write_bytes(whole)
    broker.stop()
    broker.start()
    assert publisher.wait_acknowledged(newest, 20)
    publisher.stop(1)
    broker.stop()


def test_a_box_whose_certificate_has_ended_says_so_and_takes_the_renewed_one(
    tmp_path, certificates, open_outbox, publish
):
    whole = (certificates / "box1.crt").read_bytes()
    (certificates / "box1.crt").write_bytes(signed(certificates, "box1", days=-1))
    broker = TlsBroker(tmp_path / "tls", certificates).start()
    outbox = open_outbox()
    newest = append(outbox, 10)
    publisher = publish(broker, tls=tls(certificates))
    until(lambda: "without a word" in (publisher.state().problem or ""), "the sentence")
    assert "box1.crt" in publisher.state().problem
    assert ["has ended" in one for one in publisher.state().notices] == [True]
    assert publisher.state().acknowledged == 0
    (certificates / "box1.crt").write_bytes(whole)
    assert publisher.wait_acknowledged(newest, 20)
    publisher.stop(1)
    broker.stop()


def test_certificates_that_end_soon_are_told_in_time(tmp_path, certificates, publish):
    (certificates / "box1.crt").write_bytes(signed(certificates, "box1", days=10))
    (certificates / "broker.crt").write_bytes(signed(certificates, "broker", days=13))
    broker = TlsBroker(tmp_path / "tls", certificates).start()
    publisher = publish(broker, tls=tls(certificates))
    until(lambda: publisher.state().connected, "the connection")
    own, brokers = publisher.state().notices
    assert "box1.crt" in own
    assert f"{datetime.now(timezone.utc) + timedelta(days=10):%Y-%m-%d}" in own
    assert "of the MQTT broker" in brokers
    assert publisher.state().problem is None
    (certificates / "box1.crt").write_bytes(signed(certificates, "box1", days=90))
    until(lambda: len(publisher.state().notices) == 1, "the renewed one to be used")
    publisher.stop(1)
    broker.stop()
