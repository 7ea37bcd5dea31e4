"""Which of a camera's calls are allowed now (see camera.protocol for their order); what several drivers share."""

from camera.errors import CameraLost


class CallOrder:
    """Threads: closed() and check() from any, the others from the camera's one thread."""

    def __init__(self) -> None:
        self._is_open = False
        self._is_started = False
        self._was_closed = False

    @property
    def is_open(self) -> bool:
        return self._is_open

    @property
    def is_started(self) -> bool:
        return self._is_started

    def opening(self) -> None:
        """Raises: RuntimeError where it is open."""
        if self._is_open:
            raise RuntimeError("open() on a camera that is open")

    def opened(self) -> None:
        """open() has succeeded."""
        self._is_open, self._is_started, self._was_closed = True, False, False

    def starting(self) -> None:
        """Raises: RuntimeError, CameraLost."""
        self.check(started=False)
        if self._is_started:
            raise RuntimeError("start() on a camera that was started")

    def started(self) -> None:
        """start() has succeeded."""
        self._is_started = True

    def stopped(self) -> None:
        """stop() was called."""
        self._is_started = False

    def closed(self) -> bool:
        """close() was called. Returns whether there is something to close."""
        was_open, self._is_open, self._is_started = self._is_open, False, False
        self._was_closed = self._was_closed or was_open
        return was_open

    def check(self, *, started: bool = True) -> None:
        """Raises: CameraLost after close(), RuntimeError where open() or start() is missing."""
        if not self._is_open:
            if self._was_closed:
                raise CameraLost("the camera was closed")
            raise RuntimeError("the camera is used before open()")
        if started and not self._is_started:
            raise RuntimeError("the camera is used before start()")
