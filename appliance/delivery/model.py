"""One delivered model: store, courier and watcher joined, and its flags seen to."""

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final
from uuid import uuid4

from appliance.config import ApplianceConfig
from appliance.delivery import box
from appliance.delivery.candidate import Candidate, Frames
from appliance.delivery.courier import Acts, Courier
from appliance.delivery.course import Course
from appliance.delivery.examining import Examining
from appliance.delivery.factory import adopt
from appliance.delivery.fetching import HELD, Fetching, Trust
from appliance.delivery.line import Line
from appliance.delivery.records import Records, utc
from appliance.delivery.switching import Switching
from appliance.delivery.timing import Timing, Turn
from appliance.delivery.watcher import Watcher
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.flags import Facts, Flags, GoTo, HeldRelease, flags_of, when_revoked
from appliance.registry.deployments.states import State
from appliance.registry.deployments.strategy import strategy_of
from appliance.registry.deployments.wishes import Desired
from appliance.registry.package.keys import read_public_keys
from appliance.registry.remote.opening import open_remote
from appliance.registry.remote.pace import RateLimiter
from appliance.registry.remote.protocol import Remote, Seen
from appliance.registry.remote.reference import Selection
from appliance.registry.store.held import Held
from appliance.registry.store.store import Store

logger = logging.getLogger(__name__)

_SELECTION: Final = "selection"
BOX: Final = "box"
"""Who acts where no person does."""


class ModelDelivery:
    """Threads: those of threads() are the owner's; everything else may be called by any."""

    def __init__(
        self,
        model: str,
        config: ApplianceConfig,
        config_file: Path,
        line: Line,
        frames: Frames | None,
        turn: Turn,
        limiter: RateLimiter | None,
        changed: Callable[[], None],
    ) -> None:
        """Open the store and put it in order. Raises: StoreError, NoSpace, KeyUnusable, ConfigError."""
        self.model = model
        self._config = config
        self._settings = config.delivered[model]
        self._limiter = limiter
        self.changed = changed
        self.store = Store(config.store_of(model), config.delivery.ballast_mb << 20)
        recovered = self.store.open()
        self.records = Records(self.store)
        for sentence in recovered.sentences:
            logger.warning("%s", sentence, extra={"MODEL": model})
            self.records.audit(BOX, "", "recovered", detail=sentence)
        adopt(self.store, config.models[model].base_path, model)
        strategy = strategy_of(self._settings)
        self.course = Course(self.records, strategy, changed)
        trust = Trust(
            read_public_keys(self._settings.trusted_keys),
            partial(box.facts_for_statement, config, model),
            config.delivery.download_max_s,
        )
        timing = Timing(model, config.delivery, self._settings, self.records, box.box_id(config), turn)
        self.timing = timing
        make = partial(Candidate, config_file, model)
        acts = Acts(
            Fetching(self.records, self.course, trust, self._remote_of),
            Examining(self.records, self.course, line, strategy, frames, make, timing.may_change),
            Switching(self.records, self.course, line, strategy, timing.may_change),
        )
        self.courier = Courier(model, self.records, self.course, acts, line, timing)
        self.courier.resume()
        self.watcher = Watcher(
            model,
            self._settings.poll_s,
            box.box_id(config),
            self.records,
            self._open,
            self._found,
            changed,
        )

    def threads(self) -> dict[str, Callable[[], None]]:
        """Bodies by name; they end after stop()."""
        return {f"courier/{self.model}": self.courier.run, f"watch/{self.model}": self.watcher.run}

    def stop(self) -> None:
        """Where it goes on is in the journal."""
        self.watcher.stop()
        self.course.stop()

    def close(self) -> None:
        """After its threads have ended: another process may have the store."""
        self.store.close()

    # What operators and the source want --------------------------------------------------------------------------

    def want(self, desired: Desired, who: str, source: str) -> Deployment:
        """A release by tag, digest or number: what this box holds, or else what the source has under that name.

        Raises: ReferenceUnusable (its place knows no such names), StoreError, NoSpace.
        """
        selection = Selection(tag=desired.tag, digest=desired.digest, release=desired.release)
        held = self._held_as(selection)
        identity = "" if held is None else f"{HELD}{held.release}"
        what = _shown(selection)
        reference = f"{self._settings.source} {what}" if held is None else f"release {held.release} on this box"
        if held is None and selection.digest is not None:
            identity = selection.digest
        deployment = replace(self._new(reference, identity, who), request_id=desired.request_id, force=desired.force)
        if not identity:
            asked = {"deployment": deployment.id, "tag": selection.tag, "release": selection.release}
            self.records.note(_SELECTION, asked)
        self.timing.wanted(desired, deployment.id)
        self.courier.offer(deployment, who, source)
        return deployment

    def go_back(self, who: str, source: str, *, reason: str = "operator", to: Held | None = None) -> Deployment | None:
        """The release before serves again; None where there is none to go to."""
        with self.records.lock:
            current, target = self.store.current, to or self.store.previous
        if current is None or target is None or target.release == current.release:
            return None
        deployment = replace(
            self._new(f"back to release {target.release}", "", who),
            state=State.ROLLING_BACK,
            release=current.release,
            version=current.version,
            digest=current.digest,
            previous=target.release,
            reason=reason,
            detail=f"Asked for by {who}.",
        )
        self.courier.offer(deployment, who, source)
        return deployment

    def flags(self) -> Flags:
        """As they stand."""
        facts = self.records.facts
        with self.records.lock:
            current = self.store.current
        answered_s = self.watcher.answered_s
        unheard_s = None if answered_s is None else time.monotonic() - answered_s
        return flags_of(
            Facts(
                paused=facts.paused is not None,
                pinned=facts.pinned is not None,
                serving_digest=None if current is None else current.digest,
                revoked=facts.revoked,
                unheard_s=unheard_s,
                running_s=time.monotonic() - self.watcher.began_s,
                stale_after_s=self._config.delivery.stale_after_s,
            )
        )

    def leave_revoked(self) -> str | None:
        """Where what serves was revoked: go to the newest that proved itself; a sentence where there is none."""
        if self.course.live is not None or self.courier.waiting() is not None:
            return None
        facts = self.records.facts
        with self.records.lock:
            current, held = self.store.current, self.store.releases()
        if current is None or current.digest not in facts.revoked:
            return None
        newest = sorted(held, key=lambda one: (one.release in facts.proven, one.release), reverse=True)
        choices = [
            HeldRelease(one.release, one.digest, one.is_factory or one.release in facts.proven) for one in newest
        ]
        choice = when_revoked(current.digest, choices, facts.revoked)
        if isinstance(choice, GoTo):
            self.go_back(
                BOX, "revocation", reason="revoked", to=next(one for one in held if one.release == choice.release)
            )
            return None
        return None if choice is None else choice.detail

    def _found(self, seen: Seen) -> None:
        """The source shows something new. Where operators decide, it is only shown."""
        under_way = {one.identity for one in (self.course.live, self.courier.waiting()) if one is not None}
        if self._settings.follow == "source" and seen.identity not in under_way:
            self.courier.offer(self._new(seen.reference, seen.identity, BOX), BOX, "source")

    def _new(self, reference: str, identity: str, who: str) -> Deployment:
        now = utc()
        return Deployment(
            id=str(uuid4()),
            model=self.model,
            reference=reference,
            identity=identity,
            requested_by=who,
            created=now,
            since=now,
        )

    # Places ------------------------------------------------------------------------------------------------------

    def _open(self, select: Selection | None = None) -> Remote:
        return open_remote(
            self._settings.source,
            self._config.delivery,
            mirrors=self._settings.mirrors,
            user_agent=box.user_agent(self._config),
            select=select,
            limiter=self._limiter,
            temporary=self.store.folder / "partial",
        )

    def _remote_of(self, deployment: Deployment) -> Remote:
        """Where a deployment's package is: by its identity, or by what was asked for."""
        if deployment.identity and not self._settings.source.startswith("mlflow"):
            return self._open(Selection(digest=deployment.identity))
        noted = self.records.noted(_SELECTION) or {}
        if noted.get("deployment") == deployment.id:
            return self._open(Selection(tag=noted["tag"], release=noted["release"]))
        return self._open()

    def _held_as(self, selection: Selection) -> Held | None:
        with self.records.lock:
            held = self.store.releases()
        if selection.release is not None:
            return next((one for one in held if one.release == selection.release), None)
        if selection.digest is not None:
            return next((one for one in reversed(held) if one.digest == selection.digest), None)
        return None


def _shown(selection: Selection) -> str:
    if selection.tag is not None:
        return f"tag {selection.tag}"
    return f"release {selection.release}" if selection.release is not None else f"digest {selection.digest}"
