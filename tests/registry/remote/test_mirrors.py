"""Several places: who is asked, and how often."""

import hashlib
import io

import pytest

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote.mirrors import Mirrored
from appliance.registry.remote.protocol import Listing, RemoteFile, Seen

CONTENT = b"weights" * 1000
FILE = RemoteFile("saved_model.pb", len(CONTENT), hashlib.sha256(CONTENT).hexdigest(), "key")
SEEN = Seen("sha256:1", "there")


class Place:
    """A Remote in memory: gives `content`, `cut` bytes of it before it breaks, or `error` on all."""

    def __init__(self, content=CONTENT, cut=None, error=None):
        self.content = content
        self.cut = cut
        self.error = error
        self.asked = []
        self.given = 0

    def answer(self, what, value):
        self.asked.append(what)
        if self.error is not None:
            raise self.error
        return value

    def look(self):
        return self.answer("look", SEEN)

    def list(self, seen):
        return self.answer("list", Listing(seen, (FILE,)))

    def read(self, file, max_bytes):
        return self.answer("read", self.content)

    def fetch(self, file, size, sink, progress):
        self.answer("fetch", None)
        part = self.content[sink.tell() : self.cut]
        sink.write(part)
        self.given += len(part)
        progress(len(part))
        if self.cut is not None:
            raise Unavailable("cut")

    def close(self):
        self.asked.append("close")


class AppendOnly(io.BytesIO):
    """As a file that is opened to be appended to."""

    def readable(self):
        return False


def fetched(remote, sink=None):
    sink = sink or AppendOnly()
    remote.fetch(FILE, FILE.size, sink, lambda _count: None)
    return sink.getvalue()


def mirrored(*places):
    return Mirrored([(f"mirror {number}", place) for number, place in enumerate(places)])


def test_mirror_that_is_down_is_asked_once_between_looks():
    dead, source = Place(error=Unavailable("down")), Place()
    remote = mirrored(dead, source)
    for _ in range(2):
        remote.list(remote.look())
        remote.read(FILE, 10_000)
        assert fetched(remote) == CONTENT
    assert dead.asked == ["look", "look"]


def test_part_of_a_mirror_is_kept():
    broken, source = Place(cut=5000), Place()
    assert fetched(mirrored(broken, source)) == CONTENT
    assert (broken.given, source.given) == (5000, 2000)


@pytest.mark.parametrize("cut", [None, 5000])
def test_wrong_bytes_of_a_mirror_are_thrown_away(cut):
    corrupt, source = Place(content=b"W" + CONTENT[1:], cut=cut), Place()
    assert fetched(mirrored(corrupt, source)) == CONTENT
    assert corrupt.given


def test_who_asks_again_gets_the_sources():
    """What was here before cannot be read by us: the caller finds out, and comes again."""
    mirror, source = Place(), Place()
    remote = mirrored(mirror, source)
    half = AppendOnly(b"X" * 10)
    half.seek(10)
    assert fetched(remote, half) != CONTENT
    assert fetched(remote) == CONTENT
    assert (mirror.asked, source.asked) == (["fetch"], ["fetch"])


def test_sources_error_is_the_one_that_counts():
    refused = Rejected(Refusal.TOO_LARGE, "source")
    with pytest.raises(Rejected, match="source"):
        mirrored(Place(error=Unavailable("mirror")), Place(error=refused)).look()


def test_cancel_is_no_failure_of_a_mirror():
    class Canceled(Exception):
        pass

    def cancel(_count):
        raise Canceled

    mirror, source = Place(), Place()
    with pytest.raises(Canceled):
        mirrored(mirror, source).fetch(FILE, FILE.size, AppendOnly(), cancel)
    assert source.asked == []
