"""One file over a bad link, or from a server that means ill."""

import hashlib
import io

import pytest
from remote_servers import Blobs, Scripted, client, config

from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.remote.ranges import Fetcher

CONTENT = hashlib.shake_256(b"weights").digest(300_000)
SIZE = len(CONTENT)


class Pauses(list):
    def __call__(self, wait_s):
        self.append(wait_s)


def fetch(server, *, size=SIZE, here=b"", progress=None, range_bytes=65_536, window_s=60.0, **settings):
    """The bytes in the sink at the end, and those that progress was told of."""
    http = client(**settings)
    fetcher = Fetcher(http, config(**settings), range_bytes=range_bytes, window_s=window_s, pause=Pauses())
    sink = io.BytesIO(here)
    sink.seek(0, io.SEEK_END)
    came = []
    try:
        fetcher.fetch(f"{server.url}/blob", size, sink, progress or came.append)
    finally:
        http.close()
    return sink.getvalue(), sum(came)


def no_byte_twice(sent):
    end = 0
    for first, last in sorted(sent):
        assert first >= end
        end = last


def test_closed_ranges_over_one_connection():
    blobs = Blobs({"/blob": CONTENT})
    with Scripted(blobs) as server:
        assert fetch(server) == (CONTENT, SIZE)
        assert [request.range for request in server.requests] == [
            (0, 65535), (65536, 131071), (131072, 196607), (196608, 262143), (262144, 299999)
        ]  # fmt: skip
        assert server.connections == 1
    no_byte_twice(blobs.sent["/blob"])


def test_what_is_here_is_not_asked_for():
    blobs = Blobs({"/blob": CONTENT})
    with Scripted(blobs) as server:
        assert fetch(server, here=CONTENT[:100_000]) == (CONTENT, 200_000)
        assert blobs.sent["/blob"][0][0] == 100_000
        assert fetch(server, here=CONTENT) == (CONTENT, 0)


def test_server_that_ignores_ranges_is_read_once():
    def whole(request):
        return 200, {}, CONTENT

    with Scripted(whole) as server:
        assert fetch(server) == (CONTENT, SIZE)
        assert len(server.requests) == 1
        assert fetch(server, here=CONTENT[:100_000]) == (CONTENT, 200_000)
        assert len(server.requests) == 2


def test_chunked_answer_without_a_length():
    def chunked(request):
        body = b"".join(
            b"%x\r\n%s\r\n" % (len(part), part) for part in (CONTENT[:7], CONTENT[7:200_000], CONTENT[200_000:])
        )
        return 200, {"Transfer-Encoding": "chunked"}, body + b"0\r\n\r\n"

    with Scripted(chunked) as server:
        assert fetch(server) == (CONTENT, SIZE)


def test_server_that_cannot_do_ranges_and_says_416():
    def reply(request):
        return (416, {}, b"") if request.range else (200, {}, CONTENT)

    with Scripted(reply) as server:
        assert fetch(server, here=CONTENT[:10]) == (CONTENT, SIZE - 10)


def test_shorter_file_than_signed_is_refused():
    with Scripted(Blobs({"/blob": CONTENT[:100]})) as server:
        for here in (b"", CONTENT[:200]):
            with pytest.raises(Rejected, match="100 bytes, and 300000 were signed") as refused:
                fetch(server, here=here)
            assert refused.value.reason is Refusal.CONTENT


@pytest.mark.parametrize("ranges", [True, False])
def test_longer_file_than_signed_is_refused(ranges):
    blobs = Blobs({"/blob": CONTENT + b"more"})

    def reply(request):
        return blobs(request) if ranges else (200, {}, CONTENT + b"more")

    with Scripted(reply) as server, pytest.raises(Rejected, match="300004 bytes where 300000") as refused:
        fetch(server)
    assert refused.value.reason is Refusal.TOO_LARGE


@pytest.mark.parametrize("status", [200, 206])
def test_endless_body_is_left_after_what_was_signed(status):
    sent = []

    def endless(request):
        head = f"HTTP/1.1 {status} OK\r\nContent-Range: bytes 0-65535/*\r\nTransfer-Encoding: chunked\r\n\r\n"
        request.handler.wfile.write(head.encode())
        block = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        while True:  # until the client goes away
            request.handler.wfile.write(block)
            sent.append(65_536)

    with Scripted(endless) as server:
        with pytest.raises((Rejected, Unavailable)):
            fetch(server, size=100_000)
        assert sum(sent) < 20_000_000


def test_cut_answers_go_on_where_they_ended():
    asked = []

    def cut(request):
        first, last = request.range
        asked.append(first)
        body = CONTENT[first : last + 1]
        head = (
            f"HTTP/1.1 206 Partial\r\nContent-Range: bytes {first}-{last}/{SIZE}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        request.handler.wfile.write(head.encode() + body[:10_000])

    with Scripted(cut) as server:
        assert fetch(server) == (CONTENT, SIZE)
    assert asked == list(range(0, SIZE, 10_000))


def test_server_that_never_gives_a_byte_is_given_up():
    def nothing(request):
        request.handler.wfile.write(
            b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-65535/300000\r\nContent-Length: 65536\r\n\r\n"
        )

    with Scripted(nothing) as server:
        with pytest.raises(Unavailable, match="closed the connection in the middle"):
            fetch(server)
        assert len(server.requests) == 5


def test_silent_server_is_left_after_the_timeout():
    def silent(request):
        request.handler.wfile.write(
            b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-65535/300000\r\nContent-Length: 65536\r\n\r\n"
        )
        server.ending.wait(10)

    with Scripted(silent) as server, pytest.raises(Unavailable, match=r"silent for longer than delivery\.timeout_s"):
        fetch(server, timeout_s=0.1)


def test_stalled_download_can_be_canceled():
    class Canceled(Exception):
        pass

    def stalls(request):
        request.handler.wfile.write(
            b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-65535/300000\r\nContent-Length: 65536\r\n\r\nabc"
        )
        server.ending.wait(10)

    def progress(count):
        if count == 0:
            raise Canceled

    with Scripted(stalls) as server, pytest.raises(Canceled):
        fetch(server, progress=progress, timeout_s=30)


def test_slow_blob_is_refused():
    def trickle(request):
        request.handler.wfile.write(
            b"HTTP/1.1 206 Partial\r\nContent-Range: bytes 0-65535/300000\r\nContent-Length: 65536\r\n\r\n"
        )
        while not server.ending.wait(0.02):
            request.handler.wfile.write(b"x")

    with Scripted(trickle) as server:
        with pytest.raises(Rejected, match=r"delivery\.min_rate_kb_s") as refused:
            fetch(server, min_rate_kb_s=10, window_s=0.3)
        assert refused.value.reason is Refusal.TOO_SLOW
        with pytest.raises(Rejected, match=r"delivery\.download_max_s") as refused:
            fetch(server, download_max_s=0.3)
        assert refused.value.reason is Refusal.TOO_SLOW


def test_busy_server_is_left_alone_as_it_asks():
    with Scripted(lambda request: (429, {"Retry-After": "120"}, b"slow down")) as server:
        with pytest.raises(Unavailable, match="busy and asks to come back in 120 s") as busy:
            fetch(server)
        assert busy.value.retry_after_s == 120
        assert len(server.requests) == 1


def test_hiccup_of_a_proxy_is_tried_again():
    blobs = Blobs({"/blob": CONTENT})
    with Scripted(lambda request: (502, {}, b"") if len(server.requests) in {1, 3} else blobs(request)) as server:
        assert fetch(server) == (CONTENT, SIZE)


@pytest.mark.parametrize(("first", "last"), [(5, 65540), (5, 65535), (0, 70_000)])
def test_wrong_part_is_not_taken(first, last):
    blobs = Blobs({"/blob": CONTENT})

    def other(request):
        if request.range[0]:
            return blobs(request)
        return 206, {"Content-Range": f"bytes {first}-{last}/{SIZE}"}, CONTENT[first : last + 1]

    with Scripted(other) as server, pytest.raises(Unavailable, match="another part than was asked for"):
        fetch(server)


def test_empty_file_needs_no_request():
    with Scripted(Blobs({})) as server:
        assert fetch(server, size=0) == (b"", 0)
        assert server.requests == []
