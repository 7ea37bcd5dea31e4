"""The outbox and its publisher, as the gateway runs them."""

import json
import os
import sys
from pathlib import Path

from common import Run, messages

sys.path.insert(0, str(Path(__file__).parents[3]))

from appliance.mqtt.config import MqttConfig
from appliance.outbox.disk.database import Limits
from appliance.outbox.disk.numbering import Entry
from appliance.outbox.disk.opening import open_database
from appliance.outbox.sender.publisher import Publisher

HURRIED = ("pause",) if os.environ.get("HURRIED") else ()
"""Where commands may come, small packets are sent at once, and each is acknowledged at once."""


def main():
    run = Run()
    folder = Path(run.folder)
    if run.count:
        database = open_database(folder, Limits(1024**3, drop_oldest=False))
        entries = [Entry("top", "result", json.loads(payload)) for payload in messages(run.count)]
        for begin in range(0, len(entries), 1000):
            database.write(entries[begin : begin + 1000], 0)
        database.close()
        del entries
        (folder / "count").write_text(str(run.count))
    last = int((folder / "count").read_text())  # rows count from 1
    base = run.topic.removesuffix("/top/result")
    config = MqttConfig(host="127.0.0.1", port=run.port, base_topic=base, window=run.window, commands=HURRIED)
    publisher = Publisher(folder, config, "box1")
    run.go()
    publisher.start()
    assert publisher.wait_acknowledged(last, 600)
    run.done(publisher.state().published_total)
    publisher.stop(1.0)


main()
