"""The examiner's entry; see the package. Only the standard library until the candidate's own process."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from appliance.examiner.task import Task
from appliance.examiner.watch import Watch


def main(arguments: Sequence[str] | None = None) -> int:
    """Started by the delivery process, not by people."""
    parser = argparse.ArgumentParser(
        prog="python -m appliance.examiner", description="Examines one candidate; the delivery process starts it."
    )
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--folder", type=Path, required=True, help="the version's; relative to the model's store")
    parser.add_argument("--digest", required=True, help="of what was verified")
    parser.add_argument("--link", type=int, required=True, help="descriptor of our end of the link")
    parser.add_argument("--frames-memory", type=int, help="descriptor of the memory that holds the line's frames")
    parser.add_argument("--frames-socket", type=int, help="descriptor over which the line tells of them")
    parser.add_argument("--patience-s", type=float, default=120.0, help="the candidate may be silent for so long")
    given = parser.parse_args(arguments)
    frames = (given.frames_memory, given.frames_socket)
    if (frames[0] is None) != (frames[1] is None):
        parser.error("--frames-memory and --frames-socket belong together")
    task = Task(
        config=given.config,
        model=given.model,
        folder=given.folder,
        digest=given.digest,
        link=given.link,
        frames=None if frames[0] is None else frames,
        patience_s=given.patience_s,
    )
    return Watch(task).run()


if __name__ == "__main__":
    sys.exit(main())
