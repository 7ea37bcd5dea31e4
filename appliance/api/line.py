"""Triggers and recipes over REST: reading for everybody who reaches the port, changes for those whom access.py lets.

What is in force is answered from the line's last report and waits for nobody. Changes go to the line's own process;
this translates. A part that is triggered here is judged as any other: nothing of this is between trigger and verdict.
"""

import time
from dataclasses import asdict
from typing import Any, Final

from flask import Flask, Response

from appliance.api.access import Access
from appliance.api.board import Board
from appliance.api.steered import Ask, Instead, Steered, Turns, answered, body_of
from appliance.steering.requests import Answer, Request, Verb

_AWAY: Final = "The line does not report, so it is not known what is in force."


class LineViews:
    """They may run on any number of threads."""

    def __init__(self, board: Board, ask: Ask, access: Access, turns: Turns) -> None:
        """`ask` asks the line's own process."""
        self._board = board
        self._steered = Steered(ask, access, turns)

    def register(self, app: Flask) -> None:
        """Add the paths."""
        for path, method, view in (
            ("/recipes", "GET", self.recipes),
            ("/recipe", "PUT", self.change_all_over),
            ("/cameras/<camera>/recipe", "PUT", self.change_over),
            ("/cameras/<camera>/trigger", "POST", self.trigger),
        ):
            app.add_url_rule(path, view_func=self._steered.view(view), methods=[method], endpoint=f"{method} {path}")

    def recipes(self) -> Response:
        now = self._board.overview(time.monotonic_ns())
        if not now.live or now.line is None:
            raise Instead(503, _AWAY)
        return answered(Answer(200, {"schema_version": 1, "recipes": [asdict(one) for one in now.line.recipes]}))

    def change_all_over(self) -> Response:
        return self._changed_over(None)

    def change_over(self, camera: str) -> Response:
        return self._changed_over(camera)

    def trigger(self, camera: str) -> Response:
        body = self._body(camera)
        wait_s = Request(Verb.TRIGGER, body=body).body.get("wait_s")  # checked before anything waits
        if wait_s:
            return answered(self._steered.asked_at_length(Verb.TRIGGER, body, float(wait_s)))
        return answered(self._steered.asked(Verb.TRIGGER, body))

    def _changed_over(self, camera: str | None) -> Response:
        return answered(self._steered.asked(Verb.RECIPE, self._body(camera)))

    def _body(self, camera: str | None) -> dict[str, Any]:
        """Of a change that its caller may make. The path says which camera, and nothing else does."""
        self._steered.who()
        body = body_of()
        if "camera" in body:
            raise Instead(422, "The path names the camera: PUT /cameras/NAME/recipe, POST /cameras/NAME/trigger.")
        return body if camera is None else {**body, "camera": camera}
