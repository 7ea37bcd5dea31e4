"""Another configuration: over gRPC, from the file that is looked at, or at SIGHUP."""

import signal

from running import until
from served import Clients, labels, model_list, one_model, publish, refused


def test_a_reload_over_grpc_adds_drops_and_moves_models(server, bases, saved_models):
    two, three = one_model("two", bases / "two"), one_model("three", bases / "three")
    box = server(f"--model_base_path={bases / 'two'}", "--model_name=two").up()
    client = box.client()
    with Clients(box, 4, "two", x=[1.0]) as clients:
        response = client.reload(two, three, metrics=["/tensorflow/cc/saved_model/load_attempt_count", "/no/such"])
        assert client.predict("three", x=[1.0]) == (1, [3.5])
        assert response.status.error_code == 0
        assert {each.name: each.int64_value_increase for each in response.metric} == {
            "/tensorflow/cc/saved_model/load_attempt_count": 0,  # the first label combination is two's
            "/no/such": 0,
        }
        client.reload(two, three)  # the same again: nothing changes
    assert clients.failures == []

    client.reload(three)
    until(lambda: client.states("two")[1][0] == "END", "two to be unloaded", 20)
    assert refused(client.predict, "two", x=[1.0]) == ("NOT_FOUND", "Servable not found for request: Latest(two)")
    client.reload(two)
    assert client.predict("two", x=[1.0]) == (1, [2.5])

    publish(saved_models / "plus_4", bases / "elsewhere", 5)
    client.reload(one_model("two", bases / "elsewhere"))
    until(lambda: client.predict("two", x=[1.0]) == (5, [4.5]), "the version of the new path", 20)
    client.reload()
    until(lambda: client.states("two")[5][0] == "END", "everything to be unloaded", 20)


def test_a_failed_reload_changes_nothing(server, bases, broken):
    two = one_model("two", bases / "two")
    box = server(f"--model_base_path={bases / 'two'}", "--model_name=two").up()
    client = box.client()
    with Clients(box, 4, "two", x=[1.0]) as clients:
        code, text = refused(client.reload, one_model("three", bases / "three"), one_model("broken", broken))
        assert code == "UNKNOWN"
        assert text.startswith("1 model(s) did not become available: {{{name: broken version: 1} due to error: ")
        code, text = refused(client.reload, one_model("x", bases / "no-such-folder"))
        assert (code, "Could not find base path" in text) == ("UNKNOWN", True)
        code, text = refused(client.reload, two, two)
        assert (code, text) == ("INVALID_ARGUMENT", "Illegal to list model two multiple times in config list")
        code, text = refused(client.reload, 'config { name: "x" base_path: "/x" model_platform: "torch" }')
        assert (code, text) == ("INVALID_ARGUMENT", "Model x requests unsupported platform torch")
    assert clients.failures == []
    client.reload(two, one_model("x", bases / "three"))  # x of all names: nothing of it was kept
    assert client.predict("x", x=[1.0]) == (1, [3.5])


def test_labels_point_at_what_serves(server, bases, saved_models):
    publish(saved_models / "plus_4", bases / "two", 2)

    def entry(**pairs):
        return one_model("two", bases / "two", f"model_version_policy {{ all {{}} }} {labels(**pairs)}")

    config = bases / "models.config"
    config.write_text(model_list(entry()))
    box = server(f"--model_config_file={config}").up()
    client = box.client()
    until(lambda: [state for state, _ in client.states("two").values()] == ["AVAILABLE"] * 2, "both versions", 20)
    client.reload(entry(stable=1, canary=2))
    assert client.predict("two", label="stable", x=[1.0]) == (1, [2.5])
    assert client.predict("two", label="canary", x=[1.0]) == (2, [4.5])
    assert box.get("/v1/models/two/labels/canary:predict", {"instances": [1.0]})[0] == 200
    assert refused(client.predict, "two", label="nonexistent", x=[1.0]) == (
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: nonexistent",
    )
    code, text = refused(client.reload, entry(stable=2, canary=100))
    assert (code, text) == (
        "FAILED_PRECONDITION",
        "Request to assign label to version 100 of model two, which is not currently available for inference",
    )
    assert client.predict("two", label="stable", x=[1.0]) == (1, [2.5])


def test_the_first_configuration_may_have_labels_of_versions_that_come(server, bases):
    config = bases / "models.config"
    config.write_text(model_list(one_model("two", bases / "two", labels(stable=1))))
    assert server(f"--model_config_file={config}").up().client().predict("two", label="stable", x=[1.0]) == (1, [2.5])


def test_labels_of_versions_to_come_need_the_flag(server, bases):
    config = bases / "models.config"
    config.write_text(model_list(one_model("two", bases / "two", labels(stable=1, next=2))))
    refusing = server(f"--model_config_file={config}")
    assert refusing.exit_code() == 1
    assert "FAILED_PRECONDITION: Request to assign label to version 2 of model two" in refusing.log()
    allowing = server(f"--model_config_file={config}", "--allow_version_labels_for_unavailable_models=true").up()
    assert allowing.client().predict("two", label="stable", x=[1.0]) == (1, [2.5])


def test_the_configurations_file_is_looked_at(server, bases):
    config = bases / "models.config"
    config.write_text(model_list(one_model("two", bases / "two")))
    box = server(f"--model_config_file={config}", "--model_config_file_poll_wait_seconds=1").up()
    client = box.client()
    config.write_text("model_config_list { broken")
    until(lambda: "was not applied, and what serves goes on serving" in box.log(), "the broken text to be told", 20)
    assert client.predict("two", x=[2.0]) == (1, [3.0])
    config.write_text(model_list(one_model("three", bases / "three")))
    until(lambda: "three" in _served(client), "the new model", 20)
    assert client.predict("three", x=[2.0]) == (1, [4.0])
    until(lambda: "two" not in _served(client), "the old one to be gone", 20)


def test_without_that_flag_nothing_changes_before_sighup(server, bases):
    config = bases / "models.config"
    config.write_text(model_list(one_model("two", bases / "two")))
    box = server(f"--model_config_file={config}").up()
    client = box.client()
    config.write_text(model_list(one_model("two", bases / "two"), one_model("three", bases / "three")))
    assert refused(client.predict, "three", x=[2.0])[0] == "NOT_FOUND"
    box.tell(signal.SIGHUP)
    until(lambda: "three" in _served(client), "the new model", 20)
    config.write_text("broken")
    box.tell(signal.SIGHUP)
    until(lambda: "was not applied" in box.log(), "the broken text to be told", 20)
    assert client.predict("two", x=[2.0]) == (1, [3.0])


def _served(client):
    return {name for name in ("two", "three") if "AVAILABLE" in str(_states(client, name))}


def _states(client, name):
    try:
        return client.states(name)
    except Exception:
        return {}
