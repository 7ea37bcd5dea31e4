"""One `appliance serve` for all that is thrown at it; in the end it has to be the same process, and no bigger."""

from pathlib import Path

import pytest
from exporting import export
from serve.served import Server, model_list, one_model, publish

_SERVE = Path(__file__).parents[1] / "serve"


class Target:
    """The server, and how large it was when nobody had asked anything."""

    def __init__(self, server):
        self.server = server
        self.url = f"http://127.0.0.1:{server.rest_port}"
        self.grpc = f"127.0.0.1:{server.grpc_port}"
        self.pid = server.process.pid

    def peak_bytes(self):
        return self._status("VmHWM")

    def forget_peak(self):
        """From now on peak_bytes() is the peak since now; returns what is resident."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self._status("VmRSS")

    def is_well(self):
        """Alive, and right."""
        if self.server.process.poll() is not None:
            return False
        return self.server.get("/v1/models/two:predict", {"instances": [2.0]}) == (
            200,
            '{\n    "predictions": [3.0\n    ]\n}',
        )

    def _status(self, what):
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(what)).split()[1]) * 1024


@pytest.fixture(scope="session")
def fuzz_models(tmp_path_factory):
    return export(_SERVE / "make_models.py", tmp_path_factory.mktemp("fuzz-models"))


@pytest.fixture(scope="session")
def target(fuzz_models, tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz")
    publish(fuzz_models / "plus_2", folder / "two", 1)
    publish(fuzz_models / "counter", folder / "counter", 1)
    config = folder / "models.config"
    config.write_text(model_list(one_model("two", folder / "two"), one_model("counter", folder / "counter")))
    server = Server(folder).start(f"--model_config_file={config}").up()
    yield Target(server)
    server.end()
