"""`appliance models`, as an engineer meets it: against `appliance serve`, and against nobody."""

import json
import subprocess
import sys

import numpy as np
import pytest
from model_server import OTHER, ModelServer
from running import free_port, until

from appliance.protos import message

SERVER_COMMANDS = [
    ("status", "half_plus"),
    ("show", "half_plus"),
    ("predict", "half_plus", "--input", "x=1"),
    ("predict", "half_plus", "--input", "x=1", "--via", "rest"),
]


def row(text, fact):
    [found] = [line.split() for line in text.splitlines() if line.startswith(f"  {fact} ")]
    return found


@pytest.mark.parametrize("command", ["", "list", "status", "show", "predict", "reload", "label"])
def test_each_command_explains_itself_with_examples(said, command):
    code, out, _ = said(*filter(None, [command]), "--help")
    assert code == 0
    assert "example" in out
    assert f"appliance models {command}".rstrip() in out


def test_help_and_a_folder_start_no_heavy_library(model_folder):
    """Nothing waits for TensorFlow, and no GPU is taken from the line, to see what a folder holds."""
    code = "import sys, appliance.cli\n"
    code += "try: appliance.cli.main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print(sorted({'cv2', 'grpc', 'numpy', 'tensorflow', 'paho', 'flask'} & set(sys.modules)))"
    for arguments, loaded in [(["--help"], "[]\n"), (["show", str(model_folder / "colours")], "['numpy']\n")]:
        command = [sys.executable, "-c", code, "models", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, check=True)
        assert ended.stdout.endswith(loaded)


def test_list_shows_every_model_with_versions_and_labels(asked):
    code, out, _ = asked("list")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines()}
    assert set(rows) == {"model", "colours", "dense", "half_plus", "jpeg_colours", "lengths", "slow"}
    assert "2, 1" in rows["half_plus"]
    assert "stable=1" in rows["half_plus"]


def test_status_shows_each_version_its_state_age_and_label(asked):
    code, out, _ = asked("status", "half_plus")
    assert code == 0
    first, second = out.splitlines()[1:]
    assert first.split()[:3] == ["half_plus", "2", "AVAILABLE"]
    assert second.split()[:3] == ["half_plus", "1", "AVAILABLE"]
    assert "stable" in second
    assert " s " in first or " min " in first


def test_status_says_why_a_version_failed_and_whoever_asks_it_is_sent_there(said, tmp_path):
    (tmp_path / "broken" / "3").mkdir(parents=True)
    (tmp_path / "broken" / "3" / "saved_model.pb").write_bytes(b"no model")
    text = f"model_config_list {{ {OTHER.format(name='broken', folder=tmp_path)} }}"
    server = ModelServer(tmp_path, "--start_with_failed_models", config=text)
    try:
        for where in (("--server", server.server, "--rest", server.rest), ("--server", server.server)):
            code, out, _ = said("status", "broken", *where)
            assert code == 0
            assert out.splitlines()[1].split()[:3] == ["broken", "3", "END"]
            assert f"{tmp_path}/broken/3/saved_model.pb" in out
        code, _, err = said("show", "broken", *where)
        assert code == 1
        assert "3 (END)" in err
        assert "appliance models status broken" in err
    finally:
        server.end()


def test_status_needs_grpc_only_and_then_knows_no_age(said, served):
    code, out, _ = said("status", "half_plus", "--server", served.server)
    assert code == 0
    assert out.splitlines()[1].split() == ["half_plus", "2", "AVAILABLE", "-", "-", "-"]


def test_status_of_all_as_json(asked):
    code, out, _ = asked("status", "--json")
    found = {model["name"]: model for model in json.loads(out)}
    assert code == 0
    assert found["half_plus"]["labels"] == {"stable": 1}
    assert found["colours"]["versions"][0]["classes"] == ["red", "green", "blue"]
    assert found["colours"]["versions"][0]["digest"].startswith("sha256:")


def test_show_says_the_same_of_a_server_and_of_the_folder(asked, model_folder):
    code, of_server, _ = asked("show", "colours")
    assert code == 0
    code, of_folder, _ = asked("show", model_folder / "colours")
    assert code == 0
    table = of_folder[of_folder.index("serving_default") :]
    assert of_server.endswith(table)
    assert "image" in table
    assert "uint8    [any, 8, 12, 3]  serving_default_image:0" in table
    for fact in ("classes", "digest"):
        assert row(of_server, fact) == row(of_folder, fact)


def test_show_by_rest_alone_says_what_grpc_says(said, served):
    by_rest = said("show", "half_plus", "--label", "stable", "--rest", served.rest)
    by_both = said("show", "half_plus", "--label", "stable", "--rest", served.rest, "--server", served.server)
    assert by_rest == by_both
    assert "  version   1\n" in by_rest[1]


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_predict_shows_the_numbers(asked, way):
    code, out, _ = asked("predict", "half_plus", "--input", "x=1,2,5", "--via", way)
    assert code == 0
    assert out.startswith("half_plus version 2, serving_default, ")
    assert out.endswith("\ny  float32  [3]\n[3.5 4.  5.5]\n")


@pytest.mark.parametrize("way", ["grpc", "rest"])
@pytest.mark.parametrize("which", [("--version", 1), ("--label", "stable")])
def test_predict_asks_the_version_or_label_that_is_named(asked, way, which):
    code, out, _ = asked("predict", "half_plus", "--input", "x=1", "--via", way, *which)
    assert code == 0
    assert "version 1" in out
    assert "[2.5]" in out


def test_predict_in_this_process_needs_no_server(said, model_folder):
    code, out, _ = said("predict", model_folder / "half_plus", "--via", "process", "--input", "x=[1, 2, 5]")
    assert code == 0
    assert "version 2" in out
    assert "[3.5 4.  5.5]" in out


@pytest.mark.parametrize("way", ["grpc", "rest", "process"])
def test_a_picture_is_asked_about_and_the_classes_have_names(asked, model_folder, way):
    name = model_folder / "colours" if way == "process" else "colours"
    code, out, _ = asked("predict", name, "--image", model_folder / "red.jpg", "--via", way)
    assert code == 0
    lines = out.splitlines()
    assert lines[-4].split() == ["class", "score"]
    assert lines[-3].split()[0] == "red"
    assert float(lines[-3].split()[1]) > 0.9


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_a_model_that_decodes_by_itself_gets_the_file(asked, model_folder, way):
    code, out, _ = asked("predict", "jpeg_colours", "--image", model_folder / "red.jpg", "--via", way, "--json")
    assert code == 0
    [[red, green, blue]] = json.loads(out)["outputs"]["output_0"]["values"]
    assert red > 0.9 > green + blue


def test_a_picture_of_another_size_is_refused_or_squeezed(said, served, model_folder, tmp_path):
    import cv2

    big = tmp_path / "big.png"
    pixels = np.zeros((80, 120, 3), np.uint8)
    pixels[..., 0] = 255  # OpenCV's blue
    assert cv2.imwrite(str(big), pixels)
    code, _, err = said("predict", "colours", "--image", big, "--server", served.server)
    assert code == 1
    assert "120x80" in err
    assert "12x8" in err
    code, out, _ = said("predict", "colours", "--image", big, "--server", served.server, "--resize", "--json")
    assert code == 0
    assert np.argmax(json.loads(out)["outputs"]["scores"]["values"]) == 2


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_strings_go_in_from_a_file_and_come_out_as_text(asked, tmp_path, way):
    example = message("tensorflow.Example")()
    example.features.feature["length"].float_list.value.append(7.0)
    file = tmp_path / "example.pb"
    file.write_bytes(example.SerializeToString())
    code, out, _ = asked("predict", "lengths", "--input", f"inputs=@{file}", "--via", way)
    assert code == 0
    assert "classes  string  [1, 2]\n[['long' 'short']]" in out


def test_what_the_model_says_of_its_input_is_one_line(asked):
    code, _, err = asked("predict", "lengths", "--input", "inputs=abc")
    assert code == 1
    assert "Could not parse example input" in err
    assert "takes inputs string [any]" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_who_does_not_answer_in_time_is_told_of(asked, way):
    code, _, err = asked("predict", "slow", "--input", "turns=4000", "--timeout", "0.3", "--via", way)
    assert code == 1
    assert "within 0.3 s" in err
    assert "--timeout" in err


@pytest.mark.parametrize("command", SERVER_COMMANDS)
def test_no_server_is_one_sentence_that_says_what_to_start(said, command):
    nobody = f"127.0.0.1:{free_port()}"
    code, out, err = said(*command, "--server", nobody, "--rest", f"http://{nobody}")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert nobody in err
    assert "appliance serve" in err


def test_nobody_lists(said):
    code, _, err = said("list", "--rest", f"http://127.0.0.1:{free_port()}")
    assert code == 1
    assert "appliance serve" in err


@pytest.mark.parametrize("way", ["grpc", "rest"])
def test_an_unknown_model_names_those_there_are(asked, way):
    code, _, err = asked("predict", "nope", "--input", "x=1", "--via", way)
    assert code == 1
    assert "nope" in err
    assert "colours, dense, half_plus" in err


@pytest.mark.parametrize("way", ["grpc", "rest"])
@pytest.mark.parametrize("which", [("--version", 9), ("--label", "nope")])
def test_an_unknown_version_names_those_there_are(asked, way, which):
    code, _, err = asked("predict", "half_plus", "--input", "x=1", "--via", way, *which)
    assert code == 1
    assert "2 (AVAILABLE), 1 (AVAILABLE)" in err
    assert "stable=1" in err


def test_an_unknown_signature_names_those_there_are(asked):
    code, _, err = asked("predict", "half_plus", "--input", "x=1", "--signature", "nope")
    assert code == 1
    assert "serving_default" in err


@pytest.mark.parametrize(
    "wrong",
    [
        ("predict", "half_plus", "--input", "x"),
        ("predict", "half_plus", "--input", "x=1", "--input", "x=2"),
        ("predict", "half_plus", "--version", "one"),
        ("predict", "half_plus", "--version", "1", "--label", "stable"),
        ("predict", "half_plus", "--via", "process"),
        ("predict", "half_plus", "--timeout", "0"),
        ("label", "half_plus", "--config", "models.config"),
        ("label", "half_plus", "stable", "--config", "models.config"),
        ("list", "--cert", "cert.pem"),
    ],
)
def test_wrong_usage_is_2(said, wrong):
    code, out, err = said(*wrong)
    assert (code, out) == (2, "")
    assert "error: " in err


def test_a_label_moves_in_the_file_and_in_the_server(asked, config_file):
    code, out, _ = asked("label", "half_plus", "stable=2", "proven=1", "--config", config_file)
    assert code == 0
    assert "proven=1, stable=2" in out
    assert "# the proven one" in config_file.read_text()
    code, out, _ = asked("predict", "half_plus", "--input", "x=1", "--label", "stable")
    assert code == 0
    assert "version 2" in out
    code, _, _ = asked("label", "half_plus", "--remove", "proven", "--config", config_file)
    assert code == 0
    code, out, _ = asked("list")
    assert "proven" not in out


def test_a_label_that_the_server_refuses_changes_no_file(asked, config_file):
    before = config_file.read_bytes()
    code, _, err = asked("label", "half_plus", "stable=9", "--config", config_file)
    assert code == 1
    assert "version 9 of model half_plus" in err
    assert config_file.read_bytes() == before


def test_reload_takes_a_model_away_and_brings_it_back(asked, config_file, served):
    lines = config_file.read_text().splitlines()
    config_file.write_text("\n".join(line for line in lines if "dense" not in line))
    code, out, _ = asked("reload", config_file)
    assert code == 0
    assert "dense" not in out
    until(lambda: asked("predict", "dense", "--input", "keras_tensor=1")[0] == 1, "dense to be unloaded")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('model_config_list { config { nome: "x" } }', "nome"),
        ("", "lists no models"),
        ('model_config_list { config { name: "x" base_path: "x" model_platform: "tensorflow" } }', "absolute path"),
    ],
)
def test_a_wrong_configuration_is_found_before_anything_is_sent(said, tmp_path, text, says):
    file = tmp_path / "models.config"
    file.write_text(text)
    code, _, err = said("reload", file, "--server", f"127.0.0.1:{free_port()}")
    assert code == 1
    assert says in err
    assert err.endswith("Nothing was sent.\n")


def test_a_configuration_whose_model_is_not_there_is_refused_by_the_server(asked, config_file):
    config_file.write_text(config_file.read_text().replace("/dense", "/dens").replace('"dense"', '"dens"'))
    code, _, err = asked("reload", config_file)
    assert code == 1
    assert "dens" in err
    assert asked("predict", "dense", "--input", "keras_tensor=1")[0] == 1
    assert asked("status", "dense")[0] == 0
