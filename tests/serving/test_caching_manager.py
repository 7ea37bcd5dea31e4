import gc
import threading
import weakref

import pytest
from running import until
from serving.doubles import Bench, broken

from appliance.serving import (
    CachingManager,
    Catalogue,
    FileSystemSource,
    LoadError,
    ManagerState,
    NotAvailable,
    NotServing,
    OutOfResources,
    ResourceTracker,
    ServableId,
    SourceAdapter,
    WatchedServable,
    Which,
    main_ram,
)

LIMIT_S = 10


class Shop:
    """A caching manager over a catalogue whose loaders the test orders beforehand, or gets plain ones."""

    def __init__(self, resources=None, **settings):
        self.bench = Bench()
        self.ordered = {}
        """id -> loaders to hand out next"""
        self.made = []
        self.catalogue = Catalogue(self.make)
        self.manager = CachingManager(self.catalogue, resources, **settings)

    def make(self, servable_id, path):
        waiting = self.ordered.get(servable_id, [])
        loader = waiting.pop(0) if waiting else self.bench.loader()
        self.made.append(servable_id)
        return loader

    def order(self, name, version, **wishes):
        loader = self.bench.loader(**wishes)
        self.ordered.setdefault(ServableId(name, version), []).append(loader)
        return loader

    def offer(self, name, *versions):
        self.catalogue.aspire(name, {version: f"/{version}" for version in versions})

    def get(self, name, version=None):
        with self.manager.borrow(name, version) as handle:
            assert handle.servable.is_loaded
            return handle.id.version


@pytest.fixture
def shop():
    made = Shop()
    yield made
    assert made.manager.stop(LIMIT_S) == []
    assert made.bench.loads == made.bench.unloads


def in_background(task):
    """Run a task on a thread; its outcome is in the list once it ends."""
    outcome = []

    def work():
        try:
            outcome.append(task())
        except Exception as error:
            outcome.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread, outcome


def test_a_version_is_loaded_when_it_is_first_asked_for_and_only_then(shop):
    shop.offer("surface", 1, 2)
    shop.offer("other", 1)
    assert shop.made == []
    assert [shop.get("surface"), shop.get("surface"), shop.get("surface", 2)] == [2, 2, 2]
    assert shop.made == [ServableId("surface", 2)]
    assert shop.get("surface", 1) == 1, "beside the other, not in its place"
    assert shop.get("surface", 2) == 2
    assert len(shop.made) == 2


def test_the_latest_is_the_latest_there_is_and_not_the_latest_loaded(shop):
    shop.offer("surface", 1)
    assert shop.get("surface") == 1
    shop.offer("surface", 1, 2)
    assert shop.get("surface") == 2


@pytest.mark.parametrize(
    ("name", "version", "said"),
    [
        ("strange", None, "Latest(strange)"),
        ("strange", 1, "Specific(strange, 1)"),
        ("surface", 9, "Specific(surface, 9)"),
        ("surface", -1, "Specific(surface, -1)"),
        ("surface", 2**63, "Specific(surface, 9223372036854775808)"),
        ("", None, "Latest()"),
        ("", 1, "Specific(, 1)"),
    ],
)
def test_what_there_is_not_is_not_found_in_the_usual_words_and_leaves_nothing_behind(shop, name, version, said):
    shop.offer("surface", 1)
    with pytest.raises(NotServing) as error:
        shop.get(name, version)
    assert str(error.value) == f"Servable not found for request: {said}"
    assert shop.manager.states() == []
    assert shop.manager._turns._locks == {}


def test_a_failed_load_is_the_error_of_who_asked_and_the_next_one_causes_another(shop):
    shop.offer("surface", 1)
    shop.order("surface", 1, outcomes=[broken("no such op")])
    with pytest.raises(LoadError, match="no such op"):
        shop.get("surface")
    assert shop.manager.states()[0].manager_state is ManagerState.END
    assert shop.get("surface") == 1
    assert len(shop.made) == 2


def test_the_error_that_is_remembered_holds_nothing_of_who_asked(shop):
    class Request:
        pass

    def ask():
        request = Request()
        with pytest.raises(LoadError):
            shop.get("surface")
        return weakref.ref(request)

    shop.offer("surface", 1)
    shop.order("surface", 1, outcomes=[broken()])
    asked = ask()
    gc.collect()
    assert asked() is None
    assert "disk" in str(shop.manager.states()[0].error)


def test_a_version_that_is_offered_as_an_error_is_that_error(shop):
    shop.catalogue.aspire("surface", {1: "/1", 2: LoadError("no manifest")})
    with pytest.raises(LoadError, match="no manifest"):
        shop.get("surface")
    assert shop.get("surface", 1) == 1


def test_many_who_ask_at_once_cause_one_load(shop):
    shop.offer("surface", 1)
    loading, go_on = threading.Event(), threading.Event()
    shop.order("surface", 1, during_load=lambda: (loading.set(), go_on.wait(LIMIT_S)))
    asking = [in_background(lambda: shop.get("surface")) for _ in range(8)]
    assert loading.wait(LIMIT_S)
    go_on.set()
    for thread, _ in asking:
        thread.join(LIMIT_S)
    assert [outcome for _, outcome in asking] == [[1]] * 8
    assert len(shop.made) == 1
    assert shop.manager._turns._locks == {}


def test_two_who_ask_at_once_make_one_loader(shop):
    making, go_on = threading.Event(), threading.Event()
    wanted = ServableId("surface", 1)

    def make(servable_id, path):
        making.set()
        assert go_on.wait(LIMIT_S)
        return Shop.make(shop, servable_id, path)

    shop.catalogue._make_loader = make
    shop.offer("surface", 1)
    asking = [in_background(lambda: shop.get("surface")) for _ in range(2)]
    assert making.wait(LIMIT_S)
    until(lambda: shop.manager._turns._users[wanted] == 2, "the second to wait for its turn", LIMIT_S)
    go_on.set()
    for thread, _ in asking:
        thread.join(LIMIT_S)
    assert [outcome for _, outcome in asking] == [[1], [1]]
    assert shop.made == [wanted]


def test_hundreds_of_versions_that_fail_leave_a_bounded_history(shop):
    versions = range(200)
    shop.offer("surface", *versions)
    for version in versions:
        shop.order("surface", version, outcomes=[broken()])
        with pytest.raises(LoadError):
            shop.get("surface", version)
    assert len(shop.manager.states()) == 64


def test_while_one_version_loads_what_is_loaded_is_borrowed_without_waiting(shop):
    shop.offer("slow", 1)
    shop.offer("surface", 1)
    assert shop.get("surface") == 1
    loading, go_on = threading.Event(), threading.Event()
    shop.order("slow", 1, during_load=lambda: (loading.set(), go_on.wait(LIMIT_S)))
    thread, outcome = in_background(lambda: shop.get("slow"))
    assert loading.wait(LIMIT_S)
    assert shop.get("surface") == 1
    assert outcome == []
    go_on.set()
    thread.join(LIMIT_S)
    assert outcome == [1]


def test_who_waits_too_long_is_told_so_and_the_load_goes_on_for_the_next():
    shop = Shop(load_timeout_s=0.02)
    shop.offer("surface", 1)
    go_on = threading.Event()
    shop.order("surface", 1, during_load=lambda: go_on.wait(LIMIT_S))
    for _ in range(2):
        with pytest.raises(NotAvailable, match=r"surface version: 1\} is still loading after 0.02 s: ask for it again"):
            shop.get("surface")
    go_on.set()
    shop.manager.monitor.wait_until_available(["surface"], LIMIT_S)
    assert shop.get("surface") == 1
    assert len(shop.made) == 1
    assert shop.manager.stop(LIMIT_S) == []


def test_a_load_that_failed_when_nobody_waited_any_more_is_tried_again_by_the_next():
    shop = Shop(load_timeout_s=0.02)
    shop.offer("surface", 1)
    go_on = threading.Event()
    shop.order("surface", 1, during_load=lambda: go_on.wait(LIMIT_S), outcomes=[broken()])
    with pytest.raises(NotAvailable):
        shop.get("surface")
    go_on.set()
    shop.manager.monitor.wait_until(ManagerState.END, ["surface"], LIMIT_S)
    shop.manager._load_timeout_s = LIMIT_S
    assert shop.get("surface") == 1
    assert shop.manager.stop(LIMIT_S) == []


def test_what_does_not_fit_fails_and_fits_when_something_else_was_told_to_leave():
    shop = Shop(ResourceTracker(main_ram(100)))
    shop.offer("a", 1)
    shop.offer("b", 1)
    for name in ("a", "b", "b"):
        shop.order(name, 1, cost=main_ram(60))
    assert shop.get("a") == 1
    with pytest.raises(OutOfResources):
        shop.get("b")
    assert shop.get("a") == 1
    shop.manager.retain("a", [])
    assert shop.get("b") == 1, "it waited for the room that was about to be made"
    assert [state.id.name for state in shop.manager.states() if state.manager_state is ManagerState.AVAILABLE] == ["b"]
    assert shop.manager.stop(LIMIT_S) == []


def test_a_borrowed_version_that_was_told_to_leave_stays_until_it_is_given_back_and_is_loaded_anew_afterwards(shop):
    shop.offer("surface", 1)
    with shop.manager.borrow("surface") as handle:
        shop.manager.retain("surface", [])
        assert handle.servable.is_loaded
        again, outcome = in_background(lambda: shop.get("surface"))
        until(lambda: len(shop.made) == 2, "another loader", LIMIT_S)
        assert handle.servable.is_loaded
    again.join(LIMIT_S)
    assert outcome == [1]
    assert (shop.bench.loads, shop.bench.unloads) == (2, 1)


def test_only_what_is_not_retained_leaves(shop):
    shop.offer("surface", 1, 2)
    shop.offer("other", 1)
    for name, version in (("surface", 1), ("surface", 2), ("other", 1)):
        shop.get(name, version)
    shop.manager.retain("surface", {2: "/2"})
    until(lambda: shop.bench.unloads == 1, "one version to be unloaded", LIMIT_S)
    assert sorted((loaded.id.name, loaded.id.version) for loaded in shop.bench.loaded.values()) == [
        ("other", 1),
        ("surface", 2),
    ]


def test_loading_on_request_follows_the_directories(tmp_path):
    bench = Bench()
    catalogue = Catalogue(lambda _, loader: loader)
    manager = CachingManager(catalogue)

    def aspire(name, versions):
        catalogue.aspire(name, versions)
        manager.retain(name, versions)

    adapter = SourceAdapter(lambda *_: bench.loader(), aspire)
    watched = WatchedServable("surface", tmp_path)
    source = FileSystemSource([watched], lambda _, path: path, adapter.aspire)
    (tmp_path / "1").mkdir()
    source.poll()
    assert (manager.states(), bench.loads) == ([], 0)
    with manager.borrow("surface") as handle:
        assert handle.id.version == 1
    (tmp_path / "2").mkdir()
    source.poll()
    until(lambda: bench.unloads == 1, "version 1 to be unloaded", LIMIT_S)
    with manager.borrow("surface") as handle:
        assert handle.id.version == 2
    source.update([])
    with pytest.raises(NotServing):
        manager.borrow("surface").__enter__()
    source.update([watched])
    source.poll()
    with manager.borrow("surface") as handle:
        assert handle.id.version == 2
    assert bench.loads == 3
    assert manager.stop(LIMIT_S) == []


def test_who_waits_for_a_version_that_is_told_to_leave_is_told_that_it_is_not_there(shop):
    shop.offer("surface", 1)
    loading, go_on = threading.Event(), threading.Event()
    shop.order("surface", 1, during_load=lambda: (loading.set(), go_on.wait(LIMIT_S)))
    thread, outcome = in_background(lambda: shop.get("surface"))
    assert loading.wait(LIMIT_S)
    shop.manager.retain("surface", [])
    thread.join(LIMIT_S)
    go_on.set()
    assert [type(each) for each in outcome] == [NotServing]


def test_stopping_ends_the_wait_of_who_waits_and_nothing_is_loaded_afterwards():
    shop = Shop()
    shop.offer("surface", 1)
    loading, go_on = threading.Event(), threading.Event()
    shop.order("surface", 1, during_load=lambda: (loading.set(), go_on.wait(LIMIT_S)))
    thread, outcome = in_background(lambda: shop.get("surface"))
    assert loading.wait(LIMIT_S)
    stopping, left = in_background(lambda: shop.manager.stop(LIMIT_S))
    thread.join(LIMIT_S)
    assert [type(each) for each in outcome] == [NotServing]
    go_on.set()
    stopping.join(LIMIT_S)
    assert left == [[]]
    with pytest.raises(NotServing):
        shop.get("surface")
    assert (shop.bench.loads, shop.bench.unloads) == (1, 1)


def test_failed_attempts_may_be_repeated_before_it_is_an_error():
    shop = Shop(max_load_retries=2, load_retry_interval_s=0.001)
    shop.offer("surface", 1)
    loader = shop.order("surface", 1, outcomes=[broken(), broken()])
    assert shop.get("surface") == 1
    assert loader.attempts == 3
    assert shop.manager.stop(LIMIT_S) == []


def test_under_fire_nobody_ever_has_what_was_unloaded_and_everybody_gets_something(shop):
    shop.offer("surface", 1, 2, 3)
    served = []

    def borrow_once(version):
        try:
            with shop.manager.borrow("surface", version) as handle:
                assert handle.servable.is_loaded
                served.append(handle.id)
                assert handle.servable.is_loaded
        except NotServing:
            pass  # it was told to leave between the load and the look

    def borrow(worker):
        for number in range(150):
            borrow_once(1 + (worker + number) % 3)
        return "done"

    def sweep():
        for number in range(150):
            shop.manager.retain("surface", {1 + number % 3})
        return "done"

    working = [in_background(lambda worker=worker: borrow(worker)) for worker in range(4)] + [in_background(sweep)]
    for thread, _ in working:
        thread.join(LIMIT_S * 3)
    assert [outcome for _, outcome in working] == [["done"]] * 5
    assert {each.version for each in served} == {1, 2, 3}


def test_a_catalogue_knows_the_earliest_and_the_latest_of_what_is_offered():
    catalogue = Catalogue(lambda *_: None)
    catalogue.aspire("surface", {2: "x", 7: "x", 5: "x"})
    assert catalogue.servable_version("surface", Which.EARLIEST) == 2
    assert catalogue.servable_version("surface", Which.LATEST) == 7
    catalogue.aspire("surface", {})
    with pytest.raises(NotServing):
        catalogue.servable_version("surface", Which.LATEST)
