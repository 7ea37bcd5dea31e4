"""A ServerCore with a real Manager, over folders whose versions load in no time, or as a test says."""

import threading

import pytest

from appliance.dataplane.errors import RequestError
from appliance.protos import parse_text
from appliance.server_core import CoreSettings, ServerCore
from appliance.serving import LoadRefused, Manager, ThreadExecutor, availability_preserving, main_ram


class TextLoader:
    """Loads the text of the file `content` of a version; "broken" does not load, and "gate" waits for the test."""

    def __init__(self, folder, gate):
        self._folder = folder
        self._gate = gate

    def estimate_resources(self):
        return main_ram(1)

    def load(self, id, /):  # noqa: A002
        text = (self._folder / "content").read_text()
        if text == "gate":
            assert self._gate.wait(30)
        if text == "broken":
            raise LoadRefused(f"{self._folder} is no model")
        return text

    def unload(self):
        pass


class Running:
    """A started core, and what a client would see of it."""

    def __init__(self, folder, **settings):
        self.folder = folder
        self.gate = threading.Event()
        self.manager = Manager(
            availability_preserving,
            max_load_retries=0,
            executors=lambda what: ThreadExecutor(what, threads=2),
        )
        platforms = {"tensorflow": self._loader, "other": self._loader}
        self.core = ServerCore(self.manager, platforms, CoreSettings(**{"poll_s": 0.02, **settings}))
        self.stop = threading.Event()
        self.threads = [
            threading.Thread(target=lambda: self.manager.run(self.stop, tick_s=0.01)),
            threading.Thread(target=self.core.watch, args=(self.stop,)),
        ]
        for thread in self.threads:
            thread.start()

    def _loader(self, _id, folder):
        return TextLoader(folder, self.gate)

    def version(self, path, number, content="fine"):
        hidden = self.folder / path / f"{number}.new"
        hidden.mkdir(parents=True)
        (hidden / "content").write_text(content)
        hidden.rename(self.folder / path / str(number))

    def entry(self, name, path=None, more='model_platform: "tensorflow"'):
        return f'config {{ name: "{name}" base_path: "{self.folder / (path or name)}" {more} }}'

    def list(self, *entries):
        return parse_text("tensorflow.serving.ModelServerConfig", f"model_config_list {{ {' '.join(entries)} }}")

    def answer(self, name, version=None):
        with self.manager.borrow(name, version) as handle:
            return handle.id.version, handle.servable

    def refusal(self, *entries, start=False):
        """What a reload that fails says."""
        with pytest.raises(RequestError) as caught:
            (self.core.start if start else self.core.reload)(self.list(*entries))
        return caught.value.code.name, str(caught.value)

    def close(self):
        self.gate.set()
        self.core.close()
        self.stop.set()
        for thread in self.threads:
            thread.join(10)
        self.manager.stop(10)


@pytest.fixture
def running(tmp_path):
    made = []

    def make(**settings):
        made.append(Running(tmp_path, **settings))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test():
    before = set(threading.enumerate())
    yield
    assert [thread.name for thread in threading.enumerate() if thread not in before] == []
