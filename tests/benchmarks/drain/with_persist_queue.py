"""persist-queue's SQLiteAckQueue before paho: each message on the disk until its receipt is there."""

import threading
from queue import SimpleQueue

import paho.mqtt.client as mqtt
import persistqueue
from common import Run, messages


def main():
    run = Run()
    queue = persistqueue.SQLiteAckQueue(run.folder, auto_commit=True, multithreading=True)
    for payload in messages(run.count):
        queue.put(payload)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="persist", protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(0)
    connected, receipts = threading.Event(), SimpleQueue()
    client.on_connect = lambda *_: connected.set()
    client.on_publish = lambda _client, _data, number, reason, _properties: receipts.put((number, reason))
    client.connect("127.0.0.1", run.port)
    client.loop_start()
    connected.wait()
    run.go()
    under_way, count = {}, 0
    while queue.size or under_way:
        while len(under_way) < run.window and queue.size:
            item = queue.get()
            under_way[client.publish(run.topic, item, qos=1).mid] = item
        number, reason = receipts.get(timeout=60)
        item = under_way.pop(number)
        if reason.is_failure:
            queue.nack(item)
        else:
            queue.ack(item)
            count += 1
    run.done(count)
    client.disconnect()
    client.loop_stop()


main()
