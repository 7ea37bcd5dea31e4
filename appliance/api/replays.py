"""Results again over REST: they come on MQTT, and this says where; see appliance/steering/requests.py."""

from flask import Flask, Response

from appliance.api.access import Access
from appliance.api.steered import Ask, Steered, Turns, answered, body_of
from appliance.steering.requests import Verb


class ReplayViews:
    """They may run on any number of threads."""

    def __init__(self, ask: Ask, access: Access, turns: Turns) -> None:
        """`ask` asks the gateway itself."""
        self._steered = Steered(ask, access, turns)

    def register(self, app: Flask) -> None:
        """Add the paths."""
        for method, view in (("GET", self.replays), ("POST", self.replay)):
            app.add_url_rule(
                "/replays", view_func=self._steered.view(view), methods=[method], endpoint=f"{method} /replays"
            )

    def replays(self) -> Response:
        """Those that run, and the newest that ended."""
        return answered(self._steered.asked(Verb.REPLAYS, {}))

    def replay(self) -> Response:
        """One more, for whom access.py lets."""
        self._steered.who()
        return answered(self._steered.asked(Verb.REPLAY, body_of()))
