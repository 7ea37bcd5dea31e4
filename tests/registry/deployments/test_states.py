import itertools

from appliance.registry.deployments.states import BEFORE_SWITCH, ENDS, ON_DISK, SERVING, TRANSITIONS, State

S = State
SPINE = [
    S.PENDING, S.DOWNLOADING, S.VERIFYING, S.STAGED, S.LOADING, S.ACCEPTING, S.SHADOWING, S.CANARY, S.ACTIVATING,
    S.PROBATION, S.SUCCESS,
]  # fmt: skip


def test_the_way_of_a_good_release():
    assert all(to in TRANSITIONS[state] for state, to in itertools.pairwise(SPINE))


def test_nothing_of_the_way_can_be_left_out_but_shadow_and_canary():
    jumps = {
        (state, to)
        for state in SPINE[:-1]
        for to in TRANSITIONS[state]
        if to in SPINE and SPINE.index(to) - SPINE.index(state) != 1
    }
    assert jumps == {(S.ACCEPTING, S.CANARY), (S.ACCEPTING, S.ACTIVATING), (S.SHADOWING, S.ACTIVATING)}


def test_no_way_leads_back():
    for state in SPINE[:-1]:
        assert not any(SPINE.index(to) <= SPINE.index(state) for to in TRANSITIONS[state] if to in SPINE)


def test_every_state_can_be_reached_from_pending_and_reaches_an_end():
    reached = {S.PENDING}
    for _ in S:
        reached |= {to for state in reached for to in TRANSITIONS.get(state, ())}
    assert reached == set(S)
    ending = set(ENDS)
    for _ in S:
        ending |= {state for state, follows in TRANSITIONS.items() if follows & ending}
    assert ending == set(S)


def test_the_ends():
    words = "success already_installed rejected failed rolled_back rollback_failed superseded canceled timed_out"
    assert {state.value for state in ENDS} == set(words.split())


def test_only_what_was_verified_can_lie_in_the_store_or_serve():
    unverified = {S.PENDING, S.DOWNLOADING, S.VERIFYING}
    assert not unverified & ON_DISK
    assert [state for state in TRANSITIONS if S.STAGED in TRANSITIONS[state]] == [S.VERIFYING]
    for state in SERVING:
        assert not any(state in TRANSITIONS[early] for early in BEFORE_SWITCH)


def test_a_rollback_begins_only_where_the_pointer_may_have_moved():
    assert {state for state in TRANSITIONS if S.ROLLING_BACK in TRANSITIONS[state]} == {S.ACTIVATING, S.PROBATION}
    assert {state for state in TRANSITIONS if S.ROLLED_BACK in TRANSITIONS[state]} == {S.ROLLING_BACK}


def test_what_a_person_or_a_newer_wish_stops_is_before_the_switch():
    for end in (S.SUPERSEDED, S.CANCELED, S.TIMED_OUT, S.REJECTED):
        assert {state for state in TRANSITIONS if end in TRANSITIONS[state]} == set(BEFORE_SWITCH)
