"""Whatever bytes arrive: they are read as what they are, or refused. Nothing else ever comes out."""

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.registry.errors import Rejected
from appliance.registry.package.dsse import STATEMENT_TYPE, sign_envelope
from appliance.registry.package.model_signature import sign_digests, verify_model_signature
from appliance.registry.package.ops import lint_graph, scan_ops
from appliance.registry.package.statement import parse_statement, read_statement, write_statement
from appliance.registry.package.strict_json import write_json

SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
DIGESTS = {"saved_model.pb": "11" * 32, "release.json": "44" * 32}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=6)), min_size=1, max_size=4
)  # where, how many bytes go, what comes instead


def edited(content, edits):
    for where, cut, new in edits:
        at = int(where * len(content))
        content = content[:at] + new + content[at + cut :]
    return content


def replaced(value, path, new):
    """`value` with what lies at `path` (numbers, taken modulo what is there) replaced."""
    if not path or not isinstance(value, dict | list) or not value:
        return new
    keys = sorted(value) if isinstance(value, dict) else range(len(value))
    key = keys[path[0] % len(keys)]
    changed = dict(value) if isinstance(value, dict) else list(value)
    changed[key] = replaced(value[key], path[1:], new)
    return changed


@pytest.fixture(scope="module")
def statement(publisher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "inspection.json").write_text('{"input": {"width": 64}}')
    (folder / "saved_model.pb").write_bytes(b"graph")
    return publisher.state(folder)


@SETTINGS
@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_bytes(publisher, content):
    for read in (
        lambda: read_statement(content, [publisher.public]),
        lambda: parse_statement(content),
        lambda: verify_model_signature(content, DIGESTS, [publisher.public]),
    ):
        with pytest.raises(Rejected):
            read()


@SETTINGS
@given(EDITS)
def test_an_edited_envelope(publisher, statement, edits):
    envelope = write_json(sign_envelope(STATEMENT_TYPE, write_statement(statement), [publisher.key]))
    try:
        read, _ = read_statement(edited(envelope, edits), [publisher.public])
    except Rejected:
        return
    assert read == statement, "an edit that is let pass has changed nothing"


@SETTINGS
@given(EDITS)
def test_an_edited_bundle(publisher, edits):
    bundle = edited(sign_digests("package", DIGESTS, publisher.key), edits)
    try:
        verify_model_signature(bundle, {**DIGESTS, "more": "00" * 32}, [publisher.public])
    except Rejected:
        return
    raise AssertionError("a file too many was let pass")


@SETTINGS
@given(st.lists(st.integers(0, 20), max_size=4), JSON)
def test_a_statement_with_anything_anywhere_though_signed(publisher, statement, path, new):
    try:
        payload = write_json(replaced(json.loads(write_statement(statement)), path, new))
    except ValueError:
        return
    try:
        read = parse_statement(payload)
    except Rejected:
        return
    assert write_statement(read) == payload


@SETTINGS
@given(st.lists(st.integers(0, 20), max_size=6), JSON)
def test_a_bundle_with_anything_anywhere(publisher, path, new):
    value = json.loads(sign_digests("package", DIGESTS, publisher.key))
    try:
        content = write_json(replaced(value, path, new))
        verify_model_signature(content, {}, [publisher.public])
    except (ValueError, Rejected):
        return
    raise AssertionError("a package without files was let pass")


@SETTINGS
@given(EDITS)
def test_an_edited_graph(graph_in, edits):
    def build(graph):
        graph.graph_def.node.add(name="x", op="Placeholder", input=["a:0", "^b"])
        function = graph.graph_def.library.function.add()
        function.signature.name = "f"
        function.node_def.add(name="y", op="Relu").attr["f"].func.name = "f"
        graph.signature_def["serving_default"].outputs["o"].name = "x:0"

    folder = graph_in(build)
    file = folder / "saved_model.pb"
    file.write_bytes(edited(file.read_bytes(), edits))
    with contextlib.suppress(Rejected):
        scan_ops(folder)
    with contextlib.suppress(Rejected):
        lint_graph(folder)
