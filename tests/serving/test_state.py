from appliance.serving.state import PUBLIC, TRANSITIONS, HarnessState, ManagerState

S = HarnessState


def test_every_state_has_a_sentence_of_its_own():
    sentences = [state.sentence for state in S]
    assert all(sentence.endswith(".") for sentence in sentences)
    assert len(set(sentences)) == len(S)


def test_every_state_has_its_row_and_its_public_face():
    assert set(TRANSITIONS) == set(S)
    assert set(PUBLIC) == set(S)


def test_every_state_can_be_reached_from_new():
    reached = {S.NEW}
    for _ in S:
        reached |= {to for state in reached for to in TRANSITIONS[state]}
    assert reached == set(S)


def test_anything_but_an_error_can_fail_and_an_error_is_final():
    assert {state for state in S if S.ERROR in TRANSITIONS[state]} == set(S) - {S.ERROR}
    assert TRANSITIONS[S.ERROR] == frozenset()


def test_without_failure_there_is_one_way_from_new_to_disabled():
    way = [S.NEW]
    while onward := TRANSITIONS[way[-1]] - {S.ERROR}:
        (step,) = onward
        way.append(step)
    assert way == list(S)[:-1]


def test_the_world_sees_the_five_states_in_order_and_never_backwards():
    way = [PUBLIC[state] for state in S if state is not S.ERROR]
    order = list(ManagerState)
    assert [order.index(state) for state in way] == sorted(order.index(state) for state in way)
    assert set(way) == set(order)


def test_labels_are_tensorflow_servings():
    assert S.LOAD_REQUESTED.value == "load-requested"
    assert S("quiescing") is S.QUIESCING
