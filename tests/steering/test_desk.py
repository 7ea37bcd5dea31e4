"""The desk alone: which of several messages counts."""

import json

from running import until

from appliance.steering import desk as desk_module
from appliance.steering.desk import Desk
from appliance.steering.inbox import Mail
from appliance.steering.requests import Answer


def wish(tag):
    return Mail("desired", json.dumps({"tag": tag}).encode(), retained=True)


def test_a_wish_that_came_while_the_one_before_was_refused_is_the_one_that_is_tried_again(monkeypatch):
    monkeypatch.setattr(desk_module, "RETRY_S", 0.01)
    asked = []

    def ask(request, _timeout_s):
        asked.append(request.body["tag"])
        if len(asked) == 1:
            desk.take(wish("new"))
        return Answer.refusal(503, "It is away.") if len(asked) < 3 else Answer(202, {})

    desk = Desk(ask, lambda *_: None, models=("surface",), commands=(), base_topic="a/b")
    desk.start()
    desk.take(wish("old"))
    until(lambda: len(asked) == 3, "three attempts", 10)
    desk.stop()
    assert asked == ["old", "new", "new"]
