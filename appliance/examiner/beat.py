"""What the candidate's process tells the one that waits: where it is, and how long it may be silent from now on."""

from dataclasses import dataclass

from appliance.examiner.failure import Stage


@dataclass(frozen=True, slots=True)
class Beat:
    """One line of a pipe."""

    stage: Stage
    allowed_s: float
    limit_bytes: int = 0
    """The most memory that it may hold; 0: as before."""

    def to_line(self) -> bytes:
        """With its line feed."""
        return f"{self.stage.value} {self.allowed_s:.3f} {self.limit_bytes}\n".encode()

    @classmethod
    def from_line(cls, line: bytes) -> "Beat":
        """Raises: ValueError."""
        stage, allowed, limit = line.decode().split()
        return cls(Stage(stage), float(allowed), int(limit))
