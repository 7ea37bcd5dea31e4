"""The `[serving]` part of the operator's file: TensorFlow Serving's two APIs beside the line."""

from pathlib import Path

from pydantic import BaseModel, Field

from appliance.api.config import ListenAddress


class ServingConfig(BaseModel, extra="forbid", frozen=True):
    """Where the line's models answer requests from the network, and how much they may ask."""

    enabled: bool = Field(default=True, description="answer TensorFlow Serving's gRPC and REST requests")
    host: ListenAddress = Field(
        default="127.0.0.1",
        description="IP address to listen on. 127.0.0.1: this box only. 0.0.0.0 (or ::): every network it is on; "
        "there is no login, so open it to a plant network only.",
    )
    grpc_port: int = Field(default=8500, ge=0, le=65535, description="TCP port of gRPC; 0 takes any free one.")
    rest_port: int = Field(default=8501, ge=0, le=65535, description="TCP port of REST; 0 takes any free one.")
    grpc_socket: Path | None = Field(default=None, description="UNIX socket on which gRPC is answered, too.")
    ssl_config_file: Path | None = Field(
        default=None, description="text of a tensorflow.serving.SSLConfig: gRPC is answered over TLS only."
    )
    prometheus_path: str | None = Field(
        default=None,
        pattern="^/",
        description="path of REST that shows metrics, usually /monitoring/prometheus/metrics; left out: none.",
    )
    open_inference: bool = Field(default=False, description="answer the Open Inference Protocol over REST (/v2), too")
    cors: bool = Field(default=False, description="let web pages of other hosts ask (Access-Control-Allow-Origin: *).")
    workers: int | None = Field(
        default=None,
        ge=1,
        le=64,
        description="Requests whose model runs at once; default: as many as there are processors that are not the "
        "line's. A LiteRT model is held once more for each.",
    )
    max_queued: int = Field(
        default=64,
        ge=0,
        le=10_000,
        description="Requests of each API that may wait while others are worked on; more are refused (429).",
    )
    max_request_mb: int = Field(
        default=64, ge=1, le=1024, description="Largest request's, and largest answer's, tensors, megabytes."
    )
    max_request_strings: int = Field(
        default=4096,
        ge=1,
        le=1_000_000,
        description="Most strings (or tf.Examples) in one request; each costs the line microseconds.",
    )
    memory_max_mb: int = Field(
        default=2048,
        ge=256,
        le=65_536,
        description="Memory of the process that answers; where that is not enough it is started anew, and never the "
        "line.",
    )
