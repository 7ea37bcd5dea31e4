"""Deployments under fire: any order of work, crashes, people and newer wishes, on a tiny model of a box.

What must hold whatever happens: the line has a model, that model is verified, at most one deployment lives, each comes
to an end, and its end says what is true of the line.
"""

import json

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from registry.deployments.making import LATER, strategy

from appliance.registry.deployments import events as e
from appliance.registry.deployments.deployment import MOVES_MAX, Deployment
from appliance.registry.deployments.machine import after, is_before_switch
from appliance.registry.deployments.states import BEFORE_SWITCH, ON_DISK, State

S = State
FACTORY = 0
HOLD = e.Hold("window", "shut")


def digest(release: int) -> str:
    return f"sha256:{release:064x}"


class Box:
    """What survives a crash (disk, journal) and how the driver does the act of each state. All acts are idempotent."""

    def __init__(self, asks) -> None:
        self.asks = asks
        self.current = FACTORY
        self.previous: int | None = None
        self.verified = {FACTORY}
        self.untrusted: set[int] = set()
        self.served_before: int | None = None
        self.live: Deployment | None = None
        self.over: list[Deployment] = []
        self.before_is_gone = False

    def wish(self, release: int) -> None:
        """The newest wins where it still may; else it comes after the live one's end (here: is wished again)."""
        self.tell(e.Superseded(f"release {release}"))
        if self.live is None:
            self.served_before = self.current
            self.live = Deployment(str(release), "m", f"oci:{release}", digest(release), "ci", LATER, LATER)

    def tell(self, event: e.Event) -> None:
        if self.live is None:
            return
        now = after(self.live, event, self.asks, LATER)
        self.live = Deployment.from_json(json.loads(json.dumps(now.as_json())))  # as a restart would read it
        assert self.live == now
        if now.is_over:
            self.put_away(now)

    def put_away(self, end: Deployment) -> None:
        release = int(end.id)
        if end.state in {S.SUCCESS, S.ROLLBACK_FAILED}:
            assert self.current == release
        else:
            assert self.current == self.served_before
            assert self.current != release
        if end.state in {S.ROLLED_BACK, S.FAILED, S.REJECTED, S.TIMED_OUT, S.CANCELED, S.SUPERSEDED}:
            assert end.reason
            assert end.detail
        self.over.append(end)
        self.live = None

    def act(self) -> e.Event | None:
        """Do what the state asks for, and say what happened; None: it waits."""
        live, release = self.live, int(self.live.id)
        if live.waiting_for is not None:
            return None
        match live.state:
            case S.PENDING:
                return e.Began()
            case S.DOWNLOADING:
                return e.Downloaded() if live.digest else e.StatementVerified(release, release, digest(release), 10)
            case S.VERIFYING if release in self.untrusted:
                return e.Refused("content", "a file is not what was signed")
            case S.VERIFYING:
                self.verified.add(release)
                return e.Verified()
            case S.STAGED:
                return e.Staged()
            case S.LOADING:
                assert release in self.verified, "an unverified model was about to be loaded"
                return e.Loaded()
            case S.ACCEPTING:
                return e.Accepted({}, hold=HOLD)
            case S.SHADOWING:
                return e.ShadowPassed({"parts": 1})
            case S.CANARY:
                return e.CanaryPassed({"parts": 1}, hold=HOLD)
            case S.ACTIVATING:
                if self.current != release:
                    self.current, self.previous = release, self.current
                return e.Activated(self.previous)
            case S.PROBATION:
                return e.Committed({"running_digest": digest(self.current)})
            case S.ROLLING_BACK if self.current == release and self.before_is_gone:
                return e.RollbackFailed("its files are gone")
            case S.ROLLING_BACK:
                if self.current == release:
                    self.current = self.previous
                return e.RolledBack()


class Histories(RuleBasedStateMachine):
    @initialize(
        shadow=st.booleans(),
        canary=st.booleans(),
        approve=st.booleans(),
        restarts=st.integers(min_value=0, max_value=2),
    )
    def begin(self, shadow, canary, approve, restarts) -> None:
        self.box = Box(strategy(shadow=int(shadow), canary=int(canary), approve=approve, restarts=restarts))
        self.releases = 0

    def wish(self, *, trusted: bool) -> None:
        self.releases += 1
        if not trusted:
            self.box.untrusted.add(self.releases)
        self.box.wish(self.releases)

    @precondition(lambda self: self.box.live is None)
    @rule(trusted=st.sampled_from([True, True, True, False]))
    def first_wish(self, trusted) -> None:
        self.wish(trusted=trusted)

    @precondition(lambda self: self.box.live is not None)
    @rule(steps=st.integers(min_value=1, max_value=6))
    def go_on(self, steps) -> None:
        for _ in range(steps):
            self.step()

    @precondition(lambda self: self.box.live is not None and self.box.live.state in BEFORE_SWITCH)
    @rule()
    def go_on_to_the_switch(self) -> None:
        for _ in range(30):
            if self.box.live is not None and self.box.live.state in BEFORE_SWITCH:
                self.step()

    def step(self) -> None:
        """The driver's, or that of the person for whom it waits."""
        if self.box.live is not None:
            asked = e.Approved("anna") if self.box.live.waiting_for == "approval" else e.Unheld()
            self.box.tell(self.box.act() or asked)

    @rule()
    def the_release_before_gets_lost(self) -> None:
        self.box.before_is_gone = not self.box.before_is_gone

    @precondition(lambda self: self.box.live is not None)
    @rule(line=st.booleans())
    def crash_after_the_act(self, line) -> None:
        """The act is done, and nobody heard of it."""
        self.box.act()
        self.box.tell(e.Crashed(line=line))

    @rule(line=st.booleans(), times=st.sampled_from([1, 1, 1, 2, 5, MOVES_MAX]))
    def crash(self, line, times) -> None:
        for _ in range(times):
            self.box.tell(e.Crashed(line=line))

    @rule(
        event=st.sampled_from(
            [e.Approved("anna"), e.Approved("anna", HOLD), e.Unheld(), e.Disappointed("requested", "anna asks")]
        )
    )
    def someone_asks(self, event) -> None:
        self.box.tell(event)

    @precondition(lambda self: self.box.live is not None and self.box.live.state is not S.ROLLING_BACK)
    @rule(
        event=st.sampled_from(
            [
                e.Canceled("anna"),
                e.Superseded("release 99"),
                e.Refused("revoked", "by release 99"),
                e.TimedOut("a day is over"),
                e.Failed("oom", "no memory"),
                e.Held("pause", "paused"),
                None,
            ]
        )
    )
    def trouble(self, event) -> None:
        """Of what its driver says, only what it can say in that state; a newer wish comes at any time."""
        live = self.box.live
        if event is None:
            self.wish(trusted=True)
        elif isinstance(event, e.Held) and live.state not in BEFORE_SWITCH:
            pass
        elif isinstance(event, e.Failed) and live.state is S.ACTIVATING and self.box.current == int(live.id):
            self.box.tell(e.Disappointed("load_error", "the pointer has moved"))
        else:
            self.box.tell(event)

    @invariant()
    def the_line_serves_a_verified_model(self) -> None:
        if hasattr(self, "box"):
            assert self.box.current is not None
            assert self.box.current in self.box.verified

    @invariant()
    def before_the_switch_the_line_serves_what_it_served(self) -> None:
        live = self.box.live if hasattr(self, "box") else None
        if live is not None and live.state in BEFORE_SWITCH:
            assert self.box.current == self.box.served_before
        if live is not None and live.state in ON_DISK:
            assert int(live.id) in self.box.verified
        if live is not None:
            assert live.moves <= MOVES_MAX
        if live is not None and live.waiting_for == "approval":
            assert is_before_switch(live)
            assert live.approved_by is None

    @invariant()
    def nobody_serves_unapproved(self) -> None:
        live = self.box.live if hasattr(self, "box") else None
        if live is not None and self.box.asks.approve and live.state in {S.ACTIVATING, S.PROBATION}:
            assert live.approved_by is not None

    @invariant()
    def every_deployment_is_over_but_one(self) -> None:
        if hasattr(self, "box"):
            assert len({one.id for one in self.box.over}) == len(self.box.over)
            assert all(one.is_over for one in self.box.over)

    def teardown(self) -> None:
        """Left alone, every run ends."""
        box = getattr(self, "box", None)
        for _ in range(40):
            if box is None or box.live is None:
                return
            event = box.act()
            if event is None:
                event = e.Approved("anna") if box.live.waiting_for == "approval" else e.Unheld()
            box.tell(event)
        raise AssertionError(f"it does not come to an end: {box.live}")


TestHistories = Histories.TestCase
TestHistories.settings = settings(
    max_examples=250, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
