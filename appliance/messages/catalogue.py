"""Every topic on which this box speaks or listens: the one table behind its documents, and behind the tests.

What is sent and stands here nowhere is a fault of the software; the tests hear every byte of a running box and say so.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from appliance.messages.topic import Direction, Root, Topic

_ANSWER: Final = ("answer.json",)
_REPLAYED: Final = ("result.json", "gap.json", "replay.json")

DELIVERY: Final = "a [models.NAME.delivery]"
DELIVERIES: Final = "several [models.NAME.delivery]"
SPARKPLUG: Final = "[sparkplug]"
HOME_ASSISTANT: Final = "[home_assistant]"
DESIRED: Final = "mqtt.desired"
CONSUMERS: Final = "mqtt.consumers"
ANSWERS: Final = "mqtt.commands or mqtt.desired"
"""Settings without which some topics are not there: `Topic.needs`."""


def command(verb: str) -> str:
    """The same of a command's topic."""
    return f"mqtt.commands with {verb}"


_COMMANDS: Final[Mapping[str, str]] = {
    "trigger": "A part is there: judge it. For a camera or a group whose trigger is `command`; its result comes on "
    "`result`.",
    "recipe": "Change over to this recipe from the next trigger on; on all cameras where none is named.",
    "replay": "Send the results of this range again. They come on the response topic, or on `replay` without one.",
    "approve": "Let the deployment that waits for an approval go on.",
    "cancel": "Give up the deployment that is under way.",
    "look": "Look for a new release now.",
    "pause": "Take no new release until `resume`.",
    "resume": "Take new releases again.",
    "pin": "Stay with this release, or with the one that serves.",
    "unpin": "Follow new releases again.",
    "rollback": "Go back to the release before.",
}
"""By verb: what it does."""

CATALOGUE: Final[tuple[Topic, ...]] = (
    Topic(
        "result",
        "{camera}/result",
        Direction.SENT,
        "One for each trigger of the camera, or each part of the group, in order, none missing: the only stream that "
        "a PLC bridge has to read. Drop what comes twice by `result_id`; check `sequence` within `stream`.",
        ("result.json",),
        durable=True,
        event_type="inspection.result.v1",
    ),
    Topic(
        "gap",
        "{camera}/gap",
        Direction.SENT,
        "These numbers of the stream will never come: the only way in which results may be lost, and never in silence.",
        ("gap.json",),
        durable=True,
        event_type="inspection.gap.v1",
    ),
    Topic(
        "last",
        "{camera}/last",
        Direction.SENT,
        "The newest result that the broker has taken, for those who join late. Some may be passed over: to see each "
        "part, read `result`.",
        ("result.json",),
        retained=True,
    ),
    Topic(
        "cameraStatus",
        "{camera}/status",
        Direction.SENT,
        "Whether the camera, or all cameras of the group, are there, and why not.",
        ("status.json",),
        retained=True,
    ),
    Topic(
        "recipe",
        "{camera}/recipe",
        Direction.SENT,
        "The recipe in force on the camera, since when, and why the last changeover was refused, if it was.",
        ("recipe.json#/$defs/message",),
        retained=True,
    ),
    Topic(
        "replay",
        "{camera}/replay",
        Direction.SENT,
        "Results asked for by `cmd/replay` without a response topic: the same bytes but for `replayed: true`, gaps "
        "among them, and one closing message with the numbers that are not here any more.",
        _REPLAYED,
        needs=command("replay"),
    ),
    Topic(
        "availability",
        "availability",
        Direction.SENT,
        "Whether the box is connected; `offline` is its last will, too, so the broker says it where the box cannot.",
        retained=True,
        content_type=None,
        texts=(b"online", b"offline"),
    ),
    Topic(
        "check",
        "check",
        Direction.SENT,
        "`appliance check` sends an empty message here to learn whether the broker lets the box publish. It means "
        "nothing to subscribers.",
        content_type=None,
        texts=(b"",),
    ),
    Topic(
        "health",
        "health",
        Direction.SENT,
        "How well the box is after NAMUR NE 107, since when, and every reason, with what to do about it.",
        ("health.json",),
        retained=True,
    ),
    Topic(
        "summary",
        "summary",
        Direction.SENT,
        "Every minute, or as often as `mqtt.summary_s` says: counts since the start and of the last interval, rates "
        "with their 95 % bounds, latencies, score moments, and how the outbox and the broker are.",
        ("summary.json",),
        retained=True,
    ),
    Topic(
        "model",
        "model",
        Direction.SENT,
        "Which versions of which models the box holds, and in what state: what serves is AVAILABLE.",
        ("model.json",),
        retained=True,
    ),
    Topic(
        "deployment",
        "deployment",
        Direction.SENT,
        "How the newest change of a model goes, as one flat object.",
        ("deployment.json#/$defs/message",),
        retained=True,
        needs=DELIVERY,
    ),
    Topic(
        "deploymentEvents",
        "deployment/events",
        Direction.SENT,
        "One for each step of a deployment, as it happens.",
        ("deployment.json#/$defs/event",),
        needs=DELIVERY,
    ),
    Topic(
        "deploymentOfModel",
        "deployment/{model}",
        Direction.SENT,
        "As `deployment`, for one model of a box that has several delivered ones.",
        ("deployment.json#/$defs/message",),
        retained=True,
        needs=DELIVERIES,
    ),
    Topic(
        "answer",
        "{response_topic}",
        Direction.SENT,
        "What came of a command, on the topic that its sender named, with its correlation data; of `cmd/replay` the "
        "results go there, too.",
        (*_ANSWER, *_REPLAYED),
        root=Root.NAMED,
        needs=ANSWERS,
    ),
    Topic(
        "homeAssistantDevice",
        "{prefix}/device/{object_id}/config",
        Direction.SENT,
        "Home Assistant's device discovery: what of this box it may show, and how to read it. Sent once more, not "
        "retained, when Home Assistant says that it has started.",
        ("home_assistant.json",),
        retained=True,
        root=Root.WHOLE,
        needs=HOME_ASSISTANT,
    ),
    Topic(
        "sparkplugNode",
        "spBv1.0/{group}/{message_type}/{node}",
        Direction.SENT,
        "Sparkplug B 3.0: births, data and death of the station. Protobuf, QoS 0: a live view that may lose, and no "
        "replacement for `result`.",
        qos=0,
        root=Root.WHOLE,
        content_type=None,
        needs=SPARKPLUG,
    ),
    Topic(
        "sparkplugDevice",
        "spBv1.0/{group}/{message_type}/{node}/{device}",
        Direction.SENT,
        "Sparkplug B 3.0: births, data and death of one camera. Protobuf, QoS 0.",
        qos=0,
        root=Root.WHOLE,
        content_type=None,
        needs=SPARKPLUG,
    ),
    Topic(
        "desired",
        "desired",
        Direction.READ,
        "The release that operators want on this box; retained, so it stands until another takes its place. An empty "
        "retained message takes the wish away.",
        ("desired.json",),
        retained=True,
        answers=_ANSWER,
        needs=DESIRED,
    ),
    Topic(
        "desiredOfModel",
        "desired/{model}",
        Direction.READ,
        "As `desired`, for one model of a box that has several delivered ones.",
        ("desired.json",),
        retained=True,
        answers=_ANSWER,
        needs=DESIRED,
    ),
    *(
        Topic(
            f"command{verb.capitalize()}",
            f"cmd/{verb}",
            Direction.READ,
            told,
            (f"command.json#/$defs/{verb}",),
            answers=_REPLAYED + _ANSWER if verb == "replay" else _ANSWER,
            needs=command(verb),
        )
        for verb, told in _COMMANDS.items()
    ),
    Topic(
        "consumer",
        "ack/{consumer}/{camera}",
        Direction.READ,
        "How far a consumer has come in the camera's stream. The box keeps for it what it has not confirmed, and says "
        "in `health` when it falls behind.",
        ("ack.json",),
        retained=True,
        needs=CONSUMERS,
    ),
    Topic(
        "homeAssistantStatus",
        "{prefix}/status",
        Direction.READ,
        "Home Assistant started: the discovery message is sent again.",
        root=Root.WHOLE,
        content_type=None,
        texts=(b"online", b"offline"),
        needs=HOME_ASSISTANT,
    ),
    Topic(
        "sparkplugHost",
        "spBv1.0/STATE/{host}",
        Direction.READ,
        "Sparkplug B 3.0: whether the primary host is there.",
        retained=True,
        root=Root.WHOLE,
        needs=SPARKPLUG,
    ),
    Topic(
        "sparkplugCommand",
        "spBv1.0/{group}/NCMD/{node}",
        Direction.READ,
        "Sparkplug B 3.0: a command to the station; the one that it knows is Rebirth. Protobuf.",
        qos=0,
        root=Root.WHOLE,
        content_type=None,
        needs=SPARKPLUG,
    ),
)


def of_topic(topic: str, base_topic: str, direction: Direction) -> Topic | None:
    """The entry for a whole MQTT topic; None where the box has nothing to do with it."""
    below = topic.removeprefix(f"{base_topic}/")
    for one in CATALOGUE:
        if one.direction is direction and one.root is not Root.NAMED:
            said = below if one.root is Root.BASE else topic
            if (one.root is Root.WHOLE or below != topic) and one.values(said) is not None:
                return one
    return None


def sent() -> Iterator[Topic]:
    """What subscribers may hear."""
    return (one for one in CATALOGUE if one.direction is Direction.SENT)


def read() -> Iterator[Topic]:
    """What the box listens to."""
    return (one for one in CATALOGUE if one.direction is Direction.READ)
