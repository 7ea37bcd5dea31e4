"""A server as a process tree: how soon it answers, what memory it holds, what SIGTERM does to it."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOG_TAIL = 2000


class Server:
    """A command, from start() to end(); its output is in `log`."""

    def __init__(self, command: Sequence[str], log: Path, env: Mapping[str, str], folder: Path) -> None:
        self._command, self._env, self._folder = command, env, folder
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._seen: set[tuple[int, str]] = set()

    def start(self, answers: Callable[[], object], timeout_s: float = 120.0) -> float:
        """Seconds from exec to the first answer."""
        begun = time.monotonic()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self._env,
                cwd=self._folder,
                start_new_session=True,
            )
        while (error := _refusal(answers)) is not None:
            if self._process.poll() is not None:
                raise RuntimeError(f"ended with {self._process.returncode}: {self.tail()}") from error
            if time.monotonic() - begun > timeout_s:
                raise RuntimeError(f"no answer in {timeout_s} s: {error}; {self.tail()}") from error
            time.sleep(0.02)
        took = time.monotonic() - begun
        self.tree()
        return took

    def tail(self) -> str:
        return self.log.read_text(errors="replace")[-LOG_TAIL:]

    def tree(self) -> list[int]:
        """The process and everything below it."""
        assert self._process is not None
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, rest = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(rest[1]), []).append(pid)
        found = [self._process.pid]
        for pid in found:
            found += children.get(pid, [])
        self._seen |= {(pid, _started(pid)) for pid in found}
        return found

    def memory_mb(self) -> tuple[float, float]:
        """PSS and RSS of the tree."""
        pss = rss = 0.0
        for pid in self.tree():
            try:
                lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            values = {line.partition(":")[0]: line.split()[1] for line in lines if line.endswith("kB")}
            pss += int(values["Pss"]) / 1000
            rss += int(values["Rss"]) / 1000
        return pss, rss

    def cpu_s(self) -> float:
        spent = 0
        for pid in self.tree():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            spent += int(fields[11]) + int(fields[12])
        return spent / os.sysconf("SC_CLK_TCK")

    def terminate(self, answers: Callable[[], object], wait_s: float = 5.0) -> str:
        """SIGTERM to the main process alone, as a container's or a KillMode=process unit's end: what happens."""
        assert self._process is not None
        self.tree()
        begun = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        try:
            code: int | None = self._process.wait(30)
        except subprocess.TimeoutExpired:
            code = None
        took = time.monotonic() - begun
        while self._left() and time.monotonic() - begun < wait_s:
            time.sleep(0.05)
        said = "still runs after 30 s" if code is None else f"exit {code} in {took:.1f} s"
        if left := self._left():
            said += f", {len(left)} processes left"
            if _refusal(answers) is None:
                said += " THAT STILL ANSWER"
        self.end()
        return said

    def _left(self) -> list[int]:
        return [pid for pid, started in self._seen if started and _started(pid) == started]

    def end(self) -> None:
        """Whatever happened, nothing of it goes on."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self.tree()
        for pid in self._left():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait(10)


def _refusal(answers: Callable[[], object]) -> Exception | None:
    """Why there is no answer. A wrong one is an AssertionError, and raised."""
    try:
        answers()
    except AssertionError:
        raise
    except Exception as error:
        return error
    return None


def _started(pid: int) -> str:
    """When a process began, so that a number used again is not taken for it; empty where it is none, or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
