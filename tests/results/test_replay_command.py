"""`appliance results replay` against publisher, replays and socket as the gateway has them, on a real Mosquitto."""

import json
from contextlib import closing

import pytest
from outbox.brokers import Broker
from outbox.plants import Mes, Station
from results.boxes import box, payloads, results, shift


@pytest.fixture
def broker(tmp_path):
    yield Broker(tmp_path / "broker").start()
    Broker.stop_all()


@pytest.fixture
def station(tmp_path, broker):
    one = Station(tmp_path / "state", broker)
    one.start()
    yield one
    one.close()


@pytest.fixture
def line(station):
    with box(station.config.outbox_folder) as one:
        row = one.record(*shift(30))
        station.publisher.notify(row)
        assert station.publisher.wait_acknowledged(row, 20)
        yield one


def asked(station, first, last, *more):
    socket = station.config.gateway_socket
    return results(
        "replay", "--socket", socket, "--camera", "top", "--from-sequence", first, "--to-sequence", last, *more
    )


def test_a_range_is_published_once_more(station, line, broker, capfd):
    with closing(Mes(broker)) as mes:
        assert asked(station, 5, 20) == 0
        _, came = mes.wait_closing(f"{station.config.mqtt.base_topic}/top/replay")
    recorded = payloads(line.folder)[4:20]
    assert [one.payload for one in came] == [one.replace(b'"replayed":false', b'"replayed":true') for one in recorded]
    said = capfd.readouterr()
    assert "16 messages sent once more" in said.out
    assert "At most 16 messages of top" in said.err


def test_what_is_no_longer_there_is_named(station, line, capfd):
    assert asked(station, 25, 40, "--json") == 1
    ended = json.loads(capfd.readouterr().out)
    assert (ended["state"], ended["sent"], ended["missing"]) == ("done", 6, [[31, 40]])
    assert asked(station, 25, 40) == 1
    assert "No longer on this box, or not recorded yet: numbers 31 to 40." in capfd.readouterr().out


def test_what_cannot_be_asked_for_is_one_sentence(station, line, capfd):
    assert asked(station, 20, 5) == 1
    assert "cannot be after to_sequence" in capfd.readouterr().err
    assert asked(station, 1, 5, "--stream", "0193a5f0") == 1
    assert "nothing more of the stream '0193a5f0'" in capfd.readouterr().err


def test_a_box_that_does_not_run_is_one_sentence(tmp_path, capfd):
    arguments = ["--socket", tmp_path / "gateway.sock", "--camera", "top", "--from-sequence", 1, "--to-sequence", 2]
    assert results("replay", *arguments) == 1
    said = capfd.readouterr().err
    assert "The gateway is away" in said
    assert said.count("\n") == 1


def test_a_broker_that_takes_nothing_ends_the_wait_and_not_the_replay(station, line, broker, capfd):
    broker.freeze()
    try:
        assert asked(station, 1, 30, "--timeout", 0.5) == 1
        said = capfd.readouterr().err
        assert "the box goes on with it" in said
    finally:
        broker.thaw()
