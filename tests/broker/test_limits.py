"""The delivered broker's limits hold, and those inside keep working."""

import select
import socket
from contextlib import ExitStack, closing

import pytest
from broker.plant import BASE, Plant
from running import until

MOST_CLIENTS = 200


def test_what_is_too_large_is_refused_and_the_limits_are_told(join):
    client = join("box1")
    assert client.connack.ReceiveMaximum == 100
    assert client.connack.MaximumPacketSize == 262_144
    assert client.publish(f"{BASE}/top/result", b"x" * 261_000) in ("Success", "No matching subscribers")
    assert client.publish(f"{BASE}/top/result", b"x" * 262_144) == "gone"
    # Where the broker closes before it has read all of it, its last word is lost with the connection.
    assert client.left[0] in ("Packet too large", "Unspecified error")


def test_who_connects_in_a_loop_runs_into_a_wall(plant, join):
    inside = join("box1")
    with ExitStack() as held:
        sockets = [
            held.enter_context(socket.create_connection(("127.0.0.1", plant.port), 5)) for _ in range(MOST_CLIENTS + 20)
        ]
        # A client that was thrown out may be counted as gone twice.
        until(lambda: 18 <= len(select.select(sockets, [], [], 0)[0]) <= 21, "those above the limit to be closed", 10)
        assert inside.publish(f"{BASE}/top/result") in ("Success", "No matching subscribers")
    until(lambda: join("box1").code == "Success", "room again", 10)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_reader_that_is_away_is_kept_so_much_and_what_is_dropped_is_counted(tmp_path):
    plant = Plant(tmp_path / "plant")
    plant.account("station", "box1", BASE)
    plant.account("reader", "historian")
    plant.account("reader", "watch")
    plant.start()
    try:
        with closing(plant.client("historian", expiry_s=3600)) as historian:
            historian.subscribe("#")
        with closing(plant.client("box1")) as box:
            box.publish_many(f"{BASE}/top/result", 200_300)
        with closing(plant.client("watch")) as watch:
            watch.subscribe("$SYS/broker/publish/messages/dropped")
            dropped = "$SYS/broker/publish/messages/dropped"
            until(lambda: any(int(one.payload) for one in watch.heard if one.topic == dropped), "drops to be told", 30)
            counts = [int(one.payload) for one in watch.heard]
        # What is in flight counts beside what is queued: up to max_inflight_messages more.
        assert 200 <= counts[-1] <= 300
        with closing(plant.client("historian", expiry_s=3600)) as historian:
            until(lambda: len(historian.heard) == 200_300 - counts[-1], "what was kept", 120)
    finally:
        plant.stop()
