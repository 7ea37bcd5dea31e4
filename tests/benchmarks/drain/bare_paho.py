"""paho alone: everything in memory, a window of its own, nothing kept, nothing looked at but the receipt."""

import threading

import paho.mqtt.client as mqtt
from common import Run, messages


def main():
    run = Run()
    backlog = list(messages(run.count))
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="bare", protocol=mqtt.MQTTv5)
    client.max_inflight_messages_set(0)  # paho's own window is slow
    connected, room, last = threading.Event(), threading.Semaphore(run.window), threading.Event()
    left = [len(backlog)]

    def on_publish(*_):
        left[0] -= 1
        room.release()
        if not left[0]:
            last.set()

    client.on_connect = lambda *_: connected.set()
    client.on_publish = on_publish
    client.connect("127.0.0.1", run.port)
    client.loop_start()
    connected.wait()
    run.go()
    for payload in backlog:
        room.acquire()
        client.publish(run.topic, payload, qos=1)
    if backlog:
        last.wait()
    run.done(len(backlog))
    client.disconnect()
    client.loop_stop()


main()
