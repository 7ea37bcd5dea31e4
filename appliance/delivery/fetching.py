"""From a place for packages into the store: the statement first, then what is missing, then every byte checked."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from hashlib import sha256
from pathlib import Path
from typing import Final

from appliance.delivery.course import Course
from appliance.delivery.facts import Facts
from appliance.delivery.records import Records, utc
from appliance.registry.deployments.deployment import Deployment
from appliance.registry.deployments.events import (
    AlreadyHere,
    Downloaded,
    Event,
    Failed,
    Fetched,
    Held,
    Refused,
    StatementVerified,
    TimedOut,
    Unheld,
    Verified,
)
from appliance.registry.deployments.polling import Polling, unanswered
from appliance.registry.deployments.states import State
from appliance.registry.errors import Refusal, Rejected, Unavailable
from appliance.registry.package.check import BoxFacts, check_statement
from appliance.registry.package.files import BESIDE, RELEASE_FILE, SIGNATURE_FILE, PackageFile
from appliance.registry.package.inventory import verify_folder
from appliance.registry.package.keys import PublicKey
from appliance.registry.package.statement import Statement, read_statement
from appliance.registry.remote.protocol import Listing, Remote, RemoteFile
from appliance.registry.store.errors import Damaged

logger = logging.getLogger(__name__)

ENVELOPE_MAX_BYTES: Final = 4 << 20
SIGNATURE_MAX_BYTES: Final = 4 << 20
HELD: Final = "held:"
"""Identity of a deployment whose release lies in this box' store already."""
_PACKAGE: Final = "package"
_TOLD_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Trust:
    """What decides whether a release is for this box."""

    keys: Sequence[PublicKey]
    facts_for_statement: Callable[[Facts], BoxFacts]
    download_max_s: float


@dataclass(frozen=True, slots=True)
class _Envelope:
    """The two files beside the content, kept as blobs."""

    statement: PackageFile
    signature: PackageFile


class Fetching:
    """The acts of downloading, verifying and staging, for one model. Thread: the courier's."""

    def __init__(
        self, records: Records, course: Course, trust: Trust, open_remote: Callable[[Deployment], Remote]
    ) -> None:
        self._records = records
        self._store = records.store
        self._course = course
        self._trust = trust
        self._open_remote = open_remote

    def download(self, deployment: Deployment) -> Event:
        """Until everything is in the store's blobs, whatever the network does meanwhile.

        Raises: Rejected, NoSpace, StoreError, Moved, Stopping.
        """
        if deployment.identity.startswith(HELD):
            return self._take_held(deployment)
        limit = time.monotonic() + self._trust.download_max_s
        polling = Polling(due=time.monotonic())
        while True:
            outcome = self._attempt(deployment)
            if not isinstance(outcome, Unavailable):
                return outcome
            now = time.monotonic()
            polling = unanswered(polling, now, random.random(), outcome.retry_after_s)  # noqa: S311 - no secret
            if polling.due > limit:
                return TimedOut(f"{outcome} It was tried for {self._trust.download_max_s:g} s.")
            self._course.tell(Held("network", f"{outcome} It is tried again in {polling.due - now:.0f} s."))
            self._wait_for(polling.due)
            self._course.tell(Unheld())

    def verify(self, deployment: Deployment) -> Event:
        """Lay the package out and hold it against both signatures. Raises: Rejected, StoreError, NoSpace."""
        release = _known(deployment.release)
        if deployment.identity.startswith(HELD):
            with self._records.lock:
                self._store.check(release)
            return Verified()
        envelope = self._envelope()
        raw = self._blob(envelope.statement.sha256).read_bytes()
        statement, _ = read_statement(raw, self._trust.keys)
        files = [*statement.files, envelope.statement, envelope.signature]
        with self._records.lock:
            folder = self._store.stage(release, files)
        self._course.checkpoint()
        verified = verify_folder(folder, statement, self._trust.keys)
        logger.info(
            "Release %d of %s is what %s signed, and %s.",
            release,
            deployment.model,
            verified.statement_key.name,
            verified.signature_key.name,
        )
        with self._records.lock:
            self._store.publish(release, statement.version, statement.digest)
        self._records.learn(lambda facts: _having_verified(facts, statement))
        return Verified()

    def clear(self, deployment: Deployment) -> None:
        """Leave nothing of a package that was not to be trusted, or is not wanted any more. Raises: StoreError."""
        if deployment.identity.startswith(HELD):
            return
        with self._records.lock:
            self._store.discard(deployment.release)
            pointed = {held.release for held in (self._store.current, self._store.previous) if held is not None}
            if (
                deployment.state is State.REJECTED
                and deployment.release is not None
                and deployment.release not in pointed
            ):
                self._store.remove(deployment.release)

    # What is here already ----------------------------------------------------------------------------------------

    def _take_held(self, deployment: Deployment) -> Event:
        """It was verified when it came, and runs its way again from there."""
        release = int(deployment.identity.removeprefix(HELD))
        with self._records.lock:
            held, current = self._store.held(release), self._store.current
        if held is None:
            return Failed("not_held", f"Release {release} is not on this box any more; name it by tag or digest.")
        if held.digest in self._records.facts.revoked:
            return Refused(Refusal.REVOKED.value, f"Release {release} ({held.digest[:19]}…) was revoked.")
        self._course.tell(StatementVerified(held.version, held.release, held.digest, held.bytes))
        if current is not None and current.digest == held.digest:
            return AlreadyHere(f"Release {release} serves already.")
        self._course.tell(Fetched(held.bytes, 0))
        return Downloaded()

    def _wait_for(self, due_s: float) -> None:
        self._course.wait_until(lambda: time.monotonic() >= due_s, due_s - time.monotonic() + 1.0, look_s=60.0)

    # What has to come --------------------------------------------------------------------------------------------

    def _attempt(self, deployment: Deployment) -> Event | Unavailable:
        """Once, as far as the network lets it."""
        try:
            remote = self._open_remote(deployment)
            try:
                return self._fetch_from(remote, deployment)
            finally:
                remote.close()
        except Unavailable as error:
            return error

    def _fetch_from(self, remote: Remote, deployment: Deployment) -> Event:
        seen = remote.look()
        if deployment.identity and seen.identity != deployment.identity:
            raise Rejected(
                Refusal.MOVED,
                f"{seen.reference} shows {seen.identity[:19]}… now, and {deployment.identity[:19]}… was asked for; "
                "publish under a new tag instead of moving content.",
            )
        listing = remote.list(seen)
        offered = {file.path: file for file in listing.files}
        raw = _read(remote, offered, RELEASE_FILE, ENVELOPE_MAX_BYTES)
        statement, key = read_statement(raw, self._trust.keys)
        facts = self._records.facts
        check_statement(statement, self._trust.facts_for_statement(facts), datetime.now(timezone.utc))
        logger.info("Release %d of %s is signed by %s.", statement.release, statement.model, key.name)
        # Said and signed for this line: a package that cannot be had, or does not prove itself, hides no revocation.
        self._records.learn(lambda known: _having_revoked(known, statement))
        self._course.tell(StatementVerified(statement.version, statement.release, statement.digest, statement.size))
        refusal = self._refused_before(deployment, statement)
        if refusal is not None:
            return refusal
        _check_listing(listing, statement)
        signature = _read(remote, offered, SIGNATURE_FILE, SIGNATURE_MAX_BYTES)
        self._fetch_files(remote, offered, statement)
        with self._records.lock:
            files = [
                PackageFile(name, len(one), sha256(one).hexdigest())
                for name, one in ((RELEASE_FILE, raw), (SIGNATURE_FILE, signature))
            ]
            for one in (raw, signature):
                self._store.put_bytes(one)
        self._records.note(_PACKAGE, {file.path: [file.size, file.sha256] for file in files})
        return Downloaded()

    def _refused_before(self, deployment: Deployment, statement: Statement) -> Event | None:
        with self._records.lock:
            current = self._store.current
        if current is not None and current.digest == statement.digest:
            self._records.learn(lambda facts: _having_verified(facts, statement))
            return AlreadyHere(f"What release {statement.release} holds serves already.")
        why = self._records.facts.failed.get(statement.digest)
        if why is not None and not deployment.force:
            return Failed(
                "failed_before",
                f"Release {statement.release} holds what did not prove itself here before ({why}); "
                "publish another, or start it with force.",
            )
        return None

    def _fetch_files(self, remote: Remote, offered: dict[str, RemoteFile], statement: Statement) -> None:
        with self._records.lock:
            missing = [file for file in statement.files if not self._store.holds(file.sha256)]
            self._store.reserve(sum(file.size for file in missing))
        live = self._course.live
        fetched = 0 if live is None else live.bytes_fetched
        counted = _Counted(self._course, statement.size - sum(file.size for file in missing), fetched)
        for file in missing:
            place = offered.get(file.path) or _beside(offered[RELEASE_FILE], file)
            try:
                self._fetch_file(remote, place, file, counted)
            except Damaged as error:
                logger.warning("%s", error)
                counted.forget(file.size)
                self._fetch_file(remote, place, file, counted)
        counted.tell()

    def _fetch_file(self, remote: Remote, place: RemoteFile, file: PackageFile, counted: "_Counted") -> None:
        with self._records.lock:
            if self._store.holds(file.sha256):  # the same content under another name
                counted.was_here(file.size)
                return
            sink = self._store.partial(file.sha256, file.size)
        with sink:
            counted.was_here(sink.tell())
            remote.fetch(place, file.size, sink, counted.came)
        self._course.checkpoint()
        with self._records.lock:
            try:
                self._store.keep(file.sha256, file.size)
            except Rejected as error:
                raise Rejected(error.reason, f"{file.path!r} is not what was signed: {error}") from error

    def _envelope(self) -> _Envelope:
        noted = self._records.noted(_PACKAGE)
        if noted is None:
            raise Rejected(Refusal.NOT_A_PACKAGE, "What was downloaded is not on this box any more; start it again.")
        statement, signature = (PackageFile(name, *noted[name]) for name in (RELEASE_FILE, SIGNATURE_FILE))
        return _Envelope(statement, signature)

    def _blob(self, digest: str) -> Path:
        return self._store.folder / "blobs" / "sha256" / digest


class _Counted:
    """How far a download got; told some times a second, and a place where it can be stopped."""

    def __init__(self, course: Course, here: int, fetched: int) -> None:
        """`here`: bytes that need not come; `fetched`: bytes that came in earlier attempts."""
        self._course = course
        self._done = here
        self._fetched = fetched
        self._told_s = 0.0

    def was_here(self, count: int) -> None:
        self._done += count

    def forget(self, count: int) -> None:
        self._done = max(0, self._done - count)

    def came(self, count: int) -> None:
        """Raises: Moved, Stopping."""
        self._done += count
        self._fetched += count
        if time.monotonic() - self._told_s > _TOLD_S:
            self.tell()
            self._course.checkpoint()

    def tell(self) -> None:
        self._told_s = time.monotonic()
        self._course.tell(Fetched(self._done, self._fetched))


def _read(remote: Remote, offered: dict[str, RemoteFile], name: str, max_bytes: int) -> bytes:
    file = offered.get(name)
    if file is None:
        raise Rejected(
            Refusal.SIGNATURE,
            f"The package has no {name}: it is not signed. Sign it with `appliance sign`, and push it.",
        )
    return remote.read(file, max_bytes)


def _check_listing(listing: Listing, statement: Statement) -> None:
    """What the place lists is what was signed; a folder lists nothing but the two files beside. Raises: Rejected."""
    offered = {file.path: file for file in listing.files if file.path not in BESIDE}
    if not offered:
        return
    signed = {file.path: file for file in statement.files}
    for path in sorted(offered.keys() - signed.keys()):
        raise Rejected(Refusal.EXTRA_FILE, f"{listing.seen.reference} holds {path!r}, which was not signed.")
    for path, file in sorted(signed.items()):
        there = offered.get(path)
        if there is None:
            raise Rejected(Refusal.MISSING_FILE, f"{listing.seen.reference} lacks {path!r}, which was signed.")
        if there.size > file.size:
            raise Rejected(
                Refusal.TOO_LARGE,
                f"{path!r} has {there.size} bytes at {listing.seen.reference}; {file.size} were signed.",
            )
        if there.size != file.size or there.sha256 not in {None, file.sha256}:
            raise Rejected(Refusal.CONTENT, f"{path!r} at {listing.seen.reference} is not what was signed.")


def _beside(statement_file: RemoteFile, file: PackageFile) -> RemoteFile:
    """A file of a place that lists none: it lies beside the statement."""
    folder = statement_file.key.removesuffix(RELEASE_FILE)
    return RemoteFile(file.path, file.size, file.sha256, folder + file.path)


def _having_revoked(facts: Facts, statement: Statement) -> Facts:
    """What it revokes is revoked from now on."""
    return replace(facts, revoked=tuple(dict.fromkeys((*facts.revoked, *statement.revokes))))


def _having_verified(facts: Facts, statement: Statement) -> Facts:
    """Floors rise."""
    is_newest = statement.release >= facts.release_floor
    return replace(
        _having_revoked(facts, statement),
        release_floor=max(facts.release_floor, statement.release),
        floor_digest=statement.digest if is_newest else facts.floor_digest,
        time_floor=max(facts.time_floor or "", utc(statement.issued)),
        versions={**facts.versions, str(statement.version): statement.digest},
    )


def _known(value: int | None) -> int:
    if value is None:
        raise RuntimeError("a deployment beyond its download has a release")
    return value
