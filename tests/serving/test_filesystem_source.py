import logging
import os
import threading

import pytest
from serving.doubles import HandManager

from appliance.serving import All, FileSystemSource, Latest, LoadError, Specific, WatchedServable

LIMIT_S = 10


class Made:
    """Stands in a loader's place: where from, and which one."""

    def __init__(self, servable_id, path):
        self.id = servable_id
        self.path = path


class Wishes:
    """What was aspired: the newest wish for each name, and how often anything was."""

    def __init__(self):
        self.newest = {}
        self.calls = []

    def __call__(self, name, versions):
        self.newest[name] = dict(versions)
        self.calls.append(name)

    def paths(self, name="surface"):
        return {version: made.path.name for version, made in self.newest[name].items()}


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "surface"
    path.mkdir()
    return path


@pytest.fixture
def wishes():
    return Wishes()


def put(base, *names):
    for name in names:
        (base / name).mkdir(parents=True)


def watch(base, wishes, versions=None, make=Made, **settings):
    policy = {} if versions is None else {"versions": versions}
    return FileSystemSource([WatchedServable("surface", base, **policy)], make, wishes, **settings)


# --- which versions -----------------------------------------------------------------------------------------------


def test_the_highest_version_is_wished_for_unless_told_otherwise(base, wishes):
    put(base, "9", "10", "2")
    watch(base, wishes).poll()
    assert wishes.paths() == {10: "10"}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(Latest(2), [10, 9]), (Latest(9), [10, 9, 2]), (All(), [10, 9, 2]), (Specific(frozenset({2, 9})), [9, 2])],
)
def test_the_version_policy_chooses_and_the_newest_comes_first(base, wishes, policy, expected):
    put(base, "9", "10", "2")
    watch(base, wishes, policy).poll()
    assert list(wishes.newest["surface"]) == expected


def test_a_wish_for_the_latest_none_is_a_bug():
    with pytest.raises(RuntimeError, match="no wish"):
        Latest(0)


def test_only_directories_named_by_a_number_are_versions(base, wishes):
    put(base, "1", "2.denied", "tmp_5", "-3", "+4", "٣", "1e3", " 6", str(2**63))
    (base / "7").touch()
    watch(base, wishes, All()).poll()
    assert wishes.paths() == {1: "1"}


def test_a_version_may_be_a_link_to_a_directory_and_a_dangling_link_is_none(base, wishes, tmp_path):
    put(tmp_path, "elsewhere")
    (base / "1").symlink_to(tmp_path / "elsewhere")
    (base / "2").symlink_to(tmp_path / "nowhere")
    watch(base, wishes, All()).poll()
    assert wishes.paths() == {1: "1"}


def test_a_version_that_cannot_be_read_is_passed_over_with_a_warning(base, wishes, caplog):
    put(base, "1")
    (base / "2").symlink_to(base / "2")
    watch(base, wishes).poll()
    assert wishes.paths() == {1: "1"}
    assert "2 is passed over, it cannot be read" in caplog.text


def test_leading_zeros_are_kept_in_the_path(base, wishes):
    put(base, "00000042")
    watch(base, wishes).poll()
    assert wishes.paths() == {42: "00000042"}


def test_of_two_spellings_of_one_version_the_shorter_is_taken_and_said_once(base, wishes, caplog):
    put(base, "001", "01", "0001")
    source = watch(base, wishes)
    for _ in range(3):
        source.poll()
    assert wishes.paths() == {1: "01"}
    assert [r.message.count("are both version 1: the first is taken") for r in caplog.records] == [1, 1]


def test_a_version_that_was_asked_for_and_is_not_there_is_said_once(base, wishes, caplog):
    put(base, "1")
    source = watch(base, wishes, Specific(frozenset({1, 5})))
    source.poll()
    source.poll()
    assert wishes.paths() == {1: "1"}
    assert [record.message for record in caplog.records] == ["version 5 of surface is asked for, but not there"]


# --- what goes wrong stays with its model -------------------------------------------------------------------------


def test_a_missing_base_path_is_a_problem_until_it_appears(tmp_path, wishes, caplog):
    source = watch(tmp_path / "late", wishes)
    with caplog.at_level(logging.INFO):
        source.poll()
        source.poll()
        assert source.problems()["surface"].startswith(
            f"Could not find base path {tmp_path / 'late'} for servable surface with error No such file or directory"
        )
        assert wishes.calls == []
        put(tmp_path, "late/3")
        source.poll()
    assert source.problems() == {}
    assert wishes.paths() == {3: "3"}
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"], "said once, and once when it ended"


def test_an_emptied_directory_unloads_nothing_and_is_a_problem(base, wishes):
    put(base, "1")
    source = watch(base, wishes)
    source.poll()
    (base / "1").rmdir()
    source.poll()
    assert wishes.calls == ["surface"]
    assert "what is loaded stays loaded" in source.problems()["surface"]


def test_an_emptied_directory_unloads_everything_where_that_was_asked_for(base, wishes):
    put(base, "1")
    source = watch(base, wishes, unload_when_empty=True)
    source.poll()
    (base / "1").rmdir()
    source.poll()
    assert wishes.newest == {"surface": {}}
    assert source.problems() == {}


def test_asking_for_no_version_in_particular_unloads_everything(base, wishes):
    put(base, "1")
    watch(base, wishes, Specific(frozenset())).poll()
    assert wishes.newest == {"surface": {}}


def test_a_directory_full_of_other_things_is_a_problem_and_not_a_burden(base, wishes, monkeypatch):
    monkeypatch.setattr("appliance.serving.filesystem_source.CHILDREN_MAX", 5)
    put(base, "1", "a", "b", "c", "d", "e")
    source = watch(base, wishes)
    source.poll()
    assert "more than 5 entries" in source.problems()["surface"]
    assert wishes.calls == []


def test_a_version_whose_loader_cannot_be_made_is_wished_for_as_an_error(base, wishes):
    put(base, "1", "2")

    def make(servable_id, path):
        if servable_id.version == 2:
            raise LoadError(f"{path} has no manifest")
        return Made(servable_id, path)

    watch(base, wishes, All(), make=make).poll()
    assert str(wishes.newest["surface"][2]) == f"{base / '2'} has no manifest"
    assert wishes.newest["surface"][1].id.version == 1


# --- a loader per content -----------------------------------------------------------------------------------------


def test_a_version_keeps_its_loader_from_poll_to_poll(base, wishes):
    put(base, "1")
    source = watch(base, wishes)
    source.poll()
    first = wishes.newest["surface"][1]
    put(base, "2")
    (base / "2").rename(base / "2.denied")
    source.poll()
    assert wishes.newest["surface"][1] is first


def test_a_version_whose_directory_was_replaced_gets_another_loader(base, wishes, tmp_path):
    put(base, "1")
    source = watch(base, wishes)
    source.poll()
    first = wishes.newest["surface"][1]
    modified_ns = (base / "1").stat().st_mtime_ns
    put(tmp_path, "new")
    os.utime(tmp_path / "new", ns=(modified_ns, modified_ns))
    (base / "1").rename(tmp_path / "old")
    (tmp_path / "new").rename(base / "1")
    source.poll()
    assert wishes.newest["surface"][1] is not first


def test_a_version_whose_directory_was_changed_gets_another_loader(base, wishes):
    put(base, "1")
    source = watch(base, wishes)
    source.poll()
    first = wishes.newest["surface"][1]
    os.utime(base / "1", ns=(1, 1))
    source.poll()
    assert wishes.newest["surface"][1] is not first


def test_a_version_that_left_and_came_back_gets_another_loader(base, wishes):
    put(base, "1")
    source = watch(base, wishes)
    source.poll()
    first = wishes.newest["surface"][1]
    put(base, "2")
    source.poll()
    (base / "2").rmdir()
    source.poll()
    assert wishes.newest["surface"][1] is not first


def test_an_error_is_kept_like_a_loader_until_the_directory_changes(base, wishes):
    put(base, "1")
    asked = []

    def make(servable_id, path):
        asked.append(servable_id)
        raise LoadError("no manifest")

    source = watch(base, wishes, make=make)
    source.poll()
    source.poll()
    assert len(asked) == 1
    os.utime(base / "1", ns=(1, 1))
    source.poll()
    assert len(asked) == 2


def test_a_half_copied_version_is_tried_again_when_the_copy_is_complete(base):
    hand = HandManager()
    put(base, "1")

    def make(servable_id, path):
        is_complete = (path / "weights").exists()
        return hand.bench.loader(outcomes=[] if is_complete else [LoadError("no weights")] * 9)

    source = FileSystemSource([WatchedServable("surface", base)], make, hand.manager.aspire)
    for hand.now_s in range(0, 30, 5):
        source.poll()
        hand.settle()
    assert str(hand.state("surface", 1).error) == "no weights"
    assert hand.state("surface", 1).attempts == 3
    (base / "1" / "weights").touch()
    os.utime(base / "1", ns=(1, 1))
    source.poll()
    hand.settle()
    assert hand.latest("surface") == 1


# --- other servables, other times ---------------------------------------------------------------------------------


def test_a_servable_that_is_watched_no_more_is_unaspired_at_once_and_the_rest_at_the_next_poll(tmp_path, wishes):
    put(tmp_path, "s0/1", "s1/1", "s2/1")
    watched = [WatchedServable(name, tmp_path / name) for name in ("s0", "s1", "s2")]
    source = FileSystemSource(watched[:2], Made, wishes)
    source.poll()
    kept = wishes.newest["s1"][1]
    source.update(watched[1:])
    assert wishes.newest["s0"] == {}
    assert "s2" not in wishes.newest
    source.poll()
    assert wishes.newest["s1"][1] is kept
    assert set(wishes.newest["s2"]) == {1}


def test_a_servable_that_is_watched_no_more_has_no_problem_any_more(tmp_path, wishes):
    source = watch(tmp_path / "missing", wishes)
    source.poll()
    source.update([])
    assert source.problems() == {}


def test_a_changed_policy_or_base_path_applies_with_the_next_poll(base, wishes, tmp_path):
    put(base, "1", "2")
    source = watch(base, wishes)
    source.poll()
    source.update([WatchedServable("surface", base, All())])
    assert wishes.paths() == {2: "2"}
    source.poll()
    assert wishes.paths() == {2: "2", 1: "1"}
    put(tmp_path, "other/9")
    source.update([WatchedServable("surface", tmp_path / "other")])
    source.poll()
    assert wishes.newest["surface"][9].path == tmp_path / "other" / "9"


def test_a_name_that_is_watched_twice_is_a_bug(base, wishes):
    with pytest.raises(RuntimeError, match="twice"):
        FileSystemSource([WatchedServable("surface", base)] * 2, Made, wishes)


def test_with_no_interval_running_polls_exactly_once(base, wishes):
    put(base, "1")
    watch(base, wishes, poll_interval_s=0).run(threading.Event())
    assert wishes.calls == ["surface"]


def test_with_an_interval_below_zero_running_polls_never(base, wishes):
    put(base, "1")
    source = watch(base, wishes, poll_interval_s=-1)
    source.run(threading.Event())
    assert wishes.calls == []
    source.poll()
    assert wishes.paths() == {1: "1"}


def test_running_polls_until_it_is_stopped(base):
    put(base, "1")
    again, stop, polls = threading.Event(), threading.Event(), []

    def aspire(name, versions):
        polls.append(name)
        if len(polls) == 3:
            again.set()

    thread = threading.Thread(target=watch(base, aspire, poll_interval_s=0.001).run, args=(stop,))
    thread.start()
    assert again.wait(LIMIT_S)
    stop.set()
    thread.join(LIMIT_S)
    assert not thread.is_alive()
