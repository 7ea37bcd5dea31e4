"""The process that waits: it runs nothing of the candidate's, and tells what became of the one that does.

The standard library only, about 7 MB. The other one is forked from it, so the two share what is in memory by then.
"""

import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance.examiner.beat import Beat
from appliance.examiner.failure import Reason, Stage
from appliance.examiner.task import Task
from appliance.link import Link

STOPPED, FAILED, GONE = 0, 1, 3
"""This process' exit codes; see the package."""
ENDS: Final = {40 + code: code for code in (STOPPED, FAILED, GONE)}
"""The other's, where it ended as it meant to: Python's own for a defect is 1, too."""
_LOOK_S: Final = 0.2
_STARTS_S: Final = 60.0
"""Until its first beat it may be silent for so much longer: libraries are read from a disk that others use."""
_LEAVES_S: Final = 1.0
_TELLS_S: Final = 5.0
_LINE_MAX: Final = 4096
_OUT_OF_MEMORY: Final = ("bad_alloc", "MemoryError", "Cannot allocate memory", "out of memory", "OOM when allocating")
_CHATTER: Final = ("I0000", "W0000", "INFO:", "WARNING: All log messages", "Fatal Python error", "Extension modules:")


class Watch:
    """Of one candidate's process. One thread."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._link = Link.inherited(task.link)
        self._stop = False
        self._beat = Beat(Stage.LOADING, task.patience_s + _STARTS_S)
        self._beaten_s = time.monotonic()
        self._said = b""
        """The end of what the candidate's process said on its standard error."""
        self._rest = b""
        self._limit_bytes: int | None = None
        self._is_nonsense = False

    def run(self) -> int:
        """Until the candidate's process has ended; this process' exit code."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is the line's affair
        signal.signal(signal.SIGTERM, self._on_term)
        parent = os.getpid()
        scratch = Path(tempfile.mkdtemp(prefix="examiner-"))
        beats, said = os.pipe(), os.pipe()
        try:
            pid = os.fork()
            if pid == 0:
                _become_candidate(self._task, parent, scratch, beats, said)
            os.close(beats[1])
            os.close(said[1])
            return self._watch(pid, beats[0], said[0])
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def _watch(self, pid: int, beats: int, said: int) -> int:
        process = os.pidfd_open(pid)
        link = socket.socket(fileno=os.dup(self._task.link))  # after the fork: the candidate has no such thing
        poll = select.poll()
        for descriptor, events in (
            (process, select.POLLIN),
            (beats, select.POLLIN),
            (said, select.POLLIN),
            (self._task.link, 0),
        ):
            poll.register(descriptor, events)
        while True:
            for descriptor, _ in poll.poll(_LOOK_S * 1000):
                if descriptor == process:
                    self._drain(beats, said)
                    return self._ended(os.waitpid(pid, 0)[1])
                if descriptor == self._task.link:
                    return _made_to_end(pid, GONE)
                if not self._read(descriptor, is_beat=descriptor == beats):
                    poll.unregister(descriptor)
            if self._stop or _is_told_to_stop(link):
                return self._stopped(pid, process)
            if (reason := self._too_much(pid)) is not None:
                _made_to_end(pid, FAILED)
                return self._failed(*reason)

    def _too_much(self, pid: int) -> tuple[Reason, str] | None:
        if self._is_nonsense:
            return Reason.CRASHED, "The candidate's process talks nonsense; something in it writes where it should not."
        silent_s = time.monotonic() - self._beaten_s
        if silent_s > self._beat.allowed_s:
            detail = (
                f"The candidate hangs: while {self._beat.stage.value} nothing was heard of it for {silent_s:.0f} s."
            )
            return Reason.HUNG, detail + " Look at the model's loops, and whether the box is too busy."
        held = _own_bytes(pid)
        if self._limit_bytes is not None and held > self._limit_bytes:
            return Reason.OOM, (
                f"The candidate took {held / 1e6:.0f} MB; resources.model_memory_mb allows "
                f"{self._limit_bytes / 1e6:.0f}. Make the model smaller, or raise it where the box has the memory."
            )
        return None

    def _ended(self, status: int) -> int:
        code = os.waitstatus_to_exitcode(status)
        if code in ENDS:
            return ENDS[code]
        last = self._last_words()
        after = f" after saying: {last}" if last else ""
        if any(words in last for words in _OUT_OF_MEMORY):
            return self._failed(Reason.OOM, f"The candidate ran out of memory{after}")
        if code == -signal.SIGKILL:
            return self._failed(
                Reason.OOM,
                "The candidate's process was killed, which the system does where memory runs out; "
                "look for 'oom' in `journalctl -k`, and make the model smaller or the box' memory larger.",
            )
        if code < 0:
            name = signal.Signals(-code).name
            return self._failed(Reason.CRASHED, f"The candidate ended its process by {name}{after or '.'}")
        return self._failed(Reason.CRASHED, f"The candidate's process ended with exit status {code}{after or '.'}")

    def _failed(self, reason: Reason, detail: str) -> int:
        body = {"stage": self._beat.stage.value, "reason": reason.value, "detail": detail[:1000], "report": None}
        end = time.monotonic() + _TELLS_S
        while not self._link.send("failed", body) and time.monotonic() < end:
            time.sleep(0.05)
        return FAILED

    def _stopped(self, pid: int, process: int) -> int:
        """It hears that itself, unless it is busy."""
        waiter = select.poll()
        waiter.register(process, select.POLLIN)
        if not self._stop:
            waiter.poll(_LEAVES_S * 1000)
        return _made_to_end(pid, STOPPED)

    def _drain(self, beats: int, said: int) -> None:
        for descriptor, is_beat in ((beats, True), (said, False)):
            os.set_blocking(descriptor, False)
            with suppress(BlockingIOError):
                while self._read(descriptor, is_beat=is_beat):
                    pass

    def _read(self, descriptor: int, *, is_beat: bool) -> bool:
        """False at its end. Raises: BlockingIOError where it does not wait, and nothing is there."""
        raw = os.read(descriptor, _LINE_MAX)
        if not raw:
            return False
        if not is_beat:
            sys.stderr.buffer.write(raw)
            sys.stderr.buffer.flush()
            self._said = (self._said + raw)[-_LINE_MAX:]
            return True
        *whole, self._rest = (self._rest + raw).split(b"\n")
        self._is_nonsense = self._is_nonsense or len(self._rest) > _LINE_MAX
        for line in whole[-1:]:
            self._take(line)
        return True

    def _take(self, line: bytes) -> None:
        try:
            self._beat = Beat.from_line(line)
        except ValueError:
            self._is_nonsense = True
            return
        self._limit_bytes = self._beat.limit_bytes or self._limit_bytes
        self._beaten_s = time.monotonic()

    def _last_words(self) -> str:
        lines = [line.strip() for line in self._said.decode(errors="replace").splitlines()]
        telling = [line for line in lines if line and not line.startswith(_CHATTER)]
        words = [line for line in telling if any(one in line for one in _OUT_OF_MEMORY)] or telling
        return words[-1][:500] if words else ""

    def _on_term(self, *_: object) -> None:
        self._stop = True


def _become_candidate(task: Task, parent: int, scratch: Path, beats: tuple[int, int], said: tuple[int, int]) -> None:
    """The other process' whole life; does not return."""
    code = 1
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.dup2(said[1], 2)
        os.dup2(said[1], 1)
        for descriptor in (*said, beats[0]):
            os.close(descriptor)
        os.environ["TMPDIR"] = tempfile.tempdir = str(scratch)
        # One thread, from the first import on: what comes before a second one is sealed with all that follow.
        os.environ |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
        from appliance.examiner.work import work

        code = 40 + work(task, parent, scratch, beats[1])
    except BaseException:  # noqa: BLE001 - a fork's end: nothing of the other's may run after it
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _is_told_to_stop(link: socket.socket) -> bool:
    """Look at what the candidate's process has not taken yet."""
    try:
        raw = link.recv(64, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return raw.startswith(b"stop\n")


def _made_to_end(pid: int, code: int) -> int:
    """Ended by now, and its children with it: they end when it does."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return code


def _own_bytes(pid: int) -> int:
    """Memory that is the process' own; 0 where it has ended."""
    try:
        resident, shared = (int(part) for part in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
    except (OSError, ValueError):
        return 0
    return (resident - shared) * resource.getpagesize()
