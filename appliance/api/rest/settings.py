"""What the REST server may be told; the names in brackets are tensorflow_model_server's flags."""

from dataclasses import dataclass

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class RestSettings:
    """Every limit has a value; nothing that arrives is unbounded."""

    host: str = "0.0.0.0"  # noqa: S104 - this is the face to the network
    port: int = 8501
    """0: any free one."""
    threads: int = 8
    """Requests worked on at once (rest_api_num_threads)."""
    timeout_s: float = 30.0
    """How long a request may take until its model is through (rest_api_timeout_in_ms)."""
    cors: bool = False
    """Whether pages from elsewhere may call (rest_api_enable_cors_support)."""
    prometheus_path: str | None = None
    """Where the metrics are; None: nowhere (monitoring_config_file)."""
    open_inference: bool = False
    """Whether /v2 answers. TensorFlow Serving has nothing there, and says 404."""
    body_max_bytes: int = 64 * MIB
    """Largest request body, as it arrives and inflated."""
    bodies_max_bytes: int = 256 * MIB
    """All request bodies together that are being received, wait, or are worked on; never less than one may have."""
    queued_max: int = 64
    """Requests that wait for a thread; what comes then is told 429."""
    connections_max: int = 128
    idle_max_s: float = 75.0
    """A connection without traffic is closed after this."""
    picture_max_px: int = 25_000_000
    """Largest picture that is decoded."""
