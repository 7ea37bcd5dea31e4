"""Versions come and go while clients ask, and no request fails."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from running import until
from served import Clients, model_list, one_model, publish, refused


def both(bases, tmp_path, server, *flags):
    """Two models in one process, under the names two and three."""
    config = tmp_path / "models.config"
    config.write_text(model_list(one_model("two", bases / "two"), one_model("three", bases / "three")))
    return server(f"--model_config_file={config}", *flags).up()


def test_sixteen_clients_see_a_swap_and_no_failure(server, bases, saved_models, tmp_path):
    box = both(bases, tmp_path, server)
    client = box.client()
    with Clients(box, 12, "two", x=[1.0]) as swapped, Clients(box, 4, "three", x=[1.0]) as neighbours:
        publish(saved_models / "plus_4", bases / "two", 2)
        until(lambda: swapped.all_are_at(2), "every client to be answered by version 2", 20)
        until(lambda: client.states("two")[1][0] == "END", "version 1 to be unloaded", 20)
    assert swapped.failures == neighbours.failures == []
    for versions in swapped.versions():
        assert all(before <= after for before, after in pairwise(versions))
    for version, values in {(version, tuple(values)) for answers in swapped.answers for version, values in answers}:
        assert values == ((2.5,) if version == 1 else (4.5,))
    assert {tuple(values) for answers in neighbours.answers for _, values in answers} == {(3.5,)}
    assert client.states("two") == {2: ("AVAILABLE", 0), 1: ("END", 0)}


def test_a_broken_version_leaves_the_old_one_serving(server, bases):
    box = server(f"--model_base_path={bases / 'two'}", "--model_name=two").up()
    client = box.client()
    with Clients(box, 4, "two", x=[1.0]) as clients:
        folder = bases / "two" / "2.new"
        folder.mkdir()
        (folder / "saved_model.pb").write_bytes(b"broken")
        folder.rename(bases / "two" / "2")
        until(lambda: client.states("two").get(2, ("",))[0] == "END", "the broken version to be given up", 20)
    assert clients.failures == []
    assert clients.all_are_at(1)
    assert client.states("two")[2][1] != 0


def test_removing_the_newest_version_brings_the_one_before_back(server, bases, saved_models):
    publish(saved_models / "plus_4", bases / "two", 2)
    box = server(f"--model_base_path={bases / 'two'}", "--model_name=two").up()
    assert box.client().predict("two", x=[1.0]) == (2, [4.5])
    with Clients(box, 4, "two", x=[1.0]) as clients:
        (bases / "two" / "2").rename(bases / "two" / "2.denied")
        until(lambda: clients.all_are_at(1), "version 1 to be back", 20)
    assert clients.failures == []


def test_an_emptied_folder_unloads_nothing_unless_that_is_wished(server, bases):
    kept = server(f"--model_base_path={bases / 'two'}").up()
    dropped = server(f"--model_base_path={bases / 'two'}", "--servable_versions_always_present=false").up()
    client = dropped.client()
    (bases / "two" / "1").rename(bases / "two" / "1.away")
    until(lambda: client.states("default")[1][0] == "END", "the model to be unloaded", 20)
    assert refused(client.predict, "default", x=[1.0])[0] == "NOT_FOUND"
    until(lambda: "No version of default" in kept.log(), "the other server to see the same", 20)
    assert kept.client().predict("default", x=[1.0]) == (1, [2.5])


def test_a_request_under_way_keeps_its_version(server, bases, saved_models):
    """Two seconds of work on version 1, while version 2 replaces it."""
    box = server(f"--model_base_path={bases / 'slow'}").up()
    client = box.client()
    turns = 300_000
    with ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(client.predict, "default", turns=turns)
        publish(saved_models / "plus_2", bases / "slow", 2)
        until(lambda: client.states("default").get(2, ("",))[0] == "AVAILABLE", "version 2 to serve", 20)
        assert under_way.result(30) == (1, [turns])
    until(lambda: client.states("default")[1][0] == "END", "version 1 to be unloaded", 20)


def test_signatures_without_inputs_are_called_for_what_they_do(server, bases):
    client = server(f"--model_base_path={bases / 'counter'}").up().client()

    def call(signature, **inputs):
        return client.predict("default", signature=signature, **inputs)[1]

    assert call("get_counter") == [0.0]
    assert call("incr_counter") == [1.0]
    assert call("reset_counter") == [0.0]
    assert call("incr_counter") == [1.0]
    assert call("incr_counter_by", delta=3.0) == [4.0]
