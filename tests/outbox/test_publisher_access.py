"""Who may connect to the broker, and who may publish what: each refusal is one clear sentence, and loses nothing."""

import shutil
import subprocess
from contextlib import closing

import pytest
from outbox.brokers import BASE, DURABLE, Broker, Listener
from outbox.messages import append
from running import until


def protected(tmp_path, rules, more=""):
    """A broker that knows `box1` and `reader`, with these access rules."""
    folder = tmp_path / "protected"
    folder.mkdir()
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([tool, "-c", "-b", str(folder / "users"), "box1", "right"], check=True)
    subprocess.run([tool, "-b", str(folder / "users"), "reader", "reader"], check=True)
    (folder / "acl").write_text(rules)
    for name in ("users", "acl"):
        (folder / name).chmod(0o600)
    return Broker(
        folder,
        settings=f"allow_anonymous false\npassword_file {folder}/users\nacl_file {folder}/acl\n" + DURABLE + more,
    ).start()


cuts_off = pytest.mark.parametrize("more", ["max_queued_messages 1000\n", ""], ids=["answers", "cuts off"])
"""With max_queued_messages 0, Mosquitto 2.0 ends the connection after each message that it refuses."""

READER = "user reader\ntopic read #\n"
EVERYTHING = READER + f"user box1\ntopic write {BASE}/#\n"
NO_RESULTS = READER + f"user box1\ntopic write {BASE}/availability\ntopic write {BASE}/top/last\n"


@pytest.fixture
def secret(tmp_path):
    file = tmp_path / "password"
    file.write_text("right\n")
    return file


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_wrong_password_is_one_clear_sentence(tmp_path, publish, secret, protocol):
    broker = protected(tmp_path, EVERYTHING)
    secret.write_text("wrong\n")
    publisher = publish(broker, username="box1", password_file=str(secret), protocol=protocol)
    until(lambda: "refuses user 'box1'" in (publisher.state().problem or ""), "the sentence")
    assert "check username and password_file" in publisher.state().problem
    assert "wrong" not in publisher.state().problem
    secret.write_text("right\n")
    until(lambda: publisher.state().connected, "the right password to be tried")
    assert publisher.state().problem is None
    publisher.stop(1)
    broker.stop()


def test_a_password_that_cannot_be_read_is_one_clear_sentence(broker, publish, tmp_path):
    publisher = publish(broker, username="box1", password_file=str(tmp_path / "nowhere"))
    until(lambda: "nowhere" in (publisher.state().problem or ""), "the sentence")
    publisher.stop(1)
    publisher = publish(broker, username="box1", password_file="mqtt-password")
    until(lambda: "LoadCredential=" in (publisher.state().problem or ""), "the sentence")


def test_a_password_may_be_a_credential_of_systemd(tmp_path, publish, secret, monkeypatch):
    broker = protected(tmp_path, EVERYTHING)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret.parent))
    publisher = publish(broker, username="box1", password_file=secret.name)
    until(lambda: publisher.state().connected, "the connection")
    publisher.stop(1)
    broker.stop()


@cuts_off
def test_a_refused_result_is_not_sent_it_waits_until_it_is_allowed(tmp_path, open_outbox, publish, secret, more):
    broker = protected(tmp_path, NO_RESULTS, more)
    outbox = open_outbox()
    publisher = publish(broker, username="box1", password_file=str(secret))
    newest = append(outbox, 120)
    until(lambda: f"refuses messages on {BASE}/top/result" in (publisher.state().problem or ""), "the sentence")
    assert publisher.state().acknowledged == 0
    assert outbox.depth().rows == 120
    until(lambda: publisher.state().under_way == 0, "the answers to all that were under way")
    refused = publisher.state().refused_total
    until(lambda: publisher.state().refused_total > refused, "it to be tried again")
    assert publisher.state().refused_total <= refused + 2, "one at a time"
    assert "our client id" not in publisher.state().problem, "being cut off is not being taken over"
    (broker.folder / "acl").write_text(EVERYTHING)
    broker.reload()
    with closing(Listener(broker, user="reader")) as listener:
        assert publisher.wait_acknowledged(newest, 30)
        assert publisher.state().problem is None
        listener.wait(lambda it: len(it.numbers()) == 120, "all results")
        assert listener.numbers() == list(range(1, 121))
    publisher.stop(1)
    broker.stop()


@cuts_off
def test_a_refused_retained_topic_does_not_hold_up_results(tmp_path, open_outbox, publish, secret, more):
    rules = f"user box1\ntopic write {BASE}/top/result\ntopic write {BASE}/availability\n"
    broker = protected(tmp_path, READER + rules, more)
    outbox = open_outbox()
    publisher = publish(broker, username="box1", password_file=str(secret))
    assert publisher.wait_acknowledged(append(outbox, 20), 20)
    until(lambda: f"refuses messages on {BASE}/" in (publisher.state().problem or ""), "the sentence")
    publisher.stop(1)
    broker.stop()


@pytest.fixture
def certificates(tmp_path):
    """A certificate authority, one that nobody trusts, and certificates for broker and box."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path / "certificates"
    folder.mkdir()

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)

    for name in ("ca", "stranger"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.crt")  # fmt: skip
    for name, alternative in (("broker", "IP:127.0.0.1"), ("elsewhere", "DNS:elsewhere"), ("box1", "DNS:box1")):
        (folder / "extra").write_text(f"subjectAltName={alternative}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")  # fmt: skip
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", "2", "-extfile", "extra", "-out", f"{name}.crt")  # fmt: skip
    return folder


class TlsBroker(Broker):
    """Asks for the box's certificate, too."""

    def __init__(self, folder, certificates, name="broker"):
        super().__init__(
            folder,
            settings=f"allow_anonymous true\ncafile {certificates}/ca.crt\ncertfile {certificates}/{name}.crt\n"
            f"keyfile {certificates}/{name}.key\nrequire_certificate true\n",
        )


def tls(certificates, ca="ca", box="box1"):
    return {
        "ca_file": certificates / f"{ca}.crt",
        "certificate_file": certificates / f"{box}.crt",
        "key_file": certificates / f"{box}.key",
    }


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # paho leaves a failed handshake's socket
def test_tls_holds_or_says_why_not(tmp_path, certificates, open_outbox, publish):
    outbox = open_outbox()
    newest = append(outbox, 20)
    broker = TlsBroker(tmp_path / "tls", certificates).start()
    for wrong, words in [
        (tls(certificates, ca="stranger"), "a certificate that does not hold"),
        (None, "MQTT broker"),
        (tls(certificates) | {"key_file": certificates / "broker.key"}, "certificates for MQTT cannot be used"),
        (tls(certificates) | {"ca_file": tmp_path / "nowhere"}, "certificates for MQTT cannot be used"),
    ]:
        publisher = publish(broker, tls=wrong)
        until(lambda words=words, one=publisher: words in (one.state().problem or ""), words)
        until(lambda one=publisher: "was not reached yet" not in (one.state().problem or ""), "the sentence")
        assert not publisher.state().connected
        publisher.stop(0)
    publisher = publish(broker, tls=tls(certificates))
    assert publisher.wait_acknowledged(newest, 20)
    publisher.stop(1)
    broker.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_certificate_for_another_host_is_refused(tmp_path, certificates, publish):
    broker = TlsBroker(tmp_path / "tls", certificates, name="elsewhere").start()
    publisher = publish(broker, tls=tls(certificates))
    until(lambda: "does not hold" in (publisher.state().problem or ""), "the sentence")
    publisher.stop(0)
    broker.stop()
