"""Models in one place, requests in another: every answer, and every refusal, as if they were in the same."""

import contextlib
import os
import threading
import time

import numpy as np
import pytest
from lending.boxes import MESSAGE_MAX, Adding, Box
from running import until

from appliance.dataplane import Code, RequestError
from appliance.runtimes.errors import PredictError
from appliance.serving import (
    LoadRefused,
    ManagerState,
)


@pytest.fixture
def box():
    made = []

    def make(**settings):
        made.append(Box(**settings))
        return made[-1]

    yield make
    for one in made:
        one.end()


X = np.array([[1, 2]], np.float32)


def predict(backend, version=None, name="m", **how):
    with backend.borrow(name, version) as borrowed:
        return borrowed.run("serving_default", {"x": X}, **how)["y"].tolist(), borrowed.id.version


def available(remote, version, name="m"):
    states = {state.id.version: state.manager_state for state in remote.states(name)}
    return states.get(version) is ManagerState.AVAILABLE


def code(refused):
    return refused.value.code


def test_a_lent_model_answers_as_one_of_our_own(box):
    one = box()
    remote = one.connect()
    one.serve((3, Adding(10)))
    until(lambda: available(remote, 3), "version 3", 10)
    for backend in (one.local, remote):
        with backend.borrow("m", None) as borrowed:
            assert borrowed.id.version == 3
            assert borrowed.outline.signatures == Adding(10).signatures
            assert borrowed.outline.signature_defs == Adding(10).signature_defs
            assert (borrowed.outline.metadata, borrowed.outline.digest) == ({"labels": ["good", "bad"]}, "sha256:10")
            assert borrowed.run("serving_default", {"x": X}, ["y"]).keys() == {"y"}
            assert list(borrowed.run("serving_default", {"x": X}, ["with/slash", "y"])) == ["with/slash", "y"]
            together = borrowed.run_together(["other", "serving_default"], {"x": X})
            assert together["other"]["y"].tolist() == [[11, 12]]
            assert together["serving_default"]["with/slash"].tolist() == [[2, 4]]
        assert predict(backend) == ([[11, 12]], 3)


def test_refusals_are_the_same_here_and_there(box):
    one = box()
    remote = one.connect()
    model = Adding(1)
    one.serve((1, model), name="m")
    until(lambda: available(remote, 1), "version 1", 10)
    told = []
    for backend in (one.local, remote):
        for name, version in (("nobody", None), ("m", 7)):
            with pytest.raises(RequestError) as refused:
                predict(backend, version, name)
            told.append((code(refused), str(refused.value)))
        model.error = PredictError("it does not work", 9)
        with pytest.raises(RequestError) as refused:
            predict(backend)
        told.append((code(refused), str(refused.value)))
        model.error = None
        with pytest.raises(RequestError) as refused:
            predict(backend, deadline_s=time.monotonic() - 1)
        told.append((code(refused), str(refused.value)))
    assert told[:4] == told[4:]
    assert [kind for kind, _ in told[:4]] == [
        Code.NOT_FOUND,
        Code.NOT_FOUND,
        Code.FAILED_PRECONDITION,
        Code.DEADLINE_EXCEEDED,
    ]


def test_states_and_labels_cross_with_their_reasons(box):
    one = box()
    one.labels = {"m": {"stable": 3}}
    remote = one.connect()
    one.serve((3, Adding(1)), (4, LoadRefused("it is broken")))
    until(lambda: len(remote.states("m")) == 2 and remote.states("m")[0].error, "the failure", 10)
    until(lambda: available(remote, 3), "version 3", 10)
    for here, there in zip(one.local.states("m"), remote.states("m"), strict=True):
        assert (there.id, there.manager_state, str(there.error)) == (here.id, here.manager_state, str(here.error))
        assert there.since == here.since
    assert remote.labels("m") == {"stable": 3}
    one.labels = {"m": {"stable": 4}}
    one.lender.changed()
    until(lambda: remote.labels("m") == {"stable": 4}, "the new label", 10)


def test_no_request_fails_while_versions_are_swapped(box):
    one = box(queued_max=16)
    remote = one.connect()
    one.serve((1, Adding(1)))
    until(lambda: available(remote, 1), "version 1", 10)
    stop, failures, answered = threading.Event(), [], set()

    def ask():
        while not stop.is_set():
            try:
                answer, version = predict(remote)
            except RequestError as error:  # noqa: PERF203 - each one counts
                failures.append(error)
            else:
                answered.add(version)
                if answer != [[1 + version, 2 + version]]:
                    failures.append(f"version {version} is said to have answered {answer}")

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for thread in asking:
        thread.start()
    for version in range(2, 12):
        one.serve((version, Adding(version)))
        until(lambda version=version: version in answered, f"answers of version {version}", 10)
    stop.set()
    for thread in asking:
        thread.join(10)
    assert failures == []


def test_a_request_for_what_just_changed_its_input_is_refused_in_a_sentence(box):
    one = box()
    remote = one.connect()
    one.serve((1, Adding(1)))
    until(lambda: available(remote, 1), "version 1", 10)
    with remote.borrow("m", None) as borrowed:
        one.serve((2, Adding(2, "int32")))
        until(lambda: available(remote, 2), "version 2", 10)
        with pytest.raises(RequestError, match="Version 2 of m has just replaced the one before") as refused:
            borrowed.run("serving_default", {"x": X})
    assert code(refused) is Code.INVALID_ARGUMENT


def test_more_requests_than_may_wait_are_refused_and_the_others_answered(box):
    one = box(workers=2, queued_max=3)
    remote = one.connect()
    model = Adding(1)
    one.serve((1, model))
    until(lambda: available(remote, 1), "version 1", 10)
    model.go.clear()
    outcomes = []

    def ask(**how):
        try:
            outcomes.append(predict(remote, **how)[1])
        except RequestError as error:
            outcomes.append(error.code)

    asking = [threading.Thread(target=ask) for _ in range(5)]
    for thread in asking:
        thread.start()
    until(lambda: model.running == 2 and remote._waiting == 3, "two that run and three that wait", 10)
    ask()
    assert outcomes == [Code.RESOURCE_EXHAUSTED]
    model.go.set()
    for thread in asking:
        thread.join(10)
    assert outcomes[1:] == [1] * 5
    assert model.at_once == 2


def test_who_waits_longer_than_its_deadline_hears_so(box):
    one = box(workers=1)
    remote = one.connect()
    model = Adding(1)
    one.serve((1, model))
    until(lambda: available(remote, 1), "version 1", 10)
    model.go.clear()
    busy = threading.Thread(target=predict, args=(remote,))
    busy.start()
    until(lambda: model.running, "the first request to run", 10)
    with pytest.raises(RequestError) as refused:
        predict(remote, deadline_s=time.monotonic() + 0.2)
    assert code(refused) is Code.DEADLINE_EXCEEDED
    model.go.set()
    busy.join(10)
    assert predict(remote)[1] == 1


def test_a_version_can_leave_while_its_answer_is_not_fetched(box):
    """A client that takes its answer slowly holds up nobody."""
    one = box()
    remote = one.connect()
    large = Adding(1)
    asked = threading.Event()

    def run(*_):
        asked.set()
        return {"y": np.zeros(MESSAGE_MAX // 8, np.float64)}

    large.run = run
    one.serve((1, large))
    until(lambda: available(remote, 1), "version 1", 10)
    connection = remote._connections[0]
    with remote.borrow("m", None) as borrowed:
        connection.send(borrowed._call(("serving_default",), None, None).as_json(), {"x": X})
    assert asked.wait(10)
    one.serve((2, Adding(2)))
    until(
        lambda: [state.manager_state for state in one.local.states("m")] == [ManagerState.AVAILABLE, ManagerState.END],
        "version 1 to be unloaded",
        10,
    )
    assert connection.receive()[1]["y"].shape == (MESSAGE_MAX // 8,)


def test_what_is_too_large_is_refused_on_both_ways(box):
    one = box()
    remote = one.connect()
    model = Adding(1)
    one.serve((1, model))
    until(lambda: available(remote, 1), "version 1", 10)
    with remote.borrow("m", None) as borrowed:
        with pytest.raises(RequestError, match="max_request_mb") as refused:
            borrowed.run("serving_default", {"x": np.zeros((MESSAGE_MAX, 2), np.float32)})
        assert code(refused) is Code.RESOURCE_EXHAUSTED
        with pytest.raises(RequestError, match="max_request_strings") as refused:
            borrowed.run("serving_default", {"x": np.array([b""] * 101, dtype=object)})
        assert code(refused) is Code.RESOURCE_EXHAUSTED
        model.run = lambda *_: {"y": np.zeros(MESSAGE_MAX, np.float32)}
        with pytest.raises(RequestError, match="answer has") as refused:
            borrowed.run("serving_default", {"x": X})
        assert code(refused) is Code.RESOURCE_EXHAUSTED


def test_a_defect_in_one_request_ends_that_request(box, caplog):
    one = box(workers=1)
    remote = one.connect()
    model = Adding(1)
    one.serve((1, model))
    until(lambda: available(remote, 1), "version 1", 10)
    model.error = ZeroDivisionError("a defect")
    with pytest.raises(RequestError, match="a defect") as refused:
        predict(remote)
    assert code(refused) is Code.INTERNAL
    assert "a defect of the program" in caplog.text
    model.error = None
    assert predict(remote)[1] == 1


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", os.urandom(300), b"LEND\x02\0\0\0\0\0\0\0\0\0\0\0{}"])
def test_garbage_ends_the_life_of_the_sender_and_the_next_one_is_served(box, garbage):
    one = box()
    remote = one.connect()
    one.serve((1, Adding(1)))
    until(lambda: available(remote, 1), "version 1", 10)
    remote._connections[0]._socket.sendall(garbage)
    assert one.lives[0].ended.wait(10)
    until(lambda: remote.gone, "the other side to notice", 10)
    with pytest.raises(RequestError) as refused:
        predict(remote)
    assert code(refused) is Code.UNAVAILABLE
    assert predict(one.connect())[1] == 1


def test_no_more_run_at_once_however_often_the_borrower_is_started_anew(box):
    one = box(workers=2, queued_max=8)
    model = Adding(1)
    remote = one.connect()
    one.serve((1, model))
    until(lambda: available(remote, 1), "version 1", 10)
    model.go.clear()
    asking = []

    def ask(backend):
        with contextlib.suppress(RequestError):
            predict(backend)

    for life in range(3):
        if life:
            remote = one.connect()
        for _ in range(4):
            asking.append(threading.Thread(target=ask, args=(remote,)))
            asking[-1].start()
        until(lambda: model.running == 2, "two that run", 10)
        if life < 2:
            one.lives[-1].end()
            remote.close()
    model.go.set()
    for thread in asking:
        thread.join(10)
    assert model.at_once == 2
    assert predict(remote)[1] == 1
