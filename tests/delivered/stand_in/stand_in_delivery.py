"""In the delivery process' place: says to the line what the test says, and the test what the line says.

The test is heard on the Unix socket that the environment names; each datagram is one order, each answered.
"""

import argparse
import json
import os
import socket
import threading
from pathlib import Path

from appliance.link import Link
from appliance.shadowing import Taker


class StandIn:
    def __init__(self, options):
        self.link = Link.inherited(options.link)
        self.options = options
        self.status = None
        self.taker = None
        self.stopping = False

    def hear(self):
        while (message := self.link.receive()) is not None:
            if message.kind == "status":
                self.status = message.body
            elif message.kind == "stop":
                break
        Path(os.environ["STAND_IN"]).unlink(missing_ok=True)
        os._exit(0)

    def obey(self, orders):
        while True:
            raw, who = orders.recvfrom(100_000)
            order = json.loads(raw)
            orders.sendto(json.dumps(getattr(self, "do_" + order.pop("do"))(**order)).encode(), who)

    def do_send(self, kind, body):
        return self.link.send(kind, body)

    def do_status(self):
        return self.status

    def do_pid(self):
        return os.getpid()

    def do_take(self, parts):
        """Act as an examiner, for so many parts."""
        if self.taker is None:
            self.taker = Taker(os.dup(self.options.frames_memory), os.dup(self.options.frames_socket))
        seen = []
        while len(seen) < parts and (one := self.taker.next(10)) is not None:
            seen.append([one.trigger_id, one.evaluation, list(one.frame.pixels.shape), one.version])
            self.taker.done(one)
        return seen


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path)
    for name in ("--link", "--frames-memory", "--frames-socket"):
        parser.add_argument(name, type=int, required=True)
    stand_in = StandIn(parser.parse_args())
    place = Path(os.environ["STAND_IN"])
    place.unlink(missing_ok=True)
    orders = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    orders.bind(str(place))
    threading.Thread(target=stand_in.hear, daemon=True).start()
    stand_in.obey(orders)


main()
