"""Who may say and hear what at the delivered broker: a real Mosquitto, real certificates, MQTT 5."""

import shutil
import subprocess

import pytest
from broker.plant import BASE, OTHER, make_certificates
from running import until

ALLOWED = {"Success", "No matching subscribers"}
DENIED = "Not authorized"


@pytest.mark.parametrize(
    ("topic", "allowed"),
    [
        (f"{BASE}/top/result", True),
        (f"{BASE}/availability", True),
        ("answers/lead/4711", True),
        ("spBv1.0/acme-north/NBIRTH/box1", True),
        ("spBv1.0/acme-north/DDATA/box1/top", True),
        ("homeassistant/device/inspection-4711/config", True),
        (f"{OTHER}/top/result", False),
        ("acme/north/assembly/line3/result", False),
        ("spBv1.0/acme-north/NBIRTH/box2", False),
        ("spBv1.0/acme-north/NCMD/box1", False),
        ("spBv1.0/STATE/scada", False),
        ("homeassistant/light/box1/config", False),
        ("homeassistant/status", False),
        ("anything", False),
    ],
)
def test_a_station_speaks_for_itself_only(topic, allowed, join):
    assert (join("box1").publish(topic) in ALLOWED) is allowed


def test_a_station_hears_what_is_meant_for_it_and_nothing_else(join):
    station, operator, neighbour = join("box1"), join("lead"), join("box2")
    station.subscribe("#")
    assert neighbour.publish(f"{OTHER}/top/result") == "Success"  # the station did subscribe, and will not hear it
    assert operator.publish(f"{OTHER}/cmd/trigger") == "Success"
    assert join("scada").publish("spBv1.0/acme-north/NCMD/box1") == "Success"
    assert join("mes").publish(f"{BASE}/ack/mes/top") == "Success"
    assert operator.publish(f"{BASE}/desired") == "Success"
    assert operator.publish(f"{BASE}/cmd/trigger") == "Success"
    station.hears(f"{BASE}/cmd/trigger")
    assert station.topics() == [
        "spBv1.0/acme-north/NCMD/box1",
        f"{BASE}/ack/mes/top",
        f"{BASE}/desired",
        f"{BASE}/cmd/trigger",
    ]


def test_a_reader_hears_everything_and_says_nothing(join):
    reader, station = join("reader"), join("box1")
    assert reader.subscribe("#") == "Granted QoS 1"
    reader.subscribe("$SYS/broker/publish/messages/dropped")
    said = [f"{BASE}/top/result", "spBv1.0/acme-north/NBIRTH/box1", "homeassistant/device/box1/config"]
    for topic in said:
        station.publish(topic)
    join("box2").publish(f"{OTHER}/top/result")
    reader.hears(f"{OTHER}/top/result")
    assert [topic for topic in reader.topics() if not topic.startswith("$SYS")] == [*said, f"{OTHER}/top/result"]
    assert reader.hears("$SYS/broker/publish/messages/dropped", 15).isdigit()
    for topic in (*said, f"{BASE}/cmd/trigger", f"{BASE}/desired", f"{BASE}/ack/reader/top", "a/b/c/d/reader/result"):
        assert reader.publish(topic) == DENIED


def test_a_consumer_may_ask_for_what_it_missed_and_nobody_else_reads_the_answer(join):
    consumer, other, station = join("mes"), join("lead"), join("box1")
    for client in (consumer, other):
        client.subscribe("answers/#")
    assert consumer.publish(f"{BASE}/cmd/replay") in ALLOWED
    assert station.publish("answers/mes/1") == "Success"
    assert station.publish("answers/lead/1") == "Success"
    consumer.hears("answers/mes/1")
    other.hears("answers/lead/1")
    assert (consumer.topics(), other.topics()) == (["answers/mes/1"], ["answers/lead/1"])
    assert consumer.publish("answers/mes/1") == DENIED


@pytest.mark.parametrize(
    ("name", "may", "may_not"),
    [
        ("mes", f"{BASE}/ack/mes/top", [f"{BASE}/ack/other/top", f"{BASE}/cmd/trigger", f"{BASE}/top/result"]),
        ("lead", f"{BASE}/cmd/replay", [f"{BASE}/top/result", f"{BASE}/ack/mes/top", "acme/south/a/b/c/cmd/replay"]),
        (
            "scada",
            "spBv1.0/STATE/scada",
            ["spBv1.0/STATE/other", "spBv1.0/acme-north/NDATA/box1", f"{BASE}/cmd/replay"],
        ),
        ("home", "homeassistant/status", ["homeassistant/device/box1/config", f"{BASE}/cmd/replay"]),
    ],
)
def test_every_other_account_says_what_its_role_says(name, may, may_not, join):
    client = join(name)
    assert client.publish(may) in ALLOWED
    assert [client.publish(topic) for topic in may_not] == [DENIED] * len(may_not)


def test_without_a_certificate_nobody_is_let_in(plant, join):
    assert join(None).code is None
    assert join(None, said_name="box1").code is None


def test_a_certificate_of_another_authority_is_refused(plant, join, tmp_path):
    make_certificates(tmp_path, "station", "box1", BASE)
    own, foreign = plant.access / "accounts" / "stranger", tmp_path / "accounts" / "box1"
    own.mkdir()
    shutil.copy(plant.access / "ca" / "ca.crt", own)
    for kind in ("crt", "key"):
        shutil.copy(foreign / f"box1.{kind}", own / f"stranger.{kind}")
    try:
        assert join("stranger").code is None
    finally:
        shutil.rmtree(own)


def test_the_certificate_decides_who_one_is_whatever_one_says(join):
    client = join("reader", said_name="box1")
    assert client.publish(f"{BASE}/top/result") == DENIED


def test_old_tls_is_not_spoken(plant):
    old = ["openssl", "s_client", "-connect", f"127.0.0.1:{plant.port}", "-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]
    done = subprocess.run(old, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode != 0
    assert "alert protocol version" in done.stderr


def test_an_account_comes_and_goes_without_a_restart_of_the_broker(plant, join):
    try:
        plant.account("consumer", "new")
        plant.reload()
        client = join("new")
        until(lambda: client.publish(f"{BASE}/ack/new/top") in ALLOWED, "the new account to be known", 10)
    finally:
        plant.account("revoke", "new")
    plant.reload()
    until(lambda: client.publish(f"{BASE}/ack/new/top") == DENIED, "the account to be gone", 10)


def test_renewed_certificates_are_taken_at_a_reload(plant, join):
    def shown():
        command = ["openssl", "s_client", "-connect", f"127.0.0.1:{plant.port}"]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False
        )
        return done.stdout.partition("-----BEGIN")[2].partition("-----END")[0]

    before = shown()
    plant.account("renew")
    plant.reload()
    until(lambda: shown() not in ("", before), "the new certificate", 10)
    assert join("box1").publish(f"{BASE}/top/result") in ALLOWED
