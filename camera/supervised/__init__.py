"""A camera's driver in a process of its own: what it does to memory, locks and the processor stays there.

A driver that hangs is killed, one that crashes or leaks takes nothing with it, and its pictures cross in shared memory.
"""

from camera.supervised.supervised import SupervisedCamera

__all__ = ["SupervisedCamera"]
