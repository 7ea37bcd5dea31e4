"""The options of `appliance serve`. Imports nothing heavy: --help answers at once."""

import argparse
import os
import sys
from importlib import metadata
from typing import Final

from appliance import __version__, log
from appliance.errors import ApplianceError
from appliance.serve.flag import add_flags
from appliance.serve.flags import FLAGS, GROUPS

_LIKE: Final = "2.20.0"
"""The newest TensorFlow Serving whose behaviour this follows."""
_EXAMPLES: Final = """examples:
  appliance serve --model_name=half_plus_two --model_base_path=/models/half_plus_two --rest_api_port=8501
  appliance serve --model_config_file=/models/models.config --model_config_file_poll_wait_seconds=30
  appliance serve --model_base_path /models/surface --port -1 --bind_address 127.0.0.1
                                                        on any free port, for this machine only
  appliance serve --model_base_path=/models/surface --enable_batching --batching_parameters_file=batching.config

Every flag of tensorflow_model_server is known, under its own name. --flag=value and --flag value are the same; a
boolean may stand alone. The ports open when every model has a version that serves. SIGTERM: requests under way are
answered, models unloaded. SIGHUP: --model_config_file is read again.
Exit code 0: told to stop; 1: it could not start, and the sentence says why; 2: wrong usage.
"""


def add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Let the command line know it."""
    serve = commands.add_parser(
        "serve",
        help="serve models as tensorflow_model_server does, with its flags",
        description="TensorFlow Serving's gRPC and REST APIs over models of a folder: a model server without a line.",
        usage="appliance serve (--model_base_path=FOLDER | --model_config_file=FILE) [--FLAG=VALUE ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog=_EXAMPLES,
        allow_abbrev=False,
    )
    add_flags(serve, GROUPS)
    serve.set_defaults(command=_serve)


def _serve(options: argparse.Namespace) -> int:
    given = {name: value for name, value in vars(options).items() if name in FLAGS}
    if given.get("version"):
        sys.stdout.write(
            f"TensorFlow ModelServer: {_LIKE}, as spoken by appliance {__version__}\n"
            f"TensorFlow Library: {metadata.version('tensorflow')}\n"
        )
        return 0
    log.setup()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # TensorFlow's own lines: errors only
    from appliance.serve.failure import told
    from appliance.serve.program import ModelServer

    try:
        return ModelServer(given).run()
    except ApplianceError as error:
        sys.stderr.write(f"Failed to start server. Error: {told(error)}\n")
        return 1
