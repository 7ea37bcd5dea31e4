"""Where the server is: its two ports, and how they are trusted."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from appliance.client.errors import WrongUsage

GRPC_PORT: Final = 8500
REST_PORT: Final = 8501
_HERE: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Tls:
    """Files in PEM, for gRPC and for a REST port behind https://. None of them: gRPC is not encrypted."""

    ca: Path | None = None
    """Whom to believe; None: the certificate authorities of the system."""
    cert: Path | None = None
    key: Path | None = None

    @property
    def wanted(self) -> bool:
        """Whether gRPC shall speak TLS."""
        return any((self.ca, self.cert, self.key))


@dataclass(frozen=True, slots=True)
class Endpoints:
    """One server. None: it is not known where that port is."""

    grpc: str | None
    """HOST:PORT or unix:PATH."""
    rest: str | None
    """Such as http://127.0.0.1:8501, without a slash at the end."""
    tls: Tls = Tls()


def endpoints(server: str | None, rest: str | None, tls: Tls) -> Endpoints:
    """Each port stands for the other at its usual number; from an unusual one nothing is guessed.

    Two servers on one box would otherwise be taken for one. Raises: WrongUsage.
    """
    if (tls.cert is None) != (tls.key is None):
        raise WrongUsage("--cert and --key go together: name both files.")
    if rest is not None and urlsplit(rest).scheme not in {"http", "https"}:
        raise WrongUsage(f"--rest wants a URL such as http://{_HERE}:{REST_PORT}, not {rest!r}.")
    if server is None and rest is None:
        return Endpoints(f"{_HERE}:{GRPC_PORT}", f"http://{_HERE}:{REST_PORT}", tls)
    return Endpoints(server or _grpc_beside(rest), (rest or _rest_beside(server) or "").rstrip("/") or None, tls)


def _grpc_beside(rest: str | None) -> str | None:
    host, _, port = urlsplit(rest or "").netloc.rpartition(":")
    return f"{host}:{GRPC_PORT}" if port == str(REST_PORT) else None


def _rest_beside(server: str | None) -> str | None:
    """Without TLS: a model server has that on its gRPC port only."""
    host, _, port = (server or "").rpartition(":")
    return f"http://{host}:{REST_PORT}" if port == str(GRPC_PORT) else None
