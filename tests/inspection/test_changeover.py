"""A changeover between two parts: each part is judged by the recipe under which it was triggered."""

import random
import threading
import time

from inspection.line_rig import BAD, GOOD, Model, Rig, WiredCamera, in_force
from running import until

RECIPES = {"good-model": Model(GOOD), "bad-model": Model(BAD)}


def test_parts_under_way_keep_their_recipe_and_none_is_lost():
    camera = WiredCamera(triggers_itself=False)
    dice = random.Random(7)
    made = {name: in_force(model, name, job_id=f"job-{name}") for name, model in RECIPES.items()}
    wanted = []
    with Rig(camera, made["good-model"]) as rig:
        for _ in range(200):
            name = dice.choice([*RECIPES])
            rig.line.change_over(made[name])
            rig.line.trigger(time.monotonic_ns())
            wanted.append(name)
            if dice.random() < 0.5:
                rig.line.change_over(made[dice.choice([*RECIPES])])
            threading.Event().wait(dice.uniform(0.0, 0.004))
        until(lambda: rig.line.is_idle, "every result", 10)
    assert [one.recipe_id for one in rig.results] == wanted
    assert [one.job_id for one in rig.results] == [f"job-{name}" for name in wanted]
    judged = [one for one in rig.results if one.evaluation.value != "Undefined"]
    assert len(judged) > 20
    assert all((one.recipe_id == "good-model") == (one.evaluation.value == "OK") for one in judged)


def test_a_shorter_deadline_holds_from_the_next_part_on():
    blind = WiredCamera(triggers_itself=False)
    blind.trigger = lambda: None
    with Rig(blind, in_force(Model(GOOD), "slow", 60_000.0)) as rig:
        rig.line.change_over(in_force(Model(GOOD), "quick", 100.0))
        rig.line.trigger(time.monotonic_ns())
        until(lambda: rig.results, "the result", 10)
    (result,) = rig.results
    assert (result.recipe_id, result.deadline_ms, result.deadline_met) == ("quick", 100.0, True)
