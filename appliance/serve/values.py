"""What the flags say, by name and kind; and which of them cannot be said together."""

from collections.abc import Mapping

from appliance.dataplane.errors import Code, RequestError
from appliance.serve.flag import Value
from appliance.serve.flags import effective


class Values:
    """Every flag's value. Asking for a flag by another kind than its own is a bug."""

    def __init__(self, given: Mapping[str, Value]) -> None:
        """`given`: those of the command line. Raises: RequestError, in tensorflow_model_server's words."""
        self._values = effective(given)
        self._given = frozenset(given)
        self._check()

    def text(self, name: str) -> str:
        """A text; "" where none was given."""
        value = self._values[name]
        assert isinstance(value, str)
        return value

    def whole(self, name: str) -> int:
        """A whole number."""
        value = self._values[name]
        assert isinstance(value, int)
        assert not isinstance(value, bool)
        return value

    def real(self, name: str) -> float:
        """A number."""
        value = self._values[name]
        assert isinstance(value, float)
        return value

    def yes(self, name: str) -> bool:
        """Whether it is set."""
        value = self._values[name]
        assert isinstance(value, bool)
        return value

    def is_given(self, name: str) -> bool:
        """Whether the command line says it."""
        return name in self._given

    def _check(self) -> None:
        if self.whole("port") == 0 and not self.text("grpc_socket_path"):
            raise _invalid("At least one of server_options.grpc_port or server_options.grpc_socket_path must be set.")
        if self.yes("use_alts_credentials"):
            if self.text("ssl_config_file"):
                raise _invalid("Either use_alts_credentials must be false or ssl_config_file must be empty.")
            raise RequestError(
                Code.UNIMPLEMENTED,
                "--use_alts_credentials works in Google's own network only; use --ssl_config_file",
            )
        if not self.text("model_base_path") and not self.text("model_config_file"):
            raise _invalid(
                "Both server_options.model_base_path and server_options.model_config_file are empty! Give "
                "--model_base_path=/folder/of/numbered/versions, or --model_config_file"
            )
        if self.text("batching_parameters_file") and not self.yes("enable_batching"):
            raise _invalid(
                "server_options.batching_parameters_file is set without setting server_options.enable_batching to true."
            )
        if self.whole("rest_api_port") > 0 and self.whole("rest_api_port") == self.whole("port"):
            raise _invalid("--rest_api_port cannot be same as --port. Please use a different port for HTTP/REST API.")
        if all(self.whole(f"tensorflow_{each}_parallelism") > 0 for each in ("session", "intra_op", "inter_op")):
            raise _invalid(
                "Either configure server_options.tensorflow_session_parallelism or "
                "(server_options.tensorflow_intra_op_parallelism, server_options.tensorflow_inter_op_parallelism) "
                "separately. You cannot configure all."
            )
        for name in ("port", "rest_api_port"):
            if not -1 <= self.whole(name) <= 65_535:
                raise _invalid(f"--{name}={self.whole(name)} is no TCP port: 1 to 65535, 0 for none, -1 for any")


def _invalid(sentence: str) -> RequestError:
    return RequestError(Code.INVALID_ARGUMENT, sentence)
