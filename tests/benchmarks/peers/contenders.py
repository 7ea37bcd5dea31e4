"""Everyone who is measured: how it is started, and what it is asked."""

import json
import os
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.peers import question as q
from benchmarks.peers.environments import CACHE, python_of
from benchmarks.peers.load import Job, ask_once
from benchmarks.peers.models import QUIET, BenchModel
from benchmarks.peers.process import Server
from running import free_port

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]


@dataclass
class Running:
    """A server, and the job that its clients are given."""

    server: Server
    job: Job
    question: q.Question
    y: np.ndarray

    def start(self) -> float:
        return self.server.start(self.check)

    def check(self) -> None:
        """The answer is right, not only there."""
        np.testing.assert_allclose(self.question.read(ask_once(self.job)).ravel(), self.y.ravel(), rtol=0.01, atol=1e-3)


@dataclass(frozen=True)
class Contender:
    """`how`: protocol and call, for the table. `counts`: whether it is one of the peers that the bars are about."""

    name: str
    how: str
    build: Callable[[BenchModel, Path], Running]
    is_ours: bool = False
    counts: bool = True


def _running(
    command: Sequence[str],
    port: int,
    asked: q.Question,
    model: BenchModel,
    folder: Path,
    environment: dict[str, str] | None = None,
) -> Running:
    shape = ",".join(map(str, model.x.shape))
    env = os.environ | QUIET | {"BENCH_SHAPE": shape, "BENCH_MODEL": str(model.base / "1"), "HOME": str(folder)}
    server = Server(command, folder / "server.log", env | (environment or {}), folder)
    job = Job(asked.is_grpc, port, asked.path, asked.body, asked.headers)
    return Running(server, job, asked, model.y)


def ours(engine: str, ask: Callable[[BenchModel], q.Question], *flags: str) -> Callable[[BenchModel, Path], Running]:
    def build(model: BenchModel, folder: Path) -> Running:
        config = folder / "models.config"
        config.write_text(model_config([(model.name, model.base)]))
        asked = ask(model)
        grpc_port, rest_port = free_port(), free_port()
        command = serve_command(config, engine, grpc_port, rest_port, *flags)
        return _running(
            command, grpc_port if asked.is_grpc else rest_port, asked, model, folder, {"PYTHONPATH": str(REPOSITORY)}
        )

    return build


def model_config(models: Sequence[tuple[str, Path]]) -> str:
    configs = (f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" }}' for name, base in models)
    return f"model_config_list {{ {' '.join(configs)} }}"


def serve_command(config: Path, engine: str, grpc_port: int, rest_port: int, *more: str) -> list[str]:
    return [
        *(sys.executable, "-m", "appliance.cli", "serve", "--bind_address=127.0.0.1"),
        f"--port={grpc_port}",
        f"--rest_api_port={rest_port}",
        f"--model_config_file={config}",
        f"--engines={engine}",
        f"--prepared_folder={CACHE / 'prepared'}",
        *more,
    ]


def _flask(way: str) -> Callable[[BenchModel, Path], Running]:
    def build(model: BenchModel, folder: Path) -> Running:
        port = free_port()
        file = model.keras_file if way == "model" else model.base / "1"
        command = [str(python_of("flask")), str(HERE / "serve_flask.py"), str(port), way, str(file)]
        return _running(command, port, q.raw(model), model, folder)

    return build


def _litserve(model: BenchModel, folder: Path) -> Running:
    port = free_port()
    command = [str(python_of("litserve")), str(HERE / "serve_litserve.py"), str(port), str(model.base / "1")]
    return _running(command, port, q.base64_json(model), model, folder)


def _bentoml(model: BenchModel, folder: Path) -> Running:
    port = free_port()
    program = python_of("bentoml").with_name("bentoml")
    command = [str(program), "serve", "serve_bentoml:Model", "--port", str(port), "--host", "127.0.0.1"]
    command += ["--working-dir", str(HERE)]
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return _running(command, port, q.base64_json(model), model, folder, quiet)


def mlserver_folder(model: BenchModel, folder: Path, http_port: int, grpc_port: int) -> None:
    """One worker in the server's own process: with its default it does not start with this uvloop."""
    settings = {"host": "127.0.0.1", "http_port": http_port, "grpc_port": grpc_port, "metrics_port": free_port()}
    (folder / "settings.json").write_text(json.dumps(settings | {"parallel_workers": 0, "debug": False}))
    one = {"name": model.name, "implementation": "serve_mlserver.SavedModel"}
    one["parameters"] = {"uri": str(model.base / "1"), "version": "1"}
    (folder / model.name).mkdir()
    (folder / model.name / "model-settings.json").write_text(json.dumps(one))


def _mlserver(model: BenchModel, folder: Path) -> Running:
    http_port, grpc_port = free_port(), free_port()
    mlserver_folder(model, folder, http_port, grpc_port)
    program = python_of("mlserver").with_name("mlserver")
    command = [str(program), "start", str(folder)]
    return _running(command, grpc_port, q.oip_grpc(model), model, folder, {"PYTHONPATH": str(HERE)})


def _pytriton(model: BenchModel, folder: Path) -> Running:
    http_port, grpc_port = free_port(), free_port()
    command = [str(python_of("pytriton")), str(HERE / "serve_pytriton.py"), str(http_port), str(grpc_port)]
    command += [str(model.base / "1"), model.name, str(model.y.shape[1])]
    library = {"LD_LIBRARY_PATH": str(sysconfig.get_config_var("LIBDIR"))}  # its stub takes any libpython it finds
    return _running(command, grpc_port, q.oip_grpc(model), model, folder, library)


CONTENDERS = (
    Contender("ours", "gRPC, SavedModel", ours("tensorflow-saved-model", q.tfs_grpc), is_ours=True),
    Contender(
        "ours-all-threads",
        "gRPC, SavedModel, a thread a processor",
        ours("tensorflow-saved-model", q.tfs_grpc, "--tensorflow_intra_op_parallelism=-1"),
        is_ours=True,
    ),
    Contender("ours-frozen", "gRPC, frozen graph", ours("tensorflow-frozen", q.tfs_grpc), is_ours=True),
    Contender("ours-litert", "gRPC, LiteRT", ours("litert", q.tfs_grpc), is_ours=True),
    Contender("ours-rest", "REST instances, SavedModel", ours("tensorflow-saved-model", q.tfs_rest), is_ours=True),
    Contender("ours-jpeg", "REST JPEG body, SavedModel", ours("tensorflow-saved-model", q.jpeg_rest), is_ours=True),
    Contender("flask", "raw body, model(x), its own server", _flask("model")),
    Contender("flask-signature", "raw body, signature, waitress", _flask("signature"), counts=False),
    Contender("litserve", "JSON base64, signature", _litserve),
    Contender("mlserver", "OIP gRPC raw, signature", _mlserver),
    Contender("bentoml", "JSON base64, signature", _bentoml),
    Contender("pytriton", "OIP gRPC raw, signature", _pytriton),
)
