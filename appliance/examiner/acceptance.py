"""Whether a loaded candidate may be shown the line's parts: by its publisher's samples, and by this site's own."""

import time
from dataclasses import replace
from typing import Final

from appliance.examiner import parity, site
from appliance.examiner.candidate import Candidate
from appliance.examiner.failure import Failed, Reason, Stage
from appliance.examiner.parity import Parity
from appliance.examiner.reports import Acceptance
from appliance.examiner.talk import Talk
from appliance.registry.config import ModelDeliveryConfig

_NOTHING: Final = Parity()


class NotAccepted(Failed):
    """It failed, and this is what was found by then."""

    def __init__(self, reason: Reason, report: Acceptance) -> None:
        super().__init__(Stage.ACCEPTING, reason, report.sentence)
        self.report = report


def accept(candidate: Candidate, delivery: ModelDeliveryConfig, talk: Talk) -> Acceptance:
    """The report of a candidate that passed. Raises: NotAccepted, Failed, Dismissed."""
    begun = time.monotonic()
    proven = parity.prove(candidate, talk)
    found = _report(proven, site.Tally(), time.monotonic() - begun)
    if proven.disagreement is not None:
        raise NotAccepted(Reason.GOLDEN, replace(found, sentence=proven.disagreement))
    if delivery.golden_folder is None:
        return replace(found, passed=True)
    tally = site.judge(delivery.golden_folder, candidate, talk)
    found = _report(proven, tally, time.monotonic() - begun)
    if len(tally.escaped) > delivery.max_escapes:
        raise NotAccepted(Reason.ESCAPES, replace(found, sentence=_escapes(tally, delivery)))
    if len(tally.rejected) > delivery.max_false_rejects * tally.good:
        raise NotAccepted(Reason.FALSE_REJECTS, replace(found, sentence=_false_rejects(tally, delivery)))
    return replace(found, passed=True)


def _report(proven: Parity, tally: site.Tally, seconds: float) -> Acceptance:
    return Acceptance(
        passed=False,
        golden_samples=proven.samples,
        golden_worst=proven.worst,
        golden_worst_sample=proven.worst_sample,
        golden_tolerance=proven.tolerance,
        site_pictures=tally.pictures,
        site_good=tally.good,
        site_bad=tally.bad,
        site_escapes=len(tally.escaped),
        site_false_rejects=len(tally.rejected),
        site_not_decidable=tally.not_decidable,
        seconds=round(seconds, 3),
        sentence=_passed(proven, tally),
    )


def _passed(proven: Parity, tally: site.Tally) -> str:
    said = f"{proven.samples} golden samples give the publisher's scores; the furthest differs by {proven.worst:.2g}."
    if not tally.pictures:
        return said
    said += (
        f" Of this site's {tally.good} good and {tally.bad} bad pictures {len(tally.escaped)} escaped and "
        f"{len(tally.rejected)} were rejected falsely."
    )
    if tally.unknown_folders:
        said += f" The folders {', '.join(tally.unknown_folders)} are none of its labels and counted as bad parts."
    return said


def _escapes(tally: site.Tally, delivery: ModelDeliveryConfig) -> str:
    return (
        f"{len(tally.escaped)} of this site's {tally.bad} bad pictures would pass, and max_escapes allows "
        f"{delivery.max_escapes}: {site.some(tally.escaped)}. Train with such parts, or look at their labels."
    )


def _false_rejects(tally: site.Tally, delivery: ModelDeliveryConfig) -> str:
    return (
        f"{len(tally.rejected)} of this site's {tally.good} good pictures would not pass, and max_false_rejects "
        f"allows {delivery.max_false_rejects:g} of them: {site.some(tally.rejected)}. "
        "Train with such parts, or look at their labels."
    )
