"""What the demo starts must not outlive it, whatever ends it."""

import shutil
from collections.abc import Sequence


def dies_with_us(command: Sequence[str]) -> list[str]:
    """The same command, asked to end when the thread that starts it is gone: also after `kill -9`.

    By util-linux' setpriv, which every Debian has; without it only an orderly end takes it along.
    """
    setpriv = shutil.which("setpriv")
    return [*command] if setpriv is None else [setpriv, "--pdeathsig", "TERM", "--", *command]
