"""--load_on_first_request: nothing is loaded that nobody asks for."""

from running import until
from served import labels, model_list, one_model, publish, refused


def test_a_model_is_loaded_by_its_first_request(server, bases, broken, saved_models, tmp_path):
    config = tmp_path / "models.config"
    config.write_text(
        model_list(
            one_model("two", bases / "two", labels(stable=1)),
            one_model("three", bases / "three"),
            one_model("broken", broken),
        )
    )
    box = server(f"--model_config_file={config}", "--load_on_first_request").up()
    client = box.client()
    assert refused(client.states, "two") == ("NOT_FOUND", "Could not find any versions of model two")
    assert client.predict("two", x=[1.0]) == (1, [2.5])
    assert client.predict("two", label="stable", x=[1.0]) == (1, [2.5])
    assert client.states("two") == {1: ("AVAILABLE", 0)}
    assert refused(client.states, "three")[0] == "NOT_FOUND"
    for _ in range(2):  # told to who asks, and tried again
        assert refused(client.predict, "broken", x=[1.0])[0] != "OK"
    assert refused(client.predict, "two", version=7, x=[1.0])[0] == "NOT_FOUND"
    publish(saved_models / "plus_4", bases / "two", 2)
    until(lambda: client.predict("two", x=[1.0]) == (2, [4.5]), "the new version to be answered", 20)
    until(lambda: client.states("two")[1][0] == "END", "the old one to be unloaded", 20)
    client.reload(one_model("three", bases / "three"))
    assert refused(client.predict, "two", x=[1.0])[0] == "NOT_FOUND"
    assert client.predict("three", x=[1.0]) == (1, [3.5])
    assert box.stop() == 0
