"""Client processes that ask in a closed loop: one connection each, bytes prepared beforehand."""

import http.client
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

WARM_UP = 3
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Job:
    """Ask until `stop` comes: each client in its own process."""

    is_grpc: bool
    port: int
    path: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class Record:
    """Of one client: when each answer had come (monotonic, s), how long it took, which of `answers` it was."""

    ended_s: np.ndarray
    took_s: np.ndarray
    which: np.ndarray
    """-1: an error."""
    answers: list[bytes]
    errors: list[str]
    cpu_s: float
    """What the client itself spent: it shares the processors with the server."""


class Clients:
    """Up to `count` of them; started once, and used for every contender."""

    def __init__(self, count: int) -> None:
        context = get_context("spawn")
        self._pipes: list[Connection] = []
        self._processes = []
        for _ in range(count):
            ours, theirs = context.Pipe()
            process = context.Process(target=_client, args=(theirs,), daemon=True)
            process.start()
            self._pipes.append(ours)
            self._processes.append(process)
        self._busy: list[Connection] = []

    def start(self, job: Job, count: int) -> None:
        """Returns when all have connected, warmed up and begun."""
        self._busy = self._pipes[:count]
        for pipe in self._busy:
            pipe.send(job)
        for pipe in self._busy:
            ready = pipe.recv()
            if ready is not None:
                raise RuntimeError(ready)
        for pipe in self._busy:
            pipe.send("go")

    def stop(self) -> list[Record]:
        for pipe in self._busy:
            pipe.send("stop")
        return [pipe.recv() for pipe in self._busy]

    def run(self, job: Job, count: int, seconds: float) -> list[Record]:
        self.start(job, count)
        time.sleep(seconds)
        return self.stop()

    def close(self) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            with suppress(OSError):
                pipe.send(None)
            process.join(5)
            if process.is_alive():
                process.kill()


def ask_once(job: Job) -> bytes:
    """Raises: OSError, http.client.HTTPException, grpc.RpcError."""
    ask, close = opened(job, 10.0)
    try:
        return ask()
    finally:
        close()


def opened(job: Job, timeout_s: float = TIMEOUT_S) -> tuple[Callable[[], bytes], Callable[[], None]]:
    """A connection: what asks, and what closes it."""
    if job.is_grpc:
        import grpc

        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        channel = grpc.insecure_channel(f"127.0.0.1:{job.port}", options=options)
        call: Any = channel.unary_unary(job.path)
        return (lambda: call(job.body, timeout=timeout_s)), channel.close
    connection = http.client.HTTPConnection("127.0.0.1", job.port, timeout=timeout_s)
    headers = dict(job.headers)

    def post() -> bytes:
        try:
            connection.request("POST", job.path, job.body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if answer.status != 200:
            raise http.client.HTTPException(f"{answer.status} {content[:200]!r}")
        return content

    return post, connection.close


def _client(pipe: Connection) -> None:
    while (job := pipe.recv()) is not None:
        ask, close = opened(job)
        try:
            for _ in range(WARM_UP):
                ask()
        except Exception as error:
            pipe.send(f"no answer: {error}")
            close()
            continue
        pipe.send(None)
        pipe.recv()
        pipe.send(_loop(ask, pipe))
        close()


def _loop(ask: Callable[[], bytes], pipe: Connection) -> Record:
    ended, took, which, errors = [], [], [], []
    answers: list[bytes] = []
    spent_s = time.process_time()
    while not pipe.poll():
        begun = time.monotonic()
        try:
            answer = ask()
        except Exception as error:
            errors.append(str(error)[:300])
            number = -1
        else:
            if not answers or answer != answers[-1]:
                answers.append(answer)
            number = len(answers) - 1
        now = time.monotonic()
        ended.append(now)
        took.append(now - begun)
        which.append(number)
    spent_s = time.process_time() - spent_s
    pipe.recv()
    return Record(np.array(ended), np.array(took), np.array(which, int), answers[:1000], errors[:20], spent_s)
