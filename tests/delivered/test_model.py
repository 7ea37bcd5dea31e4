"""One delivered model: what is loaded, and what serves, from the disk and the wish."""

import shutil

import pytest
from delivered.boxes import Box

from appliance.delivered.wish import Wish
from appliance.serving import LoadError, LoadRefused


def test_before_there_is_a_store_the_shipped_version_serves(box):
    box.settle()
    assert box.serving == 1
    assert box.status.pointer.release == 0
    assert box.status.pointer.digest.startswith("sha256:")
    assert (box.status.code, box.status.problem) == (None, None)


def test_the_store_takes_over_what_is_loaded_without_a_second_load(box):
    box.settle()
    box.adopt()
    box.settle()
    assert box.serving == 1
    assert box.loads == [(1, box.base_path / "1")]
    assert box.status.current == 0
    assert box.status.problem is None
    assert box.status.swaps == 1


def test_at_a_start_it_is_current_that_is_loaded_and_nothing_else(box):
    box.adopt()
    box.deploy(5, 6)
    box.store.activate(5)
    box.settle()
    assert box.in_memory == [105]
    assert box.serving == 105
    assert box.status.pointer.release == 5


def test_a_candidate_is_loaded_beside_and_serves_nobody(box):
    box.adopt()
    box.deploy(5)
    box.settle()
    box.settle(Wish(candidate=5))
    assert box.in_memory == [1, 105]
    assert box.serving == 1, "though 105 is the higher version"
    assert [(one.release, one.state) for one in box.status.loaded] == [(5, "AVAILABLE"), (0, "AVAILABLE")]
    box.settle()
    assert box.in_memory == [1]


def test_a_swap_is_one_pointer_there_and_back_with_nothing_loaded_in_between(box):
    box.adopt()
    box.deploy(5)
    box.settle()
    box.settle(Wish(candidate=5))
    loads = list(box.loads)
    box.store.activate(5)
    assert box.look(Wish(candidate=5, keep=(0,))) is True
    assert box.serving == 105, "after one look"
    box.settle(Wish(keep=(0,)))
    assert box.in_memory == [1, 105]
    box.store.back()
    assert box.look(Wish(keep=(0,))) is True
    assert box.serving == 1
    assert box.loads == loads
    assert box.status.swaps == 3
    assert box.status.swap_ms < 1
    assert box.status.noticed_ms < 50


def test_what_serves_goes_on_until_another_is_loaded(box):
    box.adopt()
    box.deploy(5)
    box.settle()
    box.store.activate(5)
    box.look()
    assert box.serving == 1
    assert box.status.problem is None, "it is on its way"
    box.settle()
    assert box.serving == 105
    assert box.in_memory == [105]


def test_where_there_is_no_room_for_two_the_old_one_goes_first(tmp_path):
    box = Box(tmp_path, is_kept=False)
    box.adopt()
    box.deploy(5)
    box.settle()
    box.store.activate(5)
    box.settle()
    assert box.in_memory == [105]
    log = [what for what, _ in box.hand.bench.log if what != "attempt"]
    assert log == ["load", "unload", "load"]
    box.store.close()


def test_files_that_changed_on_the_disk_are_not_loaded_and_the_one_before_serves(box):
    box.adopt()
    box.deploy(5, 6)
    box.store.activate(5)
    box.store.activate(6)
    box.spoil(6)
    box.settle()
    assert box.serving == 105
    assert [version for version, _ in box.loads] == [105], "not a byte of it was used"
    assert box.status.code == "MODEL_CHANGED_ON_DISK"
    assert str(box.store.held(6).folder) in box.status.problem
    assert "release 5 serves instead" in box.status.problem
    box.restart()
    box.settle()
    assert box.serving == 105


def test_with_both_spoilt_the_factorys_serves_and_when_that_is_spoilt_too_what_was_shipped(box):
    box.adopt()
    box.deploy(5, 6)
    box.store.activate(5)
    box.store.activate(6)
    box.spoil(6)
    box.spoil(5)
    box.settle()
    assert box.serving == 1
    assert box.loads[-1][1] == box.store.factory.folder
    box.spoil(0)
    box.restart()
    box.settle()
    assert box.serving == 1
    assert box.loads[-1][1] == box.base_path / "1"


@pytest.mark.parametrize("error", [LoadRefused("it does not fit its recipe"), LoadError("the disk is unreadable")])
def test_a_version_that_does_not_load_at_the_start_is_replaced_by_the_one_before(box, error):
    box.adopt()
    box.deploy(5)
    box.store.activate(5)
    box.fails[105] = [error]
    box.settle()
    assert box.serving == 1
    assert box.status.code == "MODEL_FELL_BACK"
    assert str(error) in box.status.problem
    box.hand.now_s += 100  # one that may succeed is tried again, and then serves
    box.settle()
    assert box.serving == (1 if isinstance(error, LoadRefused) else 105)
    assert (box.status.problem is None) is not isinstance(error, LoadRefused)


def test_another_current_is_a_new_chance(box):
    box.adopt()
    box.deploy(5)
    box.store.activate(5)
    box.fails[105] = [LoadRefused("no")]
    box.settle()
    assert box.serving == 1
    box.fails.clear()
    box.store.back()
    box.settle()
    box.store.activate(5)
    box.settle()
    assert box.serving == 105
    assert box.status.problem is None


def test_a_candidate_that_does_not_load_says_so_until_nobody_wishes_for_it(box):
    box.adopt()
    box.deploy(5)
    box.fails[105] = [LoadRefused("it does not fit its recipe")]
    box.settle()
    box.settle(Wish(candidate=5))
    assert box.serving == 1
    (said,) = [one for one in box.status.loaded if one.release == 5]
    assert (said.state, said.error) == ("END", "it does not fit its recipe")
    assert box.status.problem is None, "what serves is what shall serve"
    box.fails.clear()
    box.settle()
    box.settle(Wish(candidate=5))
    assert box.in_memory == [1, 105], "wished for again, it is tried again"


def test_a_wish_for_what_is_not_in_the_store_is_answered(box):
    box.adopt()
    box.settle(Wish(candidate=9))
    (said,) = [one for one in box.status.loaded if one.release == 9]
    assert said.state == "END"
    assert "not in the store" in said.error
    assert box.serving == 1


def test_an_unproven_candidate_is_never_all_that_there_is(box):
    """A start in the middle of a canary: the candidate may be loaded sooner than what serves."""
    box.adopt()
    box.deploy(5)
    box.look(Wish(candidate=5))
    assert box.hand.tasks("load") == 1
    box.hand.run("load")
    assert box.in_memory == [1]


def test_a_store_that_cannot_be_read_changes_nothing(box):
    box.adopt()
    box.deploy(5)
    box.store.activate(5)
    box.settle()
    record = next((box.store.folder / "versions").glob("5.json"))
    record.chmod(0o644)
    record.write_text("{")
    box.settle()
    assert box.serving == 105
    assert box.status.code == "MODEL_STORE_UNREADABLE"
    assert str(box.store.folder) in box.status.problem


def test_a_shipped_version_with_other_content_than_the_stores_is_found_out(box):
    box.adopt()
    box.deploy(5)
    box.store.close()
    shutil.move(box.store.folder, box.store.folder.with_name("away"))
    (box.base_path / "1" / "more").write_text("another model under the same number")
    box.settle()
    shutil.move(box.store.folder.with_name("away"), box.store.folder)
    box.settle()
    assert box.serving == 1
    assert box.status.code == "MODEL_CHANGED_ON_DISK"
    assert str(box.base_path / "1") in box.status.problem


def test_with_nothing_at_all_nothing_serves_and_nobody_waits_for_it(box):
    shutil.rmtree(box.base_path)
    box.settle()
    assert box.status.pointer is None
    assert box.model.is_decided
