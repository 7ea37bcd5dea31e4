import os
import threading

import pytest
from serving.doubles import HandManager

from appliance.serving import (
    All,
    ErrorInjectingAdapter,
    FileSystemSource,
    LoadError,
    LoadRefused,
    ManagerState,
    SourceAdapter,
    SourceRouter,
    WatchedServable,
)

LIMIT_S = 10
NO_PLATFORM = LoadRefused("No platform found for model")


class Wishes:
    """What was aspired, the newest wish for each name."""

    def __init__(self):
        self.newest = {}
        self.calls = 0

    def __call__(self, name, versions):
        self.newest[name] = dict(versions)
        self.calls += 1


class Payload:
    """One content of a version."""

    def __init__(self, servable_id=None, path=None):
        self.id = servable_id
        self.path = path


@pytest.fixture
def wishes():
    return Wishes()


# --- adapter ------------------------------------------------------------------------------------------------------


def test_an_adapter_turns_each_payload_into_another_and_keeps_the_order(wishes):
    adapter = SourceAdapter(lambda each, path: f"{path} of {each.name}", wishes)
    adapter.aspire("surface", {9: "/9", 2: "/2"})
    assert list(wishes.newest["surface"].items()) == [(9, "/9 of surface"), (2, "/2 of surface")]


def test_an_error_passes_through_an_adapter_as_it_is(wishes):
    error = LoadError("unreadable")
    SourceAdapter(lambda each, path: 1 / 0, wishes).aspire("surface", {1: error})
    assert wishes.newest == {"surface": {1: error}}


def test_a_payload_that_cannot_be_converted_is_an_error_of_that_version_alone_until_it_changes(wishes):
    asked = []

    def convert(each, payload):
        asked.append(each.version)
        if each.version == 2:
            raise LoadError("no manifest")
        return payload

    adapter = SourceAdapter(convert, wishes)
    good, bad = Payload(), Payload()
    for _ in range(3):
        adapter.aspire("surface", {1: good, 2: bad})
    assert wishes.newest["surface"][1] is good
    assert str(wishes.newest["surface"][2]) == "no manifest"
    assert asked == [1, 2]
    adapter.aspire("surface", {1: good, 2: Payload()})
    assert asked == [1, 2, 2]


def test_the_same_content_keeps_its_result_and_another_content_gets_another(wishes):
    adapter = SourceAdapter(Payload, wishes)
    content = Payload()
    adapter.aspire("surface", {1: content})
    first = wishes.newest["surface"][1]
    adapter.aspire("surface", {1: content, 2: Payload()})
    assert wishes.newest["surface"][1] is first
    adapter.aspire("surface", {1: Payload()})
    assert wishes.newest["surface"][1] is not first


@pytest.mark.parametrize("without", [{}, {2: Payload()}])
def test_a_version_that_was_left_out_gets_another_result_when_it_comes_back(wishes, without):
    adapter = SourceAdapter(Payload, wishes)
    content = Payload()
    adapter.aspire("surface", {1: content})
    first = wishes.newest["surface"][1]
    adapter.aspire("surface", without)
    adapter.aspire("surface", {1: content})
    assert wishes.newest["surface"][1] is not first


def test_wishes_for_one_name_are_heard_in_the_order_in_which_they_pass(wishes):
    converting, go_on = threading.Event(), threading.Event()

    def convert(each, payload):
        if payload == "old":
            converting.set()
            assert go_on.wait(LIMIT_S)
        return payload

    adapter = SourceAdapter(convert, wishes)
    old = threading.Thread(target=adapter.aspire, args=("surface", {1: "old"}))
    new = threading.Thread(target=adapter.aspire, args=("surface", {2: "new"}))
    old.start()
    assert converting.wait(LIMIT_S)
    new.start()
    go_on.set()
    old.join(LIMIT_S)
    new.join(LIMIT_S)
    assert wishes.newest == {"surface": {2: "new"}}


def test_an_error_injecting_adapter_puts_its_error_in_every_place_and_lets_nothing_be_wanted(wishes):
    adapter = ErrorInjectingAdapter(NO_PLATFORM, wishes)
    adapter.aspire("surface", {1: Payload(), 2: LoadError("another")})
    assert wishes.newest == {"surface": {1: NO_PLATFORM, 2: NO_PLATFORM}}
    adapter.aspire("surface", {})
    assert wishes.newest == {"surface": {}}


# --- router -------------------------------------------------------------------------------------------------------


def test_a_router_goes_by_the_exact_name_and_what_has_no_route_goes_to_the_default():
    one, default = Wishes(), Wishes()
    router = SourceRouter(default, {"surface": one})
    for name in ("surface", "surface2", "Surface"):
        router.aspire(name, {1: "x"})
    assert set(one.newest) == {"surface"}
    assert set(default.newest) == {"surface2", "Surface"}


def test_replaced_routes_hold_from_the_next_wish_on_and_say_nothing_themselves():
    one, two, default = Wishes(), Wishes(), Wishes()
    router = SourceRouter(default, {"a": one, "b": one})
    router.aspire("a", {1: "x"})
    router.update({"a": two})
    assert (one.calls, two.calls, default.calls) == (1, 0, 0)
    router.aspire("a", {1: "x"})
    router.aspire("b", {1: "x"})
    assert (set(two.newest), set(default.newest)) == ({"a"}, {"b"})


def test_who_had_a_names_versions_hears_that_they_are_wanted_no_more_though_its_route_has_gone():
    one, default = Wishes(), Wishes()
    router = SourceRouter(default, {"a": one})
    router.aspire("a", {1: "x"})
    router.update({})
    router.aspire("a", {})
    assert (one.newest, default.calls) == ({"a": {}}, 0)
    router.aspire("a", {})
    assert default.newest == {"a": {}}


# --- from the directory to the borrower ---------------------------------------------------------------------------


class Topology:
    """Directories -> router -> an adapter for each platform -> manager, as the model server has it."""

    def __init__(self, base):
        self.base = base
        self.hand = HandManager(max_load_retries=0)
        self.loads = {"good": True}
        good = SourceAdapter(self.loader, self.hand.manager.aspire)
        nobody = ErrorInjectingAdapter(NO_PLATFORM, self.hand.manager.aspire)
        self.router = SourceRouter(nobody.aspire, {"surface": good.aspire})
        self.source = FileSystemSource(
            [WatchedServable(name, base / name, All()) for name in ("surface", "strange")],
            lambda _, path: path,
            self.router.aspire,
        )

    def loader(self, _, path):
        is_complete = (path / "weights").exists()
        return self.hand.bench.loader(outcomes=[] if is_complete else [LoadError("no weights")] * 9)

    def settle(self):
        self.source.poll()
        self.hand.settle()


@pytest.fixture
def topology(tmp_path):
    (tmp_path / "surface" / "1").mkdir(parents=True)
    (tmp_path / "surface" / "1" / "weights").touch()
    (tmp_path / "strange" / "1").mkdir(parents=True)
    return Topology(tmp_path)


def test_a_model_without_a_platform_ends_with_that_error_and_harms_no_other(topology):
    topology.settle()
    assert topology.hand.latest("surface") == 1
    assert topology.hand.state("strange", 1).error is NO_PLATFORM
    assert topology.hand.manager_state("strange", 1) is ManagerState.END


def test_a_failed_version_is_tried_again_through_router_and_adapter_exactly_when_its_content_changed(topology):
    hand, two = topology.hand, topology.base / "surface" / "2"
    two.mkdir()
    for _ in range(3):
        topology.settle()
    assert (hand.latest("surface"), str(hand.state("surface", 2).error)) == (1, "no weights")
    assert [each.version for what, each in hand.bench.log if what == "attempt"] == [2, 1], "each was tried once"
    (two / "weights").touch()
    os.utime(two, ns=(1, 1))
    topology.settle()
    assert hand.latest("surface") == 2


def test_a_model_that_gets_a_platform_is_loaded_with_the_next_poll(topology):
    topology.settle()
    adapter = SourceAdapter(lambda *_: topology.hand.bench.loader(), topology.hand.manager.aspire)
    topology.router.update({"surface": adapter.aspire, "strange": adapter.aspire})
    topology.settle()
    assert topology.hand.latest("strange") == 1
