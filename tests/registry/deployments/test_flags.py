from dataclasses import replace

from appliance.registry.deployments.flags import Facts, Flags, GoTo, HeldRelease, KeepAndAlarm, flags_of, when_revoked

CALM = Facts(
    paused=False,
    pinned=False,
    serving_digest="sha256:7",
    revoked=(),
    unheard_s=10,
    running_s=99_999,
    stale_after_s=3600,
)


def test_a_calm_box_has_no_flag():
    calm = Flags(paused=False, pinned=False, revoked=False, stale=False, update_available=False)
    assert flags_of(CALM) == calm
    assert flags_of(replace(CALM, newest_digest="sha256:7")) == calm


def test_each_flag_follows_from_its_fact():
    assert flags_of(replace(CALM, paused=True)).paused
    assert flags_of(replace(CALM, pinned=True)).pinned
    assert flags_of(replace(CALM, revoked=["sha256:7"])).revoked
    assert flags_of(replace(CALM, unheard_s=3601)).stale
    assert not flags_of(replace(CALM, unheard_s=3600)).stale
    assert flags_of(replace(CALM, newest_digest="sha256:8")).update_available


def test_a_box_that_never_heard_anything_is_stale_after_its_time():
    assert flags_of(replace(CALM, unheard_s=None)).stale
    assert not flags_of(replace(CALM, unheard_s=None, running_s=60)).stale


def test_a_revoked_release_is_no_update_and_an_empty_line_is_not_revoked():
    assert not flags_of(replace(CALM, newest_digest="sha256:8", revoked=["sha256:8"])).update_available
    assert not flags_of(replace(CALM, serving_digest=None, revoked=["sha256:8"])).revoked


def held(release: int, *, proven: bool = True) -> HeldRelease:
    return HeldRelease(release, f"sha256:{release}", proven)


def test_what_serves_and_is_not_revoked_stays():
    assert when_revoked("sha256:7", [held(7), held(6)], ["sha256:6"]) is None


def test_a_revoked_model_gives_way_to_the_one_that_served_last():
    assert when_revoked("sha256:7", [held(7), held(6), held(5)], ["sha256:7"]) == GoTo(6)
    assert when_revoked("sha256:7", [held(7), held(6), held(5)], ["sha256:7", "sha256:6"]) == GoTo(5)


def test_never_to_one_that_proved_nothing_here():
    assert when_revoked("sha256:7", [held(8, proven=False), held(5)], ["sha256:7"]) == GoTo(5)


def test_the_same_content_under_another_release_is_revoked_too():
    again = HeldRelease(9, "sha256:7", proven=True)
    assert isinstance(when_revoked("sha256:7", [again], ["sha256:7"]), KeepAndAlarm)


def test_where_nothing_better_is_the_line_goes_on_and_says_so():
    found = when_revoked("sha256:7", [held(7), held(6)], ["sha256:7", "sha256:6"])
    assert isinstance(found, KeepAndAlarm)
    assert "sha256:7 is revoked and serves on" in found.detail
