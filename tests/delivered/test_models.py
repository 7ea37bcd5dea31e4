"""All delivered models: what the delivery process wishes is acted on at once, and forgotten when it is gone."""

import threading

import pytest
from delivered.boxes import Box
from running import DEMO_MODEL, until

from appliance.config import ApplianceConfig
from appliance.delivered import DeliveredModels
from appliance.delivered.tally import ReleaseTallies
from appliance.delivered.wish import Wish
from appliance.inspection.result import Evaluation, ModelUsed, Reason, Result, Times
from appliance.registry.store.held import Held
from appliance.serving import Manager, availability_preserving
from appliance.status import ModelStatus

WISH = {"candidate": None, "keep": [], "shadow": False, "canary": False}


@pytest.fixture
def config(tmp_path, box):
    delivery = {"source": "file:///nowhere/", "trusted_keys": ["key.pem"]}
    return ApplianceConfig.model_validate(
        {
            "station": {"name": "box", "state_folder": str(tmp_path / "state")},
            "cameras": {"top": {"recipe": "part", "takt_ms": 100, "camera": {"driver": "virtual"}}},
            "recipes": {"part": {"model": "surface", "deadline_ms": 100}},
            "models": {
                "surface": {"base_path": str(box.base_path), "delivery": delivery},
                "other": {"base_path": str(DEMO_MODEL)},
            },
            "mqtt": {"host": "localhost", "base_topic": "a/b"},
        }
    )


@pytest.fixture
def line(box, config):
    """With threads of its own, as in the appliance."""
    one = Line(box, config)
    yield one
    one.end()


class Line:
    def __init__(self, box: Box, config):
        self.box = box
        box.store.folder = config.store_of("surface")
        box.store = type(box.store)(config.store_of("surface"), 64 << 10)
        self.manager = Manager(availability_preserving)
        self.shown = []
        self.moves = 0
        self.models = DeliveredModels(lambda: config, self.manager, box.loader, lambda _: [])
        self.models.show = self.shown.append
        self.models.moved = self._moved
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=self.models.run, args=(self.stop,)),
            threading.Thread(target=self.manager.run, args=(self.stop,)),
        ]

    def _moved(self):
        self.moves += 1

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def end(self):
        self.stop.set()
        self.models.stop()
        for thread in self.threads:
            if thread.ident is not None:
                thread.join(10)
        self.manager.stop(10)

    @property
    def status(self):
        return self.models.statuses({})["surface"]

    def serves(self, release):
        pointer = self.status.pointer
        return pointer is not None and pointer.release == release

    def is_loaded(self, release):
        return any(one.release == release and one.state == "AVAILABLE" for one in self.status.loaded)


def test_only_models_with_a_delivery_are_looked_after(line):
    assert list(line.models.names) == ["surface"]
    line.models.count("other", None)
    assert line.models.canary("other") is None


def test_nothing_is_decided_before_the_first_look(line):
    assert not line.models.is_decided("surface")
    line.models.look_now()
    assert not line.models.is_decided("surface"), "it is on its way"


def test_a_wish_is_acted_on_at_once_and_dropped_with_who_wished_it(line):
    line.box.adopt()
    line.box.deploy(5, 6)
    line.start()
    until(lambda: line.serves(0), "the factory's to serve", 10)
    line.models.wished({"surface": {**WISH, "candidate": 5, "keep": [6], "shadow": True, "canary": True}})
    until(lambda: line.is_loaded(5) and line.is_loaded(6), "what was wished for", 10)
    assert line.shown == [["surface"]]
    until(lambda: line.models.canary("surface") is not None, "the canary", 10)
    assert line.models.canary("surface").version == 105
    assert line.status.canary.release == 5
    line.models.alone()
    until(lambda: not line.is_loaded(5), "the candidate to go", 10)
    assert line.shown[-1] == []
    assert line.models.canary("surface") is None
    assert line.is_loaded(6), "what was kept to go back to stays"
    assert line.serves(0)


def test_a_canary_ends_when_its_candidate_serves(line):
    line.box.adopt()
    line.box.deploy(5)
    line.start()
    until(lambda: line.serves(0), "the factory's to serve", 10)
    line.models.wished({"surface": {**WISH, "candidate": 5, "canary": True}})
    until(lambda: line.is_loaded(5), "the candidate", 10)
    line.box.store.activate(5)
    line.models.look()
    until(lambda: line.serves(5), "the candidate to serve", 10)
    until(lambda: line.models.canary("surface") is None, "the canary to end", 10)
    assert line.moves >= 4, "the line says it when something has changed: each second would be late"


def test_the_same_wish_again_changes_nothing(line):
    line.models.wished({"surface": {**WISH, "shadow": True}})
    line.models.wished({"surface": {**WISH, "shadow": True}})
    assert line.shown == [["surface"]]


@pytest.mark.parametrize(
    "nonsense",
    [{}, {**WISH, "candidate": "x"}, {**WISH, "keep": 5}, {**WISH, "keep": list(range(9))}, [1], None],
)
def test_a_wish_that_means_nothing_is_refused(line, nonsense):
    with pytest.raises((KeyError, TypeError, ValueError)):
        line.models.wished({"surface": nonsense})


def test_versions_of_a_delivered_model_are_told_with_their_release(line):
    line.box.adopt()
    line.box.deploy(5)
    line.start()
    until(lambda: line.serves(0), "the factory's to serve", 10)
    one = ModelStatus("surface", 1, "AVAILABLE", None, None, None, None)
    assert (line.models.marked(one).release, line.models.marked(one).is_pointer) == (0, True)
    other = ModelStatus("other", 1, "AVAILABLE", None, None, None, None)
    assert line.models.marked(other) == other


def result(version, evaluation=Evaluation.OK, reason=None, total_ms=9.0):
    model = None if version is None else ModelUsed("surface", version, "sha256:0")
    times = Times(1.0, 1.0, 4.5, total_ms)
    return Result(
        "box",
        "top",
        1,
        "part",
        "",
        evaluation,
        reason,
        "",
        (),
        model,
        0,
        times,
        100,
        None,
        is_simulated=True,
        verdict_ns=0,
    )


def held(release, version):
    return Held(release, version, f"sha256:{release}", DEMO_MODEL, is_factory=False, bytes=0)


def test_parts_are_counted_for_the_release_that_judged_or_should_have():
    tallies = ReleaseTallies()
    tallies.count(result(None, Evaluation.UNDEFINED, Reason.NO_MODEL))
    tallies.serves(held(5, 105))
    tallies.count(result(105))
    tallies.count(result(105, Evaluation.NOT_OK, Reason.CLASS_ABOVE_LIMIT))
    tallies.count(result(None, Evaluation.UNDEFINED, Reason.MODEL_FAILED))
    tallies.count(result(None, Evaluation.UNDEFINED, Reason.FRAME_MISSING))
    tallies.count(result(None, Evaluation.UNDEFINED, Reason.DEADLINE_EXPIRED))
    tallies.serves(held(6, 106))
    tallies.count(result(105, total_ms=120.0))  # it was under way
    tallies.count(result(106))
    five, six = tallies.snapshot()["5"], tallies.snapshot()["6"]
    assert (five.parts, five.passed, five.undefined, five.late) == (6, 2, 1, 2)
    assert (six.parts, six.passed, six.undefined, six.late) == (1, 1, 0, 0)
    tallies.serves(held(5, 105))
    assert tallies.snapshot()["5"].parts == 0, "it begins anew"


def test_a_tally_goes_on_when_the_same_content_gets_a_release_number():
    tallies = ReleaseTallies()
    tallies.serves(held(0, 1))
    tallies.count(result(1))
    tallies.renamed(held(3, 1))
    tallies.count(result(1))
    assert {release: tally.parts for release, tally in tallies.snapshot().items()} == {"3": 2}


def test_a_wish_of_somebody_who_is_gone_keeps_what_was_served_before():
    assert Wish(4, (3,), shadow=True, canary=True).alone() == Wish(keep=(3,))
