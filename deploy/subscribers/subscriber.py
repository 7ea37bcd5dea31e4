"""Prints each verdict once, in order, and says what is missing. Nothing is lost while it is away."""

import json
import sys
from pathlib import Path

import paho.mqtt.client as mqtt

TOPICS = [("+/+/+/+/+/+/result", 1), ("+/+/+/+/+/+/gap", 1)]  # <enterprise>/<site>/<area>/<line>/<station>/<camera>/...
# How far each camera's stream has come:
last = json.loads(Path("subscriber.json").read_text()) if Path("subscriber.json").exists() else {}


def on_message(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
    told = json.loads(message.payload)  # a result has one number, a gap the range that will never come
    first, newest = told.get("from_sequence", told.get("sequence")), told.get("to_sequence", told.get("sequence"))
    expected = last.get(told["stream"], first - 1) + 1
    if newest < expected:
        return  # delivered twice
    if first > expected:
        print(f"MISSING {expected} to {first - 1} of {told['stream']}: ask with cmd/replay", flush=True)
    print(message.topic, first, told.get("verdict", "LOST"), told.get("evaluation", told.get("reason")), flush=True)
    last[told["stream"]] = newest
    Path("subscriber.new").write_text(json.dumps(last))
    Path("subscriber.new").replace("subscriber.json")


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="my-subscriber", protocol=mqtt.MQTTv5)
client.on_connect, client.on_message = lambda client, *_: client.subscribe(TOPICS), on_message
# client.tls_set("ca.crt", "my-subscriber.crt", "my-subscriber.key")
durable = mqtt.Properties(mqtt.PacketTypes.CONNECT)
durable.SessionExpiryInterval = 7 * 24 * 3600  # seconds for which the broker keeps what comes while we are away
client.connect(sys.argv[1], int(sys.argv[2]), clean_start=False, properties=durable)
client.loop_forever()
