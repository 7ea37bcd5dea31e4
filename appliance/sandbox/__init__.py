"""Takes from a process what running a model never needs: networks, other processes, writing elsewhere.

Three of the kernel's means, each also where the others are missing: Landlock (which files may be written, whom a
signal may reach), seccomp (which system calls there are), and limits. For whatever is started from then on as well.
"""

from appliance.sandbox.sealing import Sealed, seal

__all__ = ["Sealed", "seal"]
