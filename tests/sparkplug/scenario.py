"""A day of the box in some seconds, written down packet by packet: the rules are read off this."""

import time
from dataclasses import dataclass, field

from running import until
from sparkplug.plant import HOST, NCMD, STATE, Box, now_ms, rebirth_command, server, state, values

from appliance.health import DeviceHealth
from appliance.outbox import smallfile
from appliance.sparkplug import bdseq


@dataclass
class Recording:
    """What was seen of it."""

    protocol: str
    packets: list = field(default_factory=list)
    heard: list = field(default_factory=list)
    results: list = field(default_factory=list)
    marks: dict = field(default_factory=dict)
    """Where in `packets` something began."""
    facts: dict = field(default_factory=dict)

    def said(self, *verbs, connection=None):
        """The node's own messages, of these verbs."""
        return [
            one
            for one in self.packets
            if one.kind == "PUBLISH"
            and one.from_node
            and (not verbs or verb_of(one.topic) in verbs)
            and (connection is None or one.connection == connection)
        ]

    def wills(self):
        return [one.will for one in self.connects()]

    def connects(self):
        return [one for one in self.packets if one.kind == "CONNECT"]

    def sessions(self):
        """The packets of each connection."""
        return [[one for one in self.packets if one.connection == connect.connection] for connect in self.connects()]


def result_id(message):
    """Which part a DDATA is of."""
    return values(message.payload).get("Inspection/ResultId")


def verb_of(topic):
    return topic.split("/")[2]


def device_of(topic):
    return topic.split("/")[4] if topic.count("/") == 4 else None


def record(folder, protocol):
    """Live the day."""
    recording = Recording(protocol)
    with server(folder / "broker") as (_, wiretap, ear):
        box = Box(folder / "outbox", wiretap.port, protocol, primary_host=HOST)
        try:
            _live(box, wiretap, ear, recording)
        finally:
            box.close()
            recording.packets = list(wiretap.packets)
            recording.heard = list(ear.heard)
            recording.results = box.parts.results
            recording.facts["most at once"] = wiretap.open_most
    return recording


def _live(box, wiretap, ear, recording):
    def mark(name):
        recording.marks[name] = len(wiretap.packets)

    def count(verb, *, above=0, timeout_s=15):
        until(lambda: len(_said(wiretap, verb)) > above, f"more {verb} than {above}", timeout_s)

    heard = set()
    looked_at = 0

    def everybody_heard_of_all():
        until(has_heard_of_all, "every part to be heard of", 15)

    def has_heard_of_all():
        nonlocal looked_at
        new = ear.heard[looked_at:]
        looked_at += len(new)
        heard.update(result_id(one) for one in new if "/DDATA/" in one.topic)
        return all(one["result_id"] in heard for one in box.parts.results)

    # Nothing is said before the primary host is there, whoever else is.
    ear.says("spBv1.0/STATE/another", state(True, now_ms()), qos=1, retain=True)
    begun_ms = now_ms()
    box.start()
    until(lambda: wiretap.of_kind("SUBACK"), "the subscription", 15)
    ear.says(STATE, state(False, begun_ms), qos=1, retain=True)
    ear.says(STATE, b"ONLINE", qos=1)
    ear.says(STATE, state(True, begun_ms - 5000), qos=1)
    until(lambda: len(_states(wiretap)) >= 3, "the host's words at the node", 10)
    mark("host online")
    ear.says(STATE, state(True, begun_ms), qos=1, retain=True)
    count("NBIRTH")
    count("DBIRTH", above=2)
    # Parts, and news of the box.
    box.parts.pass_by("top", 3)
    box.parts.pass_by("side", 2, verdict="fail")
    box.parts.pass_by("both")
    count("DDATA", above=5)
    box.health, box.waiting = DeviceHealth.OFF_SPEC, 4
    box.report()
    count("NDATA")
    # Nothing changes, and nothing is said.
    mark("quiet")
    for _ in range(3):
        box.report()
        time.sleep(0.25)  # the time itself is what is tried
    mark("quiet ends")
    # A host asks for the births while parts come; then three times at once.
    before = len(_said(wiretap, "NBIRTH"))
    mark("rebirth")
    box.parts.pass_by("top", 20)
    ear.says(NCMD, rebirth_command(), qos=1)  # so that the node's receipt shows when it has read it
    box.parts.pass_by("top", 20)
    count("NBIRTH", above=before)
    mark("storm")
    for _ in range(6):
        ear.says(NCMD, rebirth_command(), qos=1)
    box.parts.pass_by("top", 2)
    until(lambda: _is_born_since(wiretap), "births behind the last command", 10)
    count("DDATA", above=47)
    recording.facts["births in a storm"] = len(_said(wiretap, "NBIRTH")) - before - 1
    mark("nonsense")
    births = len(_said(wiretap, "NBIRTH"))
    for payload in (b"\xff\xff", b"", rebirth_command(value=False), b"\x12\x06\x0a\x04Evil"):
        ear.says(NCMD, payload)
    box.parts.pass_by("top")
    count("DDATA", above=48)
    recording.facts["births by nonsense"] = len(_said(wiretap, "NBIRTH")) - births
    # A camera is pulled, a part comes by all the same, and it is plugged in again.
    mark("camera lost")
    box.cameras["side"] = "offline"
    box.report()
    count("DDEATH")
    box.parts.pass_by("side")
    box.parts.pass_by("top")
    count("DDATA", above=49)
    deaths = len(_said(wiretap, "DBIRTH"))
    box.cameras["side"] = "online"
    mark("camera back")
    box.report()
    count("DBIRTH", above=deaths)
    count("DDATA", above=50)
    # Enough parts for the sequence to come around twice.
    before = len(_said(wiretap, "DDATA"))
    mark("many")
    box.parts.pass_by("top", 300)
    box.parts.pass_by("side", 300)
    count("DDATA", above=before + 599, timeout_s=30)
    # A late word of an earlier time of the host's is ignored.
    mark("old offline")
    ear.says(STATE, state(False, begun_ms - 5000), qos=1)
    until(lambda: len(_states(wiretap)) >= 5, "the host's old word at the node", 10)
    box.parts.pass_by("top")
    count("DDATA", above=before + 600)
    # The cable is pulled; nobody listens for a while, then somebody does; then it is pulled twice more.
    mark("cut")
    births = len(_said(wiretap, "NBIRTH"))
    wiretap.refuse()
    wiretap.cut()
    ear.wait("/NDEATH/", 1)
    box.parts.pass_by("top", 5)
    until(lambda: "does not answer" in (box.view.state().problem or ""), "the trouble to be told", 15)
    wiretap.accept()
    count("NBIRTH", above=births)
    everybody_heard_of_all()
    for nth in (1, 2):
        wiretap.cut()
        count("NBIRTH", above=births + nth)
    # The host goes, and comes back.
    mark("host offline")
    connections = len(wiretap.of_kind("CONNECT"))
    ear.says(STATE, state(False, begun_ms), qos=1, retain=True)
    until(lambda: len(wiretap.of_kind("CONNECT")) > connections, "the node to come again", 15)
    until(lambda: wiretap.packets[-1].kind != "CONNECT" and len(wiretap.of_kind("SUBACK")) > connections, "SUBACK", 15)
    box.parts.pass_by("top", 3)
    mark("host back")
    ear.says(STATE, state(True, now_ms()), qos=1, retain=True)
    count("NBIRTH", above=births + 3)
    everybody_heard_of_all()
    # The box stops; it starts again, and a third time behind the last number.
    mark("stop")
    box.stop()
    ear.wait("/NDEATH/", 5)
    box.start()
    count("NBIRTH", above=births + 4)
    box.stop()
    smallfile.replace(box.folder / bdseq.FILE_NAME, {"bd_seq": 255})
    box.start()
    count("NBIRTH", above=births + 5)
    box.parts.pass_by("side")
    everybody_heard_of_all()
    box.stop()
    ends = len(wiretap.of_kind("CONNECT"))
    until(lambda: len(wiretap.of_kind("END")) >= ends, "the end of the last connection", 10)


def _said(wiretap, verb):
    return [one for one in wiretap.of_kind("PUBLISH") if one.from_node and verb_of(one.topic) == verb]


def _is_born_since(wiretap):
    """The seven commands were read, and births followed the last of them."""
    packets = list(wiretap.packets)
    read = [at for at, one in enumerate(packets) if one.kind == "PUBACK" and one.from_node]
    commands = [at for at, one in enumerate(packets) if one.topic == NCMD]
    born = [at for at, one in enumerate(packets) if one.from_node and "/DBIRTH/" in one.topic]
    return len(commands) == 7 and max(read) > max(commands) and len([at for at in born if at > max(read)]) >= 3


def _states(wiretap):
    return [one for one in wiretap.of_kind("PUBLISH") if not one.from_node and one.topic == STATE]
