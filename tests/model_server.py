"""`appliance serve` as a child process, with small models of its own: what the clients' tests stand on."""

import atexit
import re
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from exporting import export
from running import until

MAKER = Path(__file__).parent / "clients" / "make_models.py"
CONFIG = """# Changed by tests.
model_config_list {{
  config {{
    name: "half_plus"
    base_path: "{folder}/half_plus"
    model_platform: "tensorflow"
    model_version_policy {{ all {{}} }}
    version_labels {{ key: "stable" value: 1 }}  # the proven one
  }}
{others}}}
"""
OTHER = '  config {{ name: "{name}" base_path: "{folder}/{name}" model_platform: "tensorflow" }}\n'
OTHERS = ("colours", "jpeg_colours", "dense", "slow", "lengths")


@cache
def models() -> Path:
    """The folder of SavedModels that clients/make_models.py writes: once for all tests, by a process of its own."""
    folder = Path(tempfile.mkdtemp(prefix="appliance-clients-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return export(MAKER, folder)


def config_text(folder: Path, others: tuple[str, ...] = OTHERS) -> str:
    """A ModelServerConfig with two versions of half_plus, and `others` beside it."""
    listed = "".join(OTHER.format(name=name, folder=folder) for name in others)
    return CONFIG.format(folder=folder, others=listed)


class ModelServer:
    """`appliance serve` on free ports of loopback. It is ended by end()."""

    def __init__(self, folder: Path, *flags: str, config: str | None = None) -> None:
        """`config`: another ModelServerConfig than config_text()'s."""
        self.config_file = folder / "models.config"
        self.config_file.write_text(config_text(models()) if config is None else config)
        self.log_file = folder / "serve.log"
        command = [sys.executable, "-m", "appliance.cli", "serve", f"--model_config_file={self.config_file}"]
        ports = ("--port=-1", "--rest_api_port=-1", "--bind_address=127.0.0.1")
        labels = "--allow_version_labels_for_unavailable_models"  # in the first configuration no version serves yet
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [*command, *ports, labels, *flags], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        self.grpc_port = self._printed(r"gRPC ModelServer at [\d.]+:(\d+)")
        self.rest_port = self._printed(r"REST API at:\S*?:(\d+)")

    @property
    def server(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(40)

    def _printed(self, pattern: str) -> int:
        def found():
            assert self.process.poll() is None, self.log()
            return re.search(pattern, self.log())

        try:
            return int(until(found, f"{pattern} in the log", 60)[1])
        except AssertionError:
            self.process.kill()
            raise
