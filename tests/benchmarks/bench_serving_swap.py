"""Versions that come and go while clients ask: of `appliance serve`, and of MLServer, the one peer that can swap.

Part of bench_serving.py; alone: `python tests/benchmarks/bench_serving.py --parts swap --only ours mlserver`.
"""

import argparse
import http.client
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))

import grpc
from benchmarks.peers import question as q
from benchmarks.peers.contenders import CONTENDERS, Running, model_config, serve_command
from benchmarks.peers.figures import Bars, Point, point
from benchmarks.peers.load import Clients, Job, Record
from benchmarks.peers.models import QUIET, BenchModel
from benchmarks.peers.process import Server
from running import free_port

from appliance.protos import message, parse_text

CLIENTS = 2
QUIET_S = 8.0
AFTER_S = 2.0
LIMIT_S = 120.0
AVAILABLE, END = 30, 50
REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Stretch:
    """Before something happened, and while it did."""

    what: str
    before: Point
    during: Point
    took_s: float


@dataclass(frozen=True)
class Soak:
    swaps: int
    failed: int
    took_s: float
    rss_mb: dict[int, float]


def swapping(
    model: BenchModel, small: BenchModel, options: argparse.Namespace, clients: Clients, bars: Bars
) -> list[Stretch | Soak]:
    print(f"\n{CLIENTS} clients ask the latest version of the {model.name} meanwhile, all figures in ms")
    heads = "".join(f" {'p50':>8} {'p99':>8} {'longest':>8}" for _ in range(2))
    print(f"{'':<44}{heads} {'failed':>7} {'took s':>7}   p50, p99, longest gap: before, then during")
    found: list[Stretch | Soak] = []
    if "ours" in options.only:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            found += _ours(model, small, options, clients, Path(scratch), bars)
    if "mlserver" in options.only:
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            found.append(_mlserver(model, clients, Path(scratch)))
    print("litserve, bentoml, pytriton and flask change a version by a restart: see their start")
    return found


def _ours(
    model: BenchModel,
    small: BenchModel,
    options: argparse.Namespace,
    clients: Clients,
    folder: Path,
    bars: Bars,
) -> list[Stretch | Soak]:
    base, beside = folder / "models" / model.name, folder / "models" / "beside"
    shutil.copytree(model.base / "1", base / "1")
    shutil.copytree(model.base / "1", beside / "1")
    (beside / "1" / "note.txt").write_text("another model")
    running = _serve(replace(model, base=base), folder)
    with ExitStack() as stack:
        stack.callback(running.server.end)
        running.start()
        status = _Status(running.job.port, model.name)
        stack.callback(status.close)
        quiet = _stretch("nothing", clients, running.job, lambda: time.sleep(QUIET_S))
        _row(quiet)
        swap = _stretch(
            "version 2 comes, version 1 goes", clients, running.job, lambda: _publish(base, 2, status.is_settled)
        )
        _row(swap)
        more = model_config([(model.name, base), ("beside", beside)])
        load = _stretch("another model is loaded", clients, running.job, lambda: _reload(running.job.port, more))
        _row(load)
        bars.at_most("swap: failed requests", swap.during.errors, 0)
        bars.at_most("swap: longest time without an answer", swap.during.gap_ms, 50.0, " ms")
        bars.at_most("swap: p99 during / before", swap.during.p99_ms / swap.before.p99_ms, 1.5)
        bars.at_most("load of another model: p99 during / before", load.during.p99_ms / load.before.p99_ms, 1.5)
        running.server.end()
        status.close()
        soak = _soak(small, folder, options.swaps, clients)
        bars.at_most(f"{soak.swaps} swaps: failed requests", soak.failed, 0)
        sizes = list(soak.rss_mb.values())
        if len(sizes) > 1:
            bars.at_most(f"{soak.swaps} swaps: RSS at the end / after the first tenth", sizes[-1] / sizes[0], 1.05)
    return [quiet, swap, load, soak]


def _serve(model: BenchModel, folder: Path) -> Running:
    config, grpc_port = folder / "models.config", free_port()
    config.write_text(model_config([(model.name, model.base)]))
    asked = q.tfs_grpc(model)
    more = ("--file_system_poll_wait_seconds=1",)
    command = serve_command(config, "tensorflow-saved-model", grpc_port, free_port(), *more)
    env = os.environ | QUIET | {"PYTHONPATH": str(REPOSITORY)}
    server = Server(command, folder / "server.log", env, folder)
    return Running(server, Job(True, grpc_port, asked.path, asked.body), asked, model.y)


def _stretch(what: str, clients: Clients, job: Job, happens: Callable[[], None]) -> Stretch:
    clients.start(job, CLIENTS)
    begun_s = time.monotonic()
    time.sleep(QUIET_S)
    from_s = time.monotonic()
    happens()
    until_s = time.monotonic()
    time.sleep(AFTER_S)
    records = clients.stop()
    for record in records:
        for error in record.errors[:1]:
            print(f"  failed: {error}")
    if job.path == q.PREDICT and _went_back(records):
        print("  a client was answered by an older version than before")
    return Stretch(what, point(records, begun_s, from_s), point(records, from_s, until_s), until_s - from_s)


def _row(stretch: Stretch) -> None:
    cells = "".join(f" {p.p50_ms:>8.2f} {p.p99_ms:>8.2f} {p.gap_ms:>8.1f}" for p in (stretch.before, stretch.during))
    failed = stretch.before.errors + stretch.during.errors
    print(f"{stretch.what:<44}{cells} {failed:>7} {stretch.took_s:>7.1f}", flush=True)


def _publish(base: Path, version: int, is_settled: Callable[[int], bool]) -> None:
    """A copy of the version before with another content, under its number in one step; returns when it alone serves."""
    staging = base.parent / f"staging-{base.name}"
    shutil.copytree(base / str(version - 1), staging)
    (staging / "note.txt").write_text(str(version))
    staging.rename(base / str(version))
    limit_s = time.monotonic() + LIMIT_S
    while not is_settled(version):
        if time.monotonic() > limit_s:
            raise RuntimeError(f"version {version} did not come within {LIMIT_S} s")
        time.sleep(0.05)


class _Status:
    """Whether a version serves, and no other is left: asked so that it costs the server next to nothing."""

    def __init__(self, port: int, name: str) -> None:
        self._request = message("tensorflow.serving.GetModelStatusRequest")()
        self._request.model_spec.name = name
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._call = self._channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")

    def is_settled(self, version: int) -> bool:
        answer = self._call(self._request.SerializeToString(), timeout=LIMIT_S)
        told = message("tensorflow.serving.GetModelStatusResponse").FromString(answer).model_version_status
        alive = {each.version: each.state for each in told if each.state != END}
        return alive == {version: AVAILABLE}

    def close(self) -> None:
        self._channel.close()


def _reload(port: int, config: str) -> None:
    """Returns when the models of the new configuration are there."""
    request = message("tensorflow.serving.ReloadConfigRequest")()
    request.config.CopyFrom(parse_text("tensorflow.serving.ModelServerConfig", config))
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/tensorflow.serving.ModelService/HandleReloadConfigRequest")
        answer = message("tensorflow.serving.ReloadConfigResponse").FromString(
            call(request.SerializeToString(), timeout=LIMIT_S)
        )
    if answer.status.error_code:
        raise RuntimeError(answer.status.error_message)


def _soak(model: BenchModel, folder: Path, swaps: int, clients: Clients) -> Soak:
    """One version after the other, and the one before the last goes from the disk."""
    base = folder / "models" / model.name
    shutil.copytree(model.base / "1", base / "1")
    running = _serve(replace(model, base=base), folder)
    status = _Status(running.job.port, model.name)
    sizes: dict[int, float] = {}
    try:
        running.start()
        clients.start(running.job, CLIENTS)
        begun_s = time.monotonic()
        for version in range(2, swaps + 2):
            _publish(base, version, status.is_settled)
            shutil.rmtree(base / str(version - 2), ignore_errors=True)
            if (version - 1) % max(1, swaps // 10) == 0:
                sizes[version - 1] = running.server.memory_mb()[1]
        took_s = time.monotonic() - begun_s
        records = clients.stop()
    finally:
        status.close()
        running.server.end()
    whole = point(records)
    print(
        f"{swaps} swaps of the {model.name} model in {took_s:.0f} s: {whole.count} answers, {whole.errors} failed, "
        f"{_went_back(records)} went back to an older version, p99 {whole.p99_ms:.1f}, longest gap {whole.gap_ms:.0f}"
    )
    print("  RSS in MB after so many: " + ", ".join(f"{done}: {size:.0f}" for done, size in sizes.items()), flush=True)
    return Soak(swaps, whole.errors + _went_back(records), took_s, sizes)


def _went_back(records: Sequence[Record]) -> int:
    """How often a client was answered by an older version than just before."""
    versions = [[q.version_in(answer) for answer in record.answers] for record in records]
    return sum(later < earlier for each in versions for earlier, later in pairwise(each))


def _mlserver(model: BenchModel, clients: Clients, folder: Path) -> Stretch:
    contender = next(one for one in CONTENDERS if one.name == "mlserver")
    running = contender.build(model, folder)
    http_port = json.loads((folder / "settings.json").read_text())["http_port"]
    with ExitStack() as stack:
        stack.callback(running.server.end)
        running.start()
        stretch = _stretch(
            "mlserver: version 2 by its repository API",
            clients,
            running.job,
            lambda: _load_in_mlserver(model.name, folder, http_port),
        )
    _row(stretch)
    return stretch


def _load_in_mlserver(name: str, folder: Path, port: int) -> None:
    settings = json.loads((folder / name / "model-settings.json").read_text())
    settings["parameters"]["version"] = "2"
    (folder / f"{name}-2").mkdir()
    (folder / f"{name}-2" / "model-settings.json").write_text(json.dumps(settings))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    connection.request("POST", f"/v2/repository/models/{name}/load")
    status = connection.getresponse().status
    connection.close()
    if status != 200:
        raise RuntimeError(f"MLServer answered {status}")
