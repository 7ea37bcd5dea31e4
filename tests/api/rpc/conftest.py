"""The real server on a free port, real channels, and models in numpy."""

import threading
from contextlib import ExitStack

import grpc
import pytest
from api.rpc.rpc_box import Box
from dataplane.numpy_model import NumpyModel, Serving, half_plus_two
from running import until


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test():
    """grpc's own threads are given a moment: closing a channel returns before they have ended."""
    before = set(threading.enumerate())
    yield
    until(lambda: set(threading.enumerate()) <= before, "the threads of the test to end", 10)


@pytest.fixture
def boxes():
    """Start servers; they are ended after the test."""
    with ExitStack() as stack:

        def start(models=None, labels=None, reload=None, **settings):
            serving = Serving(models or {"half": {7: NumpyModel(half_plus_two())}}, labels)
            box = Box(serving, reload, **settings)
            stack.callback(box.end)
            return box

        yield start


@pytest.fixture
def box(boxes):
    return boxes(labels={"half": {"stable": 7}})


@pytest.fixture
def client(box):
    return box.client()


@pytest.fixture
def refused():
    """The status of a call that is refused."""

    def call(ask, *arguments, **options):
        with pytest.raises(grpc.RpcError) as error:
            ask(*arguments, **options)
        return error.value.code(), error.value.details()

    return call
