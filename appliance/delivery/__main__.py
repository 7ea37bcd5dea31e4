"""`python -m appliance.delivery`: started by the line, not by people."""

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from appliance import log
from appliance.config import load_config
from appliance.delivery.candidate import Frames
from appliance.delivery.process import Delivery, stand_back
from appliance.errors import ApplianceError
from appliance.link import Link

logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: the line ended it. 1: it cannot work, or failed; the reason is in the log, and the line starts it again."""
    parser = argparse.ArgumentParser(description="The appliance's delivery process; the line starts it.")
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--link", type=int, required=True, help="descriptor of our end of the socket pair")
    parser.add_argument("--frames-memory", type=int, help="descriptor of the ring of frames")
    parser.add_argument("--frames-socket", type=int, help="descriptor of what is said of them")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal; the line tells us
    stand_back()
    config = load_config(options.config)
    log.setup(logging.getLevelName(config.station.log_level.upper()))
    frames = None
    if options.frames_memory is not None and options.frames_socket is not None:
        frames = Frames(options.frames_memory, options.frames_socket)
    try:
        return Delivery(config, options.config, Link.inherited(options.link), frames).run()
    except ApplianceError as error:
        logger.critical("%s", error)
        return 1


if __name__ == "__main__":
    sys.exit(main())
