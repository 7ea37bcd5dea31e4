"""The gRPC side: TensorFlow Serving's calls, and each failure as one sentence."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from appliance.client.endpoints import Endpoints, Tls
from appliance.client.errors import ClientError
from appliance.protos import message

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what it would log is in the errors that it raises

import grpc

START: Final = "start one with `appliance serve --model_name=NAME --model_base_path=FOLDER`, or name it with"
_PREDICTION: Final = "tensorflow.serving.PredictionService"
_MODEL: Final = "tensorflow.serving.ModelService"
_OPTIONS: Final = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))


class Refused(ClientError):
    """The server answered, and said no."""

    def __init__(self, code: str, said: str) -> None:
        super().__init__(said)
        self.code = code
        """Such as `NOT_FOUND`."""


class Connection:
    """One channel. Threads: any. Every call blocks until the answer or the end of its time; Raises: ClientError."""

    def __init__(self, channel: grpc.Channel, where: str) -> None:
        """`where` is for sentences."""
        self._channel = channel
        self._where = where

    def predict(self, request: Any, timeout_s: float) -> Any:
        """PredictRequest to PredictResponse."""
        return self._call(_PREDICTION, "Predict", request, "tensorflow.serving.PredictResponse", timeout_s)

    def metadata(self, spec: Any, timeout_s: float) -> Any:
        """ModelSpec to GetModelMetadataResponse, with the signatures."""
        request = message("tensorflow.serving.GetModelMetadataRequest")(
            model_spec=spec, metadata_field=["signature_def"]
        )
        answer = "tensorflow.serving.GetModelMetadataResponse"
        return self._call(_PREDICTION, "GetModelMetadata", request, answer, timeout_s)

    def status(self, spec: Any, timeout_s: float) -> Any:
        """ModelSpec to GetModelStatusResponse."""
        request = message("tensorflow.serving.GetModelStatusRequest")(model_spec=spec)
        answer = "tensorflow.serving.GetModelStatusResponse"
        return self._call(_MODEL, "GetModelStatus", request, answer, timeout_s)

    def reload(self, config: Any, timeout_s: float) -> Any:
        """ModelServerConfig to ReloadConfigResponse."""
        request = message("tensorflow.serving.ReloadConfigRequest")(config=config)
        answer = "tensorflow.serving.ReloadConfigResponse"
        return self._call(_MODEL, "HandleReloadConfigRequest", request, answer, timeout_s)

    def _call(self, service: str, method: str, request: Any, answer: str, timeout_s: float) -> Any:
        call: Callable[..., Any] = self._channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda sent: sent.SerializeToString(),
            response_deserializer=message(answer).FromString,
        )
        try:
            return call(request, timeout=timeout_s)
        except grpc.RpcError as error:
            raise self._sentence(error, method, timeout_s) from error

    def _sentence(self, error: Any, method: str, timeout_s: float) -> ClientError:
        said = error.details() or "it gave no reason"
        match error.code():
            case grpc.StatusCode.UNAVAILABLE if "queue" not in said:  # which is a server's, whose queue is full
                why = said.rpartition(": ")[2].rstrip("].")
                return ClientError(f"No gRPC server answers at {self._where} ({why}); {START} --server HOST:PORT.")
            case grpc.StatusCode.DEADLINE_EXCEEDED:
                return ClientError(
                    f"{self._where} gave no answer to {method} within {timeout_s:g} s; "
                    "look at `appliance models status`, or wait longer with --timeout."
                )
            case grpc.StatusCode.UNIMPLEMENTED:
                return ClientError(f"{self._where} does not know {method} ({said}); is it a TensorFlow model server?")
            case code:
                return Refused(code.name, said)


@contextmanager
def connect(where: Endpoints) -> Iterator[Connection]:
    """Open a channel; nothing is sent before the first call. Raises: ClientError."""
    if where.grpc is None:
        raise ClientError("It is not known where the server's gRPC port is; say --server HOST:PORT.")
    if where.tls.wanted:
        channel = grpc.secure_channel(where.grpc, _credentials(where.tls), options=_OPTIONS)
    else:
        channel = grpc.insecure_channel(where.grpc, options=_OPTIONS)
    try:
        yield Connection(channel, where.grpc)
    finally:
        channel.close()


def model_spec(name: str, version: int | None = None, label: str | None = None, signature: str = "") -> Any:
    """A ModelSpec."""
    spec = message("tensorflow.serving.ModelSpec")(name=name, signature_name=signature)
    if version is not None:
        spec.version.value = version
    elif label is not None:
        spec.version_label = label
    return spec


def _credentials(tls: Tls) -> Any:
    try:
        ca, cert, key = (None if file is None else file.read_bytes() for file in (tls.ca, tls.cert, tls.key))
    except OSError as error:
        raise ClientError(f"{error.filename} cannot be read: {error.strerror}; name a file in PEM.") from error
    return grpc.ssl_channel_credentials(root_certificates=ca, private_key=key, certificate_chain=cert)
