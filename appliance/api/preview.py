"""The preview of one camera as a web page: live picture, figures, regions. Translates, and nothing else.

GET /            the page
GET /about       what does not change: camera, settings, regions (JSON)
GET /picture     a piece of the newest picture (JPEG); its figures in the header X-State (JSON, ASCII). 204: none newer
GET /state       the figures alone (JSON)
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from flask import Flask, Response, request

from appliance.api.preview_page import PREVIEW_PAGE

Rectangle = tuple[int, int, int, int]
"""x, y, width, height in pixels of the whole picture."""

_WAIT_MAX_S: Final = 1.0
"""A request holds one of the server's threads for so long at most."""
_WIDTH_MAX: Final = 4096
_NUMBER_MAX: Final = 2**53


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page wants to see."""

    after: int = -1
    """The number of the picture that it has."""
    view: Rectangle | None = None
    """Which piece; None: all."""
    part: Rectangle | None = None
    """Of which piece the figures are; None: all."""
    width: int = 1280
    """At most so many pixels wide."""
    clipped: bool = False
    """Mark what is blown out and what is black."""
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Shown:
    """The answer."""

    jpeg: bytes | None
    """None: there is no picture, or none newer."""
    state: Mapping[str, Any]


class Source(Protocol):
    """Where pictures come from. Any thread asks."""

    def about(self) -> Mapping[str, Any]:
        """What does not change."""

    def show(self, asked: Asked) -> Shown:
        """At most `asked.wait_s` seconds, and the time to encode."""


class _BadRequest(ValueError):
    """A query that cannot be what it says."""


def preview_app(source: Source) -> Flask:
    """The WSGI app."""
    app = Flask("preview")

    @app.get("/")
    def page() -> Response:
        answer = Response(PREVIEW_PAGE, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = (
            "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src 'self' blob: data:; "
            "connect-src 'self'"
        )
        return answer

    @app.get("/about")
    def about() -> Response:
        return _json(source.about())

    @app.get("/state")
    def state() -> Response:
        return _json(source.show(Asked(after=_NUMBER_MAX, part=_rectangle("part"))).state)

    @app.get("/picture")
    def picture() -> Response:
        asked = Asked(
            after=_whole("after", -1, -1, _NUMBER_MAX),
            view=_rectangle("view"),
            part=_rectangle("part"),
            width=_whole("width", 1280, 16, _WIDTH_MAX),
            clipped=request.args.get("clipped") == "1",
            wait_s=_WAIT_MAX_S,
        )
        shown = source.show(asked)
        answer = Response(shown.jpeg or b"", mimetype="image/jpeg", status=200 if shown.jpeg else 204)
        answer.headers["X-State"] = json.dumps(shown.state)
        return answer

    @app.errorhandler(_BadRequest)
    def refused(error: _BadRequest) -> Response:
        return _json({"error": str(error)}, 400)

    @app.after_request
    def kept_nowhere(answer: Response) -> Response:
        answer.headers["Cache-Control"] = "no-store"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer

    return app


def _json(value: Mapping[str, Any], status: int = 200) -> Response:
    return Response(json.dumps(value), status=status, mimetype="application/json")


def _rectangle(name: str) -> Rectangle | None:
    said = request.args.get(name)
    if not said:
        return None
    numbers = said.split(",")
    if len(numbers) != 4 or not all(one.isdecimal() and len(one) <= 6 for one in numbers):
        raise _BadRequest(f"{name} is x,y,width,height in whole pixels, not {said[:60]!r}")
    x, y, width, height = (int(one) for one in numbers)
    return x, y, max(1, width), max(1, height)


def _whole(name: str, default: int, least: int, most: int) -> int:
    said = request.args.get(name)
    if said is None:
        return default
    if not said.lstrip("-").isdecimal() or len(said) > 17 or not least <= int(said) <= most:
        raise _BadRequest(f"{name} is a whole number from {least} to {most}, not {said[:60]!r}")
    return int(said)
