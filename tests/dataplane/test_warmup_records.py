"""Requests recorded with a version are run before it serves, and one that fails is the end of its load."""

import json
from pathlib import Path

import pytest
from exporting import export

from appliance.dataplane import Metrics
from appliance.dataplane.errors import code_of
from appliance.dataplane.tfrecord import masked_crc32c
from appliance.dataplane.warmup_records import replayer
from appliance.protos import message, parse_text
from appliance.runtimes.config import RuntimeConfig
from appliance.runtimes.errors import WarmUpFailed
from appliance.runtimes.loader import SavedModelLoader
from appliance.serving import ServableId

REPOSITORY = Path(__file__).resolve().parents[2]
SHARED = REPOSITORY.parent / "shared"
CASES = SHARED / "conformance" / "tfs_core_cases.jsonl"
ID = ServableId("default", 1)
EXAMPLES = 'input { example_list { examples { features { feature { key: "x" value { float_list { value: 4 } } } } } } }'
PREDICT = """predict_log { request { model_spec { name: "another" version { value: 77 } }
  inputs { key: "x" value { dtype: DT_FLOAT tensor_shape { dim { size: 1 } } float_val: 4 } } } }"""
CLASSIFY = f'classify_log {{ request {{ model_spec {{ signature_name: "classify" }} {EXAMPLES} }} }}'
REGRESS = f'regress_log {{ request {{ model_spec {{ signature_name: "regress" }} {EXAMPLES} }} }}'
BOTH = f"""multi_inference_log {{ request {{ {EXAMPLES}
  tasks {{ model_spec {{ name: "m" signature_name: "classify" }} method_name: "tensorflow/serving/classify" }}
  tasks {{ model_spec {{ name: "m" signature_name: "regress" }} method_name: "tensorflow/serving/regress" }} }} }}"""


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A model that classifies and regresses examples, written by a process of its own."""
    maker = REPOSITORY / "tests" / "runtimes" / "make_models.py"
    return export(maker, tmp_path_factory.mktemp("models"), "examples") / "examples"


@pytest.fixture
def version(exported, tmp_path):
    """A copy of it with given bytes as its recorded requests."""

    def make(recorded):
        folder = tmp_path / "1"
        (folder / "assets.extra").mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes((exported / "saved_model.pb").read_bytes())
        (folder / "assets.extra" / "tf_serving_warmup_requests").write_bytes(recorded)
        return folder

    return make


def record(content):
    size = len(content).to_bytes(8, "little")
    return b"".join(part + masked_crc32c(part).to_bytes(4, "little") for part in (size, content))


def recorded(*texts):
    return b"".join(record(parse_text("tensorflow.serving.PredictionLog", text).SerializeToString()) for text in texts)


def load(folder, tmp_path, iterations=1):
    """Load and unload; return what the metrics say of the warm-up."""
    metrics = Metrics()
    config = RuntimeConfig(cache=tmp_path / "cache", engines=("tensorflow-saved-model",))
    loader = SavedModelLoader(folder, config, replayer(metrics, iterations))
    try:
        loader.load(ID)
        loader.unload()
    finally:
        said = metrics.render()
    return said


def refused(folder, tmp_path):
    with pytest.raises(WarmUpFailed) as raised:
        load(folder, tmp_path)
    return code_of(raised.value).name, str(raised.value)


def test_requests_of_every_kind_are_run_whatever_model_they_name(version, tmp_path):
    said = load(version(recorded(PREDICT, CLASSIFY, REGRESS, BOTH, "")), tmp_path, iterations=2)
    assert 'status="OK"' in said
    assert "model_warmup_latency_count" in said


@pytest.mark.parametrize("text", [PREDICT, CLASSIFY, REGRESS, BOTH])
def test_a_request_that_fails_is_the_end_of_the_load(version, tmp_path, text):
    wrong = text.replace('key: "x"', 'key: "z"')
    code, said = refused(version(recorded(PREDICT, wrong)), tmp_path)
    assert code == "INVALID_ARGUMENT"
    assert "x" in said


def test_a_signature_that_is_not_there(version, tmp_path):
    wrong = PREDICT.replace('name: "another"', 'signature_name: "nope"')
    assert refused(version(recorded(wrong)), tmp_path) == (
        "FAILED_PRECONDITION",
        'Serving signature key "nope" not found.',
    )


@pytest.mark.parametrize(("kind", "number"), [("session_run_log", 5), ("predict_streamed_log", 7)])
def test_a_kind_that_is_not_replayed(version, tmp_path, kind, number):
    found = refused(version(recorded(f"{kind} {{}}")), tmp_path)
    assert found == ("UNIMPLEMENTED", f"Unsupported log_type for warmup: {number}")


def test_one_more_than_a_thousand(version, tmp_path):
    code, said = refused(version(recorded("") * 1001), tmp_path)
    assert code == "INVALID_ARGUMENT"
    assert said.startswith("Number of warmup records exceeds the maximum (1000) at ")


def test_a_thousand(version, tmp_path):
    assert 'status="OK"' in load(version(recorded(PREDICT) * 1000), tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[:-1],
        lambda content: content[:5],
        lambda content: content[:-5] + b"x" + content[-4:],
        lambda content: b"x" + content[1:],
        lambda content: b"\xff" * 8 + masked_crc32c(b"\xff" * 8).to_bytes(4, "little") + content,
    ],
)
def test_a_damaged_file(version, tmp_path, damage):
    code, said = refused(version(damage(recorded(PREDICT))), tmp_path)
    assert code == "DATA_LOSS"
    assert said.endswith(" record at 0. Please verify your warmup data is in TFRecord format.")


def test_a_record_that_is_no_request(version, tmp_path):
    code, said = refused(version(record(b"\xff no message")), tmp_path)
    assert (code, said.partition(":")[0]) == ("INVALID_ARGUMENT", "Failed to parse warmup record")


def test_an_empty_file_is_as_good_as_none(version, tmp_path):
    assert 'status="OK"' in load(version(b""), tmp_path)


def warm_up_cases():
    if not CASES.is_file():
        return []
    cases = [json.loads(line) for line in CASES.read_text().splitlines()]
    return [pytest.param(case, id=case["id"]) for case in cases if case["kind"] == "warmup"]


def test_the_peers_cases_are_there():
    if not CASES.is_file():
        pytest.skip(f"{CASES} is not there, so TensorFlow Serving's cases are not tried")


@pytest.mark.parametrize("case", warm_up_cases())
def test_as_tensorflow_serving_does(case, tmp_path):
    folder = next(found for found in (SHARED / "data").glob(f"*/{case['fixture']}/*") if found.is_dir())
    if case["expect_load_ok"]:
        load(folder, tmp_path)
        return
    code, said = refused(folder, tmp_path)
    assert code == case["expect_code"]
    assert case["expect_contains"] in said


def test_what_is_recorded_is_the_message_that_the_peer_writes():
    log = message("tensorflow.serving.PredictionLog")
    numbers = {field.name: field.number for field in log.DESCRIPTOR.fields}
    assert (numbers["predict_log"], numbers["session_run_log"]) == (6, 5)
