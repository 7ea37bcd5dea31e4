from appliance.outbox.sender.retained import Retained


def take(retained):
    topic, payload = retained.next_to_send()
    retained.sent(topic)
    return topic, payload


def test_only_the_newest_is_sent():
    retained = Retained()
    retained.put("health", b"1")
    retained.put("health", b"2")
    assert take(retained) == ("health", b"2")
    assert retained.next_to_send() is None


def test_the_same_again_is_not_sent():
    retained = Retained()
    retained.put("health", b"1")
    take(retained)
    retained.received("health")
    retained.put("health", b"1")
    assert retained.next_to_send() is None
    assert retained.is_settled


def test_a_change_waits_for_the_receipt_of_the_one_before():
    retained = Retained()
    retained.put("health", b"1")
    take(retained)
    retained.put("health", b"2")
    assert retained.next_to_send() is None
    retained.received("health")
    assert take(retained) == ("health", b"2")


def test_a_new_connection_gets_everything_and_availability_first():
    retained = Retained()
    for topic in ("health", "availability", "model"):
        retained.put(topic, topic.encode())
        take(retained)
    retained.start_again(first="availability")
    assert [take(retained)[0] for _ in range(3)] == ["availability", "health", "model"]


def test_a_refused_topic_is_left_out_until_it_is_forgiven():
    retained = Retained()
    retained.put("last", b"1")
    take(retained)
    retained.refused("last")
    retained.put("last", b"2")
    retained.start_again(first="availability")
    assert retained.next_to_send() is None
    assert retained.is_settled
    retained.forgive()
    assert take(retained) == ("last", b"2")
