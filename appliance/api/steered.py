"""What the views share that ask another process of the box: who may, how many at once, and how it is answered."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from flask import Response, request

from appliance.api.access import Access, Asked, Denied
from appliance.steering.errors import BadRequest
from appliance.steering.requests import Answer, Request, Verb

WAITERS_MAX: Final = 2
BODY_MAX_BYTES: Final = 16_384
ASK_S: Final = 5.0
"""For the other process to answer one request."""
RETRY_S: Final = 2
_TURN_S: Final = 0.5
_JSON: Final = "application/json"

Ask = Callable[[Request, float], Answer]


class Instead(Exception):
    """Answer this and go no further."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.answer = Answer.refusal(status, sentence)


class Turns:
    """How many of the HTTP server's threads may wait at once; one always stays free for the health pages.

    One for the whole server, whoever waits for what. Any thread.
    """

    def __init__(self, threads: int) -> None:
        """`threads`: of the HTTP server."""
        self._waiters = threading.BoundedSemaphore(max(1, min(WAITERS_MAX, threads - 2)))
        self._may_wait = threads > 2  # one waits, one changes, one is for the health pages
        self._asking = threading.BoundedSemaphore(max(1, threads - 1 - WAITERS_MAX))

    @contextmanager
    def to_wait(self) -> Iterator[bool]:
        """Within it the caller may wait for long; False where there is no room for that."""
        if not self._may_wait or not self._waiters.acquire(blocking=False):
            yield False
            return
        try:
            yield True
        finally:
            self._waiters.release()

    @contextmanager
    def to_ask(self) -> Iterator[None]:
        """So many wait for another process at most; the health pages have to answer whatever it does."""
        if not self._asking.acquire(timeout=_TURN_S):
            raise Instead(503, "Another change is being made just now; try again.")
        try:
            yield
        finally:
            self._asking.release()


class Steered:
    """The other process, for views. Any thread."""

    def __init__(self, ask: Ask, access: Access, turns: Turns) -> None:
        self._ask = ask
        self._access = access
        self._turns = turns

    def view(self, view: Callable[..., Response]) -> Callable[..., Response]:
        """The same view, with each refusal as its answer."""

        def answer(**parts: str) -> Response:
            try:
                return view(**parts)
            except Instead as instead:
                return answered(instead.answer)
            except BadRequest as error:
                return answered(Answer.refusal(422, str(error)))
            except Denied as error:
                response = answered(Answer.refusal(error.status, str(error)))
                if error.status == 401:
                    response.headers["WWW-Authenticate"] = "Bearer"
                return response

        return answer

    def who(self) -> str:
        """The name for the audit log. Raises: Denied where the caller may change nothing."""
        return self._access.who(
            Asked(
                request.remote_addr,
                request.host,
                request.headers.get("Origin"),
                request.headers.get("Content-Type"),
                request.headers.get("Authorization"),
                request.headers.get("From"),
            )
        )

    def asked(self, verb: Verb, body: Mapping[str, Any], *, model: str | None = None) -> Answer:
        """What the other process says. Raises: Denied, BadRequest, Instead."""
        with self._turns.to_ask():
            return self._ask(self._request(verb, body, model), ASK_S)

    def asked_at_length(self, verb: Verb, body: Mapping[str, Any], wait_s: float) -> Answer:
        """The same where the answer may take `wait_s` seconds more; 503 where there is no room to wait."""
        wanted = self._request(verb, body, None)
        with self._turns.to_wait() as may_wait:
            if not may_wait:
                raise Instead(
                    503, "As many wait for an answer as may at once; ask without waiting, or raise http.threads."
                )
            return self._ask(wanted, ASK_S + wait_s)

    def _request(self, verb: Verb, body: Mapping[str, Any], model: str | None) -> Request:
        is_reading = request.method == "GET"
        return Request(
            verb,
            model,
            body,
            who="reader" if is_reading else self.who(),
            source=f"rest {request.remote_addr}",
            key=None if is_reading else request.headers.get("Idempotency-Key"),
        )


def body_of() -> dict[str, Any]:
    """The JSON object of the request. Raises: Instead."""
    if (request.content_length or 0) > BODY_MAX_BYTES:
        raise Instead(413, f"The body has more than {BODY_MAX_BYTES} bytes.")
    raw = request.get_data(cache=False)
    if not raw.strip():
        return {}
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise Instead(400, "The body is no JSON.") from None
    if not isinstance(value, dict):
        raise Instead(422, "The body is a JSON object.")
    return value


def seconds_of(name: str, most: float) -> float:
    """A duration of the query; 0 where it is absent. Raises: Instead."""
    text = request.args.get(name, "0")
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= most:
        raise Instead(422, f"{name} is a number of seconds from 0 to {most:g}.")
    return value


def answered(answer: Answer) -> Response:
    """As JSON; a 503 says when to ask again."""
    text = json.dumps(answer.body, indent=2, ensure_ascii=False) + "\n"
    response = Response(text, status=answer.status, content_type=_JSON)
    if answer.status == 503:
        response.headers["Retry-After"] = str(RETRY_S)
    return response


def with_headers(response: Response, headers: Mapping[str, str]) -> Response:
    """The same response, which a cache may keep only to ask again."""
    response.headers.update({"Cache-Control": "no-cache", **headers})
    return response
