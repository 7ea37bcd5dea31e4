"""One part's result from those of its views: a pure function."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from appliance.inspection.result import Evaluation, Result, View, uuid7


def combined(name: str, views: Sequence[Result], ok_min: int) -> Result:
    """What the part is that these views are of: OK where at least `ok_min` of them are, else what its worst view is.

    `views`: at least one, in the group's order. `name` stands in the camera's place. Ids of the trigger, times and
    deadline are the worst view's; the caller knows the part's.
    """
    ok = [view for view in views if view.evaluation is Evaluation.OK]
    said = ok[0] if len(ok) >= ok_min else max(views, key=lambda view: view.evaluation.severity)
    return replace(
        said,
        result_id=uuid7(),  # a reader of all topics drops what has the id of another
        camera=name,
        recipe_id="+".join(dict.fromkeys(view.recipe_id for view in views)),
        config_id=_digest(views, ok_min),
        detail=_detail(views, said, len(ok), ok_min),
        classes=[replace(one, region=_place(said.camera, one.region)) for one in said.classes],
        regions=[replace(one, region=_place(view.camera, one.region)) for view in views for one in view.regions],
        exposed_utc_ns=min(view.exposed_utc_ns for view in views),
        is_simulated=any(view.is_simulated for view in views),
        views=[View(view.camera, view.trigger_id, view.evaluation, view.reason) for view in views],
    )


def _detail(views: Sequence[Result], said: Result, ok: int, ok_min: int) -> str:
    if said.evaluation is Evaluation.OK:
        return "" if ok == len(views) else f"{ok} of {len(views)} views are OK; {ok_min} are enough."
    sentence = f"{ok} of {len(views)} views are OK, and {ok_min} have to be; the worst is {said.camera}'s."
    return f"{sentence} {said.detail}".rstrip()


def _place(camera: str, region: str | None) -> str:
    return camera if region is None else f"{camera}/{region}"


def _digest(views: Sequence[Result], ok_min: int) -> str:
    said = ";".join([str(ok_min), *(f"{view.camera}={view.config_id}" for view in views)])
    return "sha256:" + hashlib.sha256(said.encode()).hexdigest()
