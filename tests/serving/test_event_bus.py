from appliance.serving import EventBus


def test_what_is_published_is_heard_when_it_is_delivered_by_all_and_in_order():
    bus, one, two = EventBus(), [], []
    bus.subscribe(one.append)
    bus.subscribe(two.append)
    bus.publish("a")
    bus.publish("b")
    assert one == []
    bus.deliver()
    assert (one, two) == (["a", "b"], ["a", "b"])


def test_who_left_hears_nothing_and_the_same_listener_may_come_back():
    bus, heard = EventBus(), []
    listen = heard.append
    leave = bus.subscribe(listen)
    leave()
    leave()
    bus.publish("a")
    bus.deliver()
    bus.subscribe(listen)
    bus.publish("b")
    bus.deliver()
    assert heard == ["b"]


def test_a_listener_may_leave_while_it_is_told():
    bus, heard = EventBus(), []

    def once(event):
        heard.append(event)
        leave()

    leave = bus.subscribe(once)
    for event in "ab":
        bus.publish(event)
    bus.deliver()
    assert heard == ["a"]
