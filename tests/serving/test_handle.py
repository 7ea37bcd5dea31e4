import pytest

from appliance.serving import NotServing, ServableId
from appliance.serving.handle import Directory, Handle, Lease, ServingMap


def lease(version, name="surface"):
    return Lease(ServableId(name, version), f"{name}-{version}")


@pytest.fixture
def directory():
    return Directory()


def serve(directory, *leases, aspired=True):
    directory.current = ServingMap((each, aspired) for each in leases)


def test_a_miss_reads_as_in_tensorflow_serving(directory):
    with pytest.raises(NotServing) as latest, Handle(directory, "foo", None):
        pass
    with pytest.raises(NotServing) as specific, Handle(directory, "foo", 50):
        pass
    assert str(latest.value) == "Servable not found for request: Latest(foo)"
    assert str(specific.value) == "Servable not found for request: Specific(foo, 50)"


def test_without_a_version_the_highest_is_borrowed(directory):
    serve(directory, lease(9), lease(10), lease(2), lease(99, name="other"))
    with Handle(directory, "surface", None) as handle:
        assert (handle.id, handle.servable) == (ServableId("surface", 10), "surface-10")


def test_version_zero_can_be_the_latest_and_can_be_asked_for(directory):
    serve(directory, lease(0))
    with Handle(directory, "surface", None) as latest, Handle(directory, "surface", 0) as specific:
        assert latest.id.version == specific.id.version == 0


def test_the_latest_is_the_highest_that_is_wanted(directory):
    directory.current = ServingMap([(lease(1), True), (lease(2), False)])
    with Handle(directory, "surface", None) as latest, Handle(directory, "surface", 2) as specific:
        assert (latest.id.version, specific.id.version) == (1, 2)


def test_where_nothing_is_wanted_the_highest_serves_until_it_goes(directory):
    serve(directory, lease(1), lease(2), aspired=False)
    with Handle(directory, "surface", None) as latest:
        assert latest.id.version == 2


def test_outside_its_with_a_handle_has_nothing(directory):
    serve(directory, lease(1))
    handle = Handle(directory, "surface", None)
    with pytest.raises(RuntimeError, match="inside its `with`"):
        _ = handle.servable
    with handle:
        pass
    with pytest.raises(RuntimeError, match="inside its `with`"):
        _ = handle.id


def test_a_handle_in_use_is_not_entered_again(directory):
    serve(directory, lease(1))
    with Handle(directory, "surface", None) as handle, pytest.raises(RuntimeError, match="borrow another"), handle:
        pass


def test_it_is_given_back_when_the_borrower_fails(directory):
    only = lease(1)
    serve(directory, only)

    def fail_while_borrowing():
        with Handle(directory, "surface", None):
            assert only.borrowers == 1
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        fail_while_borrowing()
    assert only.borrowers == 0


def test_a_lease_that_nobody_borrows_is_drained_when_it_is_closed():
    drained = []
    lease(1).close(lambda: drained.append("now"))
    assert drained == ["now"]


def test_the_last_borrower_to_leave_a_closed_lease_says_so(directory):
    drained = []
    only = lease(1)
    serve(directory, only)
    with Handle(directory, "surface", None):
        with Handle(directory, "surface", None):
            only.close(lambda: drained.append("now"))
        assert drained == []
    assert drained == ["now"]


def test_who_looked_at_the_old_map_and_finds_the_lease_closed_looks_again(directory):
    old, new = lease(1), lease(2)
    serve(directory, old)
    entering = Handle(directory, "surface", None)
    take = old.take

    class Overtaken:
        """The old lease, closed in the moment between the borrower's look at the map and its entering."""

        def take(self, borrower):
            serve(directory, new)
            old.close(lambda: None)
            return take(borrower)

    directory.current.latest["surface"] = Overtaken()
    with entering as handle:
        assert handle.id.version == 2
    assert old.borrowers == 0


class Borrowers(set):
    """A lease's borrowers, that lets something happen in the middle of one of its operations."""

    def __init__(self):
        super().__init__()
        self.before_add = self.after_len = lambda: None

    def add(self, borrower):
        self.before_add()
        super().add(borrower)

    def __len__(self):
        length = super().__len__()
        self.after_len()
        return length


def test_who_enters_while_the_lease_is_closed_is_turned_away_although_it_looked_open(directory):
    only, drained = lease(1), []
    only._borrowers = Borrowers()
    only._borrowers.before_add = lambda: only.close(lambda: drained.append("now"))
    assert not only.take(Handle(directory, "surface", None))
    assert drained
    assert only.borrowers == 0


def test_who_enters_after_it_was_seen_that_nobody_borrows_is_turned_away(directory):
    only, entered = lease(1), []

    def enter():
        only._borrowers.after_len = lambda: None
        entered.append(only.take(Handle(directory, "surface", None)))

    only._borrowers = Borrowers()
    only._borrowers.after_len = enter
    only.close(lambda: None)
    assert entered == [False]
