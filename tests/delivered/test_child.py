"""The delivery process as the line's child: started where it is wanted, and never the line's trouble."""

import threading

import pytest
from running import until

from appliance.children import DeliveryChild
from appliance.shadowing import Feed


class Heard:
    def __init__(self, tmp_path, module, feed=None, *, is_wanted=True):
        self.gone = threading.Event()
        self.wishes = []
        self.child = DeliveryChild(
            tmp_path / "appliance.toml",
            feed or Feed(),
            self.wished,
            lambda: None,
            self.gone.set,
            lambda: None,
            is_wanted=is_wanted,
            module=module,
        )
        self.thread = threading.Thread(target=self.child.run, daemon=True)

    def wished(self, models):
        self.wishes.append(models["surface"])


@pytest.fixture
def speaking(tmp_path, monkeypatch):
    """A module that sends these messages, and then waits for the end of the link."""

    def write(*messages):
        (tmp_path / "speaking.py").write_text(
            "import sys\nfrom appliance.link import Link\n"
            "link = Link.inherited(int(sys.argv[sys.argv.index('--link') + 1]))\n"
            f"for message in {messages!r}: link.send_raw(message)\n"
            "while (m := link.receive()) is not None and m.kind != 'stop': pass\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
        return "speaking"

    return write


def test_where_no_model_is_delivered_nothing_is_started_and_nothing_is_wrong(tmp_path):
    heard = Heard(tmp_path, "nobody", is_wanted=False)
    assert heard.child.threads() == {}
    assert heard.child.problem is None
    heard.child.end(1)


def test_a_wish_is_heard_and_it_ends_when_told_to(tmp_path, speaking):
    heard = Heard(tmp_path, speaking(b'wish\n{"models":{"surface":{"candidate":3}}}', b"look\n{}"))
    heard.thread.start()
    until(lambda: heard.wishes == [{"candidate": 3}], "the wish", 20)
    assert heard.child.problem is None
    heard.child.end(10)
    heard.thread.join(10)
    assert not heard.thread.is_alive()
    assert heard.gone.is_set()


@pytest.mark.parametrize("nonsense", [b"dance\n{}", b"wish\n{}", b'wish\n{"models":{}}', b"wish\n[", b"\xff\n{}"])
def test_nonsense_ends_it_and_it_is_started_again(tmp_path, speaking, nonsense):
    heard = Heard(tmp_path, speaking(nonsense))
    heard.thread.start()
    assert heard.gone.wait(20)
    until(lambda: heard.child.problem and "started again" in heard.child.problem, "the problem", 20)
    heard.child.end(10)
    heard.thread.join(10)
    assert not heard.thread.is_alive()


class NoDescriptors:
    def start_life(self):
        raise OSError(24, "Too many open files")


def test_a_system_that_has_nothing_left_is_a_problem_and_no_end_of_the_line(tmp_path):
    heard = Heard(tmp_path, "nobody", NoDescriptors())
    heard.thread.start()
    until(lambda: heard.child.problem and "started again" in heard.child.problem, "the problem", 20)
    heard.child.end(10)
    heard.thread.join(10)
    assert not heard.thread.is_alive()
