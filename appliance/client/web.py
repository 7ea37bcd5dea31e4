"""The REST side: GET and POST with limits, and each failure as one sentence."""

import http.client
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from appliance.client.endpoints import Endpoints
from appliance.client.errors import ClientError

_ANSWER_MAX_BYTES: Final = 1 << 30
START: Final = "start one with `appliance serve --rest_api_port=8501 ...`, or name it with --rest URL"


@dataclass(frozen=True, slots=True)
class WebAnswer:
    """What came back, whatever the status says."""

    status: int
    headers: Mapping[str, str]
    body: Any
    """The JSON, or the text where it is none."""

    @property
    def error(self) -> str:
        """The server's sentence."""
        if isinstance(self.body, dict) and "error" in self.body:
            return str(self.body["error"])
        return f"HTTP status {self.status}"


def ask(
    where: Endpoints, path: str, body: bytes | None = None, *, kind: str = "application/json", timeout_s: float
) -> WebAnswer:
    """GET, or POST where there is a body of that kind. Blocks. Raises: ClientError where no HTTP answers."""
    if where.rest is None:
        raise ClientError("It is not known where the server's REST port is; say --rest http://HOST:PORT.")
    request = urllib.request.Request(where.rest + path, data=body)  # noqa: S310 - endpoints() allows HTTP only
    if body is not None:
        request.add_header("Content-Type", kind)
    try:
        with _opener(where).open(request, timeout=timeout_s) as answer:
            return _answer(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return _answer(refused)
    except TimeoutError as error:
        raise _too_slow(where, timeout_s) from error
    except http.client.HTTPException as error:
        raise ClientError(
            f"{where.rest} does not speak HTTP; is it the gRPC port? Name the other with --rest URL."
        ) from error
    except (OSError, ValueError) as error:  # URLError is an OSError; a host that is none, a ValueError
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise _too_slow(where, timeout_s) from error
        why = getattr(reason, "strerror", None) or reason
        raise ClientError(f"No REST server answers at {where.rest} ({why}); {START}.") from error


def _answer(opened: Any) -> WebAnswer:
    content = opened.read(_ANSWER_MAX_BYTES)
    try:
        body = json.loads(content)
    except ValueError:
        body = content.decode(errors="replace")
    return WebAnswer(opened.status, dict(opened.headers.items()), body)


def _opener(where: Endpoints) -> urllib.request.OpenerDirector:
    """No proxy: the box stands in the same plant."""
    handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if where.rest is not None and where.rest.startswith("https:"):
        try:
            context = ssl.create_default_context(cafile=where.tls.ca)
            if where.tls.cert is not None:
                context.load_cert_chain(where.tls.cert, where.tls.key)
        except OSError as error:  # ssl.SSLError is one
            raise ClientError(f"The TLS files cannot be used ({error}); name files in PEM.") from error
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _too_slow(where: Endpoints, timeout_s: float) -> ClientError:
    return ClientError(
        f"{where.rest} gave no answer within {timeout_s:g} s; "
        "look at `appliance models status`, or wait longer with --timeout."
    )
