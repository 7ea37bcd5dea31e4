"""The rules of Sparkplug B 3.0 that bind an edge node, by their ids, each as a look at a recording.

`RULES` has those that are read off a recorded day, `ELSEWHERE` those that a test of another module tries, and
`NOT_APPLICABLE` those that this node gives no occasion to, with the reason.
"""

import re

from sparkplug.google import parse, value_of
from sparkplug.plant import CAMERAS, GROUP, HOST, NCMD, NODE, STATE, names, of, values
from sparkplug.scenario import device_of, result_id, verb_of

RULES = {}
_BIRTHS = ("NBIRTH", "DBIRTH")
_DATA = ("NDATA", "DDATA")
_OURS = (*_BIRTHS, *_DATA, "DDEATH")
_TYPES = {4: "long_value", 8: "long_value", 10: "double_value", 11: "boolean_value", 12: "string_value"}


def rule(*ids):
    """This function tries the rules of these ids."""

    def enter(function):
        for one in ids:
            assert one not in RULES, one
            RULES[one] = function
        return function

    return enter


def _deaths(recording):
    """Every NDEATH: as wills, as the node says them, and as they were heard."""
    return [*recording.wills(), *recording.said("NDEATH"), *[one for one in recording.heard if "/NDEATH/" in one.topic]]


# ---- 1 identity and topics


@rule("topic-structure", "topic-structure-namespace-a")
def topics(recording):
    for one in recording.said():
        assert re.fullmatch(r"spBv1\.0/[^/]+/(NBIRTH|NDATA|NDEATH|DBIRTH|DDATA|DDEATH)/[^/]+(/[^/]+)?", one.topic)


@rule(
    "topic-structure-namespace-device-id-associated-message-types",
    "topic-structure-namespace-device-id-non-associated-message-types",
)
def levels(recording):
    seen = set()
    for one in recording.said():
        verb = verb_of(one.topic)
        seen.add(verb)
        assert one.topic.count("/") == (4 if verb.startswith("D") else 3)
    assert seen == {"NBIRTH", "NDATA", "NDEATH", "DBIRTH", "DDATA", "DDEATH"}


@rule("case-sensitivity-sparkplug-ids", "case-sensitivity-metric-names")
def no_names_differ_by_case_only(recording):
    for one in recording.said(*_BIRTHS):
        lower = [name.lower() for name in names(one.payload)]
        assert len(set(lower)) == len(lower)
    devices = {device_of(one.topic) for one in recording.said("DBIRTH")}
    assert len({one.lower() for one in devices}) == len(devices) == len(CAMERAS)


@rule("topics-nbirth-topic", "message-flow-edge-node-birth-publish-nbirth-topic")
def nbirth_topic(recording):
    assert {one.topic for one in recording.said("NBIRTH")} == {f"spBv1.0/{GROUP}/NBIRTH/{NODE}"}


@rule(
    "topics-dbirth-topic",
    "message-flow-device-birth-publish-dbirth-topic",
    "message-flow-device-birth-publish-dbirth-match-edge-node-topic",
)
def dbirth_topics(recording):
    assert {one.topic for one in recording.said("DBIRTH")} == {f"spBv1.0/{GROUP}/DBIRTH/{NODE}/{it}" for it in CAMERAS}


@rule("topics-ndata-topic")
def ndata_topic(recording):
    assert {one.topic for one in recording.said("NDATA")} == {of("NDATA")}


@rule("topics-ddata-topic")
def ddata_topics(recording):
    assert {one.topic for one in recording.said("DDATA")} == {of("DDATA", camera) for camera in CAMERAS}


@rule("topics-ddeath-topic")
def ddeath_topic(recording):
    assert {one.topic for one in recording.said("DDEATH")} == {of("DDEATH", "side")}


@rule("topics-ndeath-topic")
def ndeath_topic(recording):
    assert {one.topic for one in _deaths(recording)} == {of("NDEATH")}


# ---- 2 QoS and retain


def _plain(recording, verb):
    for one in (*recording.said(verb), *[it for it in recording.heard if f"/{verb}/" in it.topic]):
        assert (one.qos, one.retain) == (0, False)
    assert recording.said(verb)


@rule(
    "topics-nbirth-mqtt",
    "payloads-nbirth-qos",
    "payloads-nbirth-retain",
    "message-flow-edge-node-birth-publish-nbirth-qos",
    "message-flow-edge-node-birth-publish-nbirth-retained",
)
def nbirth_is_plain(recording):
    _plain(recording, "NBIRTH")


@rule(
    "topics-dbirth-mqtt",
    "payloads-dbirth-qos",
    "payloads-dbirth-retain",
    "message-flow-device-birth-publish-dbirth-qos",
    "message-flow-device-birth-publish-dbirth-retained",
)
def dbirth_is_plain(recording):
    _plain(recording, "DBIRTH")


@rule("topics-ndata-mqtt", "payloads-ndata-qos", "payloads-ndata-retain")
def ndata_is_plain(recording):
    _plain(recording, "NDATA")


@rule("topics-ddata-mqtt", "payloads-ddata-qos", "payloads-ddata-retain")
def ddata_is_plain(recording):
    _plain(recording, "DDATA")


@rule("topics-ddeath-mqtt")
def ddeath_is_plain(recording):
    _plain(recording, "DDEATH")


# ---- 3 connect and will


@rule("principles-persistence-clean-session-311")
def clean_session(recording):
    for one in recording.connects():
        assert one.level == (5 if recording.protocol == "5" else 4)
        assert one.is_clean


@rule("principles-persistence-clean-session-50")
def clean_start(recording):
    assert all(one.is_clean and one.expiry_s == 0 for one in recording.connects())


@rule(
    "message-flow-edge-node-birth-publish-will-message",
    "payloads-ndeath-will-message",
    "message-flow-edge-node-birth-publish-will-message-topic",
    "message-flow-edge-node-birth-publish-will-message-payload",
)
def every_connect_has_a_will(recording):
    assert len(recording.connects()) == 7
    for will in recording.wills():
        assert will.topic == of("NDEATH")
        assert parse(will.payload).SerializeToString(deterministic=True) == will.payload


@rule(
    "message-flow-edge-node-birth-publish-will-message-qos",
    "payloads-ndeath-will-message-qos",
    "message-flow-edge-node-birth-publish-will-message-will-retained",
    "payloads-ndeath-will-message-retain",
)
def wills_are_kept_by_nobody(recording):
    for one in _deaths(recording):
        assert (one.qos, one.retain) == (1, False)


@rule("topics-ndeath-payload", "topics-ndeath-seq", "payloads-ndeath-seq")
def deaths_hold_the_session_number_alone(recording):
    for one in _deaths(recording):
        payload = parse(one.payload)
        assert [metric.name for metric in payload.metrics] == ["bdSeq"]
        assert not payload.HasField("seq")


@rule("message-flow-edge-node-birth-publish-will-message-payload-bdSeq", "topics-nbirth-bdseq-increment")
def session_numbers_count_connects(recording):
    metrics = [parse(will.payload).metrics[0] for will in recording.wills()]
    assert {metric.datatype for metric in metrics} == {4}
    # Six by one process after another, then one whose predecessor had 255.
    assert [value_of(metric) for metric in metrics] == [0, 1, 2, 3, 4, 5, 0]


@rule(
    "topics-nbirth-bdseq-included",
    "payloads-nbirth-bdseq",
    "topics-nbirth-bdseq-matching",
    "payloads-nbirth-bdseq-repeat",
    "payloads-ndeath-bdseq",
    "message-flow-edge-node-birth-publish-nbirth-payload-bdSeq",
)
def births_have_the_number_of_the_will(recording):
    for connect in recording.connects():
        number = values(connect.will.payload)["bdSeq"]
        births = recording.said("NBIRTH", connection=connect.connection)
        assert births
        for one in (*births, *recording.said("NDEATH", connection=connect.connection)):
            found = [metric for metric in parse(one.payload).metrics if metric.name == "bdSeq"]
            assert [(value_of(metric), metric.datatype) for metric in found] == [(number, 4)]


# ---- 4 birth sequence


@rule("message-flow-edge-node-birth-publish-connect", "principles-birth-certificates-order")
def births_come_first(recording):
    for packets in recording.sessions():
        kinds = [one.kind for one in packets]
        publishes = [at for at, one in enumerate(packets) if one.kind == "PUBLISH" and one.from_node]
        assert kinds.index("CONNACK") < publishes[0]
        assert packets[publishes[0]].topic == of("NBIRTH")


@rule("message-flow-edge-node-ncmd-subscribe")
def commands_are_subscribed_to_before_birth(recording):
    for packets in recording.sessions():
        asked = next(one for one in packets if one.kind == "SUBSCRIBE")
        assert (NCMD, 1) in asked.topics
        granted = next(at for at, one in enumerate(packets) if one.kind == "SUBACK")
        assert not [one for one in packets[:granted] if one.kind == "PUBLISH" and one.from_node]


@rule("topics-nbirth-seq-num", "payloads-nbirth-seq", "payloads-sequence-num-req-nbirth")
@rule("message-flow-edge-node-birth-publish-nbirth-payload-seq")
def births_begin_with_nought(recording):
    for one in recording.said("NBIRTH"):
        payload = parse(one.payload)
        assert payload.HasField("seq")
        assert payload.seq == 0


def _is_now(recording, *verbs):
    assert recording.said(*verbs)
    for one in recording.said(*verbs):
        payload = parse(one.payload)
        assert payload.HasField("timestamp")
        assert abs(payload.timestamp - one.utc_ms) < 5000


@rule("topics-nbirth-timestamp", "payloads-nbirth-timestamp")
def nbirths_have_the_time(recording):
    _is_now(recording, "NBIRTH")


@rule("topics-dbirth-timestamp", "payloads-dbirth-timestamp")
def dbirths_have_the_time(recording):
    _is_now(recording, "DBIRTH")


@rule("message-flow-edge-node-birth-publish-nbirth-payload", "message-flow-device-birth-publish-dbirth-payload")
def payloads_are_sparkplug(recording):
    for one in recording.said():
        assert parse(one.payload).SerializeToString(deterministic=True) == one.payload
        assert not one.is_text


@rule(
    "topics-nbirth-rebirth-metric",
    "payloads-nbirth-rebirth-req",
    "operational-behavior-data-commands-rebirth-name",
    "operational-behavior-data-commands-rebirth-datatype",
    "operational-behavior-data-commands-rebirth-value",
    "operational-behavior-data-commands-rebirth-name-aliases",
)
def births_offer_rebirth(recording):
    for one in recording.said("NBIRTH"):
        (found,) = [metric for metric in parse(one.payload).metrics if metric.name == "Node Control/Rebirth"]
        assert (found.datatype, found.WhichOneof("value"), found.boolean_value) == (11, "boolean_value", False)
        assert not found.HasField("alias")


@rule("topics-nbirth-metric-reqs", "operational-behavior-data-publish-nbirth")
@rule("topics-dbirth-metric-reqs", "operational-behavior-data-publish-dbirth")
def births_name_whatever_comes_later(recording):
    born = {}
    for one in recording.said(*_OURS):
        device = device_of(one.topic)
        if verb_of(one.topic) in _BIRTHS:
            born[one.connection, device] = set(names(one.payload))
        elif verb_of(one.topic) in _DATA:
            assert set(names(one.payload)) <= born[one.connection, device]


@rule(
    "topics-nbirth-metrics",
    "topics-dbirth-metrics",
    "payloads-metric-datatype-req",
    "operational-behavior-data-publish-nbirth-values",
    "operational-behavior-data-publish-dbirth-values",
)
def births_tell_every_metric_whole(recording):
    for one in recording.said(*_BIRTHS):
        for metric in parse(one.payload).metrics:
            assert metric.HasField("name")
            assert metric.HasField("datatype")
            assert (metric.WhichOneof("value") is None) is metric.is_null
    node, *devices = (values(one.payload) for one in recording.said(*_BIRTHS)[-4:])
    assert (node["Models/surface/Version"], node["Health/State"]) == (7, "OFF_SPEC")
    assert {one["Camera/State"] for one in devices} == {"online"}


@rule("message-flow-device-birth-publish-nbirth-wait", "payloads-dbirth-order")
def devices_are_born_after_their_node(recording):
    for connect in recording.connects():
        verbs = [verb_of(one.topic) for one in recording.said(*_OURS, connection=connect.connection)]
        assert verbs[:4] == ["NBIRTH", "DBIRTH", "DBIRTH", "DBIRTH"]


# ---- 5 sequence numbers


@rule("payloads-sequence-num-always-included", "payloads-dbirth-seq", "payloads-ndata-seq", "payloads-ddata-seq")
@rule("payloads-ddeath-seq", "payloads-ddeath-seq-number")
def all_but_deaths_have_a_sequence_number(recording):
    for one in recording.said(*_OURS):
        assert parse(one.payload).HasField("seq")


@rule(
    "payloads-sequence-num-incrementing",
    "topics-dbirth-seq",
    "payloads-dbirth-seq-inc",
    "message-flow-device-birth-publish-dbirth-payload-seq",
    "topics-ndata-seq-num",
    "payloads-ndata-seq-inc",
    "topics-ddata-seq-num",
    "payloads-ddata-seq-inc",
    "topics-ddeath-seq-num",
    "payloads-ddeath-seq-inc",
)
def one_counter_for_all(recording):
    wraps = 0
    for connect in recording.connects():
        last = None
        for one in recording.said(*_OURS, connection=connect.connection):
            seq = parse(one.payload).seq
            if verb_of(one.topic) != "NBIRTH":
                assert seq == (last + 1) % 256
                wraps += seq == 0
            last = seq
    assert wraps >= 2


@rule("payloads-ndata-order", "payloads-ddata-order")
def data_come_after_all_births(recording):
    for connect in recording.connects():
        verbs = [verb_of(one.topic) for one in recording.said(*_OURS, connection=connect.connection)]
        for at, verb in enumerate(verbs):
            if verb == "NBIRTH":
                devices = 2 if verbs[at + 1 : at + 4].count("DBIRTH") == 2 else 3
                assert verbs[at + 1 : at + 1 + devices] == ["DBIRTH"] * devices


# ---- 6 data


@rule("topics-ndata-timestamp", "payloads-ndata-timestamp")
def ndata_have_the_time(recording):
    _is_now(recording, "NDATA")


@rule("topics-ddata-timestamp", "payloads-ddata-timestamp", "payloads-timestamp-in-UTC")
def ddata_have_the_time(recording):
    _is_now(recording, "DDATA")


@rule("payloads-name-birth-data-requirement", "payloads-metric-timestamp-in-UTC")
def metrics_have_their_own_time(recording):
    latest = recording.packets[-1].utc_ms
    for one in (*recording.said(*_OURS), *_deaths(recording)):
        for metric in parse(one.payload).metrics:
            assert metric.HasField("name")
            assert latest - 120_000 < metric.timestamp <= one.utc_ms + 5


@rule("topics-ndata-payload", "topics-ddata-payload")
def data_are_what_changed(recording):
    told = [values(one.payload) for one in recording.said("NDATA")]
    assert told == [{"Health/State": "OFF_SPEC", "Outbox/Waiting": 4}]
    heard = [one for one in recording.heard if "/DDATA/" in one.topic]
    assert {result_id(one) for one in heard} == {one["result_id"] for one in recording.results}
    # A part comes again where the connection broke just after it, and says so.
    seen = set()
    for one in heard:
        historical = {metric.is_historical for metric in parse(one.payload).metrics}
        assert historical in ({True}, {False})
        assert historical == {True} or result_id(one) not in seen
        seen.add(result_id(one))
    first = next(one for one in recording.said("DDATA") if one.topic == of("DDATA", "side"))
    told = values(first.payload)
    assert (told["Inspection/Passed"], told["Inspection/Verdict"]) == (False, "fail")
    assert (told["Inspection/Reason"], told["Inspection/Evaluation"]) == ("CLASS_ABOVE_LIMIT", "NotOK")
    assert (told["Inspection/Label"], told["Inspection/Score"]) == ("good", 0.75)
    assert (told["Inspection/ModelVersion"], told["Inspection/TotalMs"]) == (7, 14.5)


@rule("principles-rbe-recommended", "operational-behavior-data-publish-nbirth-change")
@rule("operational-behavior-data-publish-dbirth-change")
def nothing_is_said_where_nothing_changes(recording):
    quiet = recording.packets[recording.marks["quiet"] : recording.marks["quiet ends"]]
    assert [one.topic for one in quiet if one.kind == "PUBLISH"] == []
    # Two parts in a row that are alike are two messages all the same, and differ.
    alike = [values(one.payload) for one in recording.said("DDATA", connection=1) if one.topic == of("DDATA", "top")]
    numbers = [(one["Inspection/Stream"], one["Inspection/Sequence"]) for one in alike]
    assert len(set(numbers)) == len(numbers) > 300


@rule("operational-behavior-data-publish-nbirth-order", "operational-behavior-data-publish-dbirth-order")
def values_are_in_order_of_time(recording):
    for one in recording.said(*_OURS):
        times = [metric.timestamp for metric in parse(one.payload).metrics if not metric.is_historical]
        assert times == sorted(times)


@rule("payloads-metric-datatype-value-type", "payloads-metric-datatype-value", "payloads-metric-datatype-not-req")
def datatypes_are_in_births_alone(recording):
    for one in recording.said(*_OURS):
        for metric in parse(one.payload).metrics:
            if verb_of(one.topic) in _BIRTHS:
                assert metric.is_null or metric.WhichOneof("value") == _TYPES[metric.datatype]
            else:
                assert not metric.HasField("datatype")


@rule("payloads-name-requirement")
def metrics_go_by_name(recording):
    for one in (*recording.said(*_OURS), *_deaths(recording)):
        for metric in parse(one.payload).metrics:
            assert metric.name
            assert not metric.HasField("alias")


# ---- 7 rebirth


@rule("operational-behavior-data-commands-rebirth-action-1", "operational-behavior-data-commands-rebirth-action-2")
def a_rebirth_stops_the_data(recording):
    """From the node's receipt for the command to the births."""
    since = recording.packets[recording.marks["rebirth"] : recording.marks["nonsense"]]
    read = [at for at, one in enumerate(since) if one.kind == "PUBACK" and one.from_node]
    assert len(read) == 7
    for at in read:
        following = [verb_of(one.topic) for one in since[at:] if one.kind == "PUBLISH" and one.from_node]
        assert following[:4] == ["NBIRTH", "DBIRTH", "DBIRTH", "DBIRTH"]
    assert 1 <= recording.facts["births in a storm"] <= 3
    assert recording.facts["births by nonsense"] == 0


@rule("operational-behavior-data-commands-rebirth-action-3")
def a_rebirth_is_the_same_session(recording):
    births = recording.said("NBIRTH", connection=1)
    assert len(births) >= 3
    assert {values(one.payload)["bdSeq"] for one in births} == {0}
    assert {parse(one.payload).seq for one in births} == {0}


# ---- 8 leaving


@rule("operational-behavior-edge-node-intentional-disconnect-ndeath", "payloads-ndeath-will-message-publisher")
@rule("payloads-ndeath-will-message-publisher-disconnect-mqtt311")
@rule("operational-behavior-edge-node-intentional-disconnect-packet")
def a_death_is_said_before_leaving(recording):
    left = [packets for packets in recording.sessions() if any(one.kind == "DISCONNECT" for one in packets)]
    assert len(left) == 4
    for packets in left:
        last = [one for one in packets if one.from_node and one.kind != "PUBACK"][-3:]
        assert [one.kind for one in last] == ["PUBLISH", "DISCONNECT", "END"]
        assert last[0].topic == of("NDEATH")
        assert values(last[0].payload) == values(packets[0].will.payload)


@rule("payloads-ndeath-will-message-publisher-disconnect-mqtt50")
def leaving_keeps_the_will(recording):
    reasons = {one.reason for one in recording.packets if one.kind == "DISCONNECT"}
    assert reasons == ({4} if recording.protocol == "5" else {0})


@rule("operational-behavior-device-ddeath", "payloads-ddeath-timestamp")
def a_lost_camera_is_a_dead_device(recording):
    _is_now(recording, "DDEATH")
    since = recording.said(connection=1)
    died = next(at for at, one in enumerate(since) if verb_of(one.topic) == "DDEATH")
    born = next(at for at, one in enumerate(since) if at > died and one.topic == of("DBIRTH", "side"))
    assert of("DDATA", "side") not in [one.topic for one in since[died:born]]
    held = since[born + 1]
    assert held.topic == of("DDATA", "side")
    assert all(metric.is_historical for metric in parse(held.payload).metrics)


# ---- 9 primary host


@rule(
    "message-flow-edge-node-birth-publish-phid-wait",
    "message-flow-edge-node-birth-publish-phid-wait-id",
    "message-flow-edge-node-birth-publish-phid-wait-online",
    "message-flow-edge-node-birth-publish-phid-wait-timestamp",
    "operational-behavior-edge-node-birth-sequence-wait",
    "operational-behavior-primary-application-state-with-multiple-servers-state-subs",
)
def nothing_is_said_without_the_host(recording):
    before = recording.packets[: recording.marks["host online"]]
    heard = [one.topic for one in before if one.kind == "PUBLISH" and not one.from_node]
    assert heard == [STATE] * 3  # away, not JSON, and an older time
    assert not [one for one in before if one.kind == "PUBLISH" and one.from_node]
    for packets in recording.sessions():
        asked = next(one for one in packets if one.kind == "SUBSCRIBE")
        assert (f"spBv1.0/STATE/{HOST}", 1) in asked.topics
        born = next(at for at, one in enumerate(packets) if one.topic == of("NBIRTH"))
        assert [one for one in packets[:born] if one.topic == STATE and b"true" in one.payload]


@rule(
    "message-flow-edge-node-birth-publish-phid-offline",
    "operational-behavior-edge-node-termination-host-offline",
    "operational-behavior-edge-node-termination-host-offline-reconnect",
)
def without_the_host_it_leaves_and_comes_back(recording):
    since = recording.packets[recording.marks["host offline"] : recording.marks["host back"]]
    said = [one.kind if one.kind != "PUBLISH" else verb_of(one.topic) for one in since if one.from_node]
    said = [one for one in said if one != "PUBACK"]
    assert [one for one in said if one not in {"NDATA", "DDATA"}] == [
        "NDEATH",
        "DISCONNECT",
        "END",
        "CONNECT",
        "SUBSCRIBE",
    ]
    after = recording.packets[recording.marks["host back"] : recording.marks["stop"]]
    missed = [one for one in after if one.from_node and one.kind == "PUBLISH" and verb_of(one.topic) == "DDATA"]
    assert {result_id(one) for one in missed} >= {one["result_id"] for one in recording.results[-4:-1]}
    assert all(metric.is_historical for one in missed for metric in parse(one.payload).metrics)


@rule("operational-behavior-edge-node-termination-host-offline-timestamp")
def an_old_word_of_the_host_is_ignored(recording):
    since = recording.packets[recording.marks["old offline"] : recording.marks["cut"]]
    assert [one for one in since if one.kind == "PUBLISH" and not one.from_node and b"false" in one.payload]
    assert {one.kind for one in since if one.from_node} <= {"PUBLISH", "PUBACK", "PINGREQ"}
    assert {verb_of(one.topic) for one in since if one.from_node and one.kind == "PUBLISH"} == {"DDATA"}


# ---- what other tests try, and what does not arise

ELSEWHERE = {
    **dict.fromkeys(
        (
            "intro-group-id-string",
            "intro-group-id-chars",
            "intro-edge-node-id-string",
            "intro-edge-node-id-chars",
            "intro-device-id-string",
            "intro-device-id-chars",
            "topic-structure-namespace-valid-group-id",
            "topic-structure-namespace-valid-edge-node-id",
            "topic-structure-namespace-valid-device-id",
        ),
        "test_config.test_ids_that_sparkplug_forbids_are_refused",
    ),
    **dict.fromkeys(
        (
            "intro-edge-node-id-uniqueness",
            "topic-structure-namespace-unique-edge-node-descriptor",
            "payloads-nbirth-edge-node-descriptor",
        ),
        "test_view.test_two_boxes_with_one_id_are_told",
    ),
    **dict.fromkeys(
        (
            "topic-structure-namespace-unique-device-id",
            "topic-structure-namespace-duplicate-device-id-across-edge-node",
        ),
        "test_config.test_devices_are_the_names_of_cameras_and_groups",
    ),
    **dict.fromkeys(
        (
            "operational-behavior-primary-application-state-with-multiple-servers-single-server",
            "operational-behavior-primary-application-state-with-multiple-servers-walk",
        ),
        "test_view.test_the_node_goes_where_its_host_is",
    ),
}
"""Module and test."""

NOT_APPLICABLE = {
    "message-flow-device-dcmd-subscribe": "cameras have nothing that can be written: there is no command to a device",
    "topics-nbirth-templates": "no templates are used",
    **dict.fromkeys(
        ("payloads-alias-birth-requirement", "payloads-alias-uniqueness", "payloads-alias-data-cmd-requirement"),
        "no aliases are used: every metric goes by its name, which metrics_go_by_name sees to",
    ),
}

_OPTIONAL = ("payloads-propertyset-", "payloads-metric-propertyvalue-", "payloads-dataset-", "payloads-template-")


def why_not(tck_id):
    """The reason for which a rule does not bind this node; None where it does."""
    if tck_id.startswith(_OPTIONAL):
        return "no property sets, data sets and templates are used: test_codec and payloads_are_sparkplug see to it"
    return NOT_APPLICABLE.get(tck_id)
