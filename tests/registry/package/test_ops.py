from pathlib import Path

import pytest
from running import DEMO_MODEL

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.allowed_ops import ALLOWED
from appliance.registry.package.ops import lint_graph, scan_ops, used_ops

SHARED = Path(__file__).parents[4] / "shared" / "data"
MODELS = [DEMO_MODEL / "1", *sorted(file.parent for file in SHARED.glob("tfs_models*/**/saved_model.pb"))]
FORBIDDEN = [
    "ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "PyFuncStateless", "EagerPyFunc", "PrintV2", "Print",
    "ImmutableConst", "InitializeTableFromTextFileV2", "TFRecordDatasetV2", "Rpc", "_Send", "XlaCallModule", "Abort",
    "DatasetFromGraph", "SaveDatasetV2", "MyCustomOp", "readfile", "Add ", "",
]  # fmt: skip


def refusal(folder):
    with pytest.raises(Rejected) as caught:
        scan_ops(folder)
    return caught.value


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: "/".join(folder.parts[-2:]))
def test_real_models_pass(folder):
    scan_ops(folder)
    assert lint_graph(folder) == []


def test_the_ops_of_the_demonstration_s_model():
    used = used_ops(DEMO_MODEL / "1")
    assert {"Conv2D", "Softmax", "RestoreV2", "SaveV2", "StatefulPartitionedCall"} <= set(used)
    assert used["Conv2D"].function is not None


@pytest.mark.parametrize("op", FORBIDDEN)
@pytest.mark.parametrize("where", ["graph", "function", "second graph"])
def test_what_does_more_than_compute(graph_in, op, where):
    def build(graph):
        node = graph.graph_def.node if where != "function" else None
        if node is None:
            function = graph.graph_def.library.function.add()
            function.signature.name = "__inference_body_3"
            node = function.node_def
        node.add(name="fine", op="Identity")
        node.add(name="steal", op=op)

    folder = graph_in(build)
    if where == "second graph":
        file = folder / "saved_model.pb"
        file.write_bytes((DEMO_MODEL / "1" / "saved_model.pb").read_bytes() + file.read_bytes())
    said = refusal(folder)
    assert said.reason is Refusal.FORBIDDEN_OP
    assert f"uses the op {op!r} (node 'steal'" in str(said)
    assert ("of the function '__inference_body_3'" in str(said)) == (where == "function")


def test_a_function_that_nobody_calls_is_looked_at_too(graph_in):
    def build(graph):
        graph.graph_def.node.add(name="x", op="Placeholder")
        for depth in range(3):
            function = graph.graph_def.library.function.add()
            function.signature.name = f"inner_{depth}"
            function.node_def.add(name="call", op=f"inner_{depth + 1}" if depth < 2 else "WriteFile")

    said = refusal(graph_in(build))
    assert "'WriteFile' (node 'call' of the function 'inner_2')" in str(said)


def _saver(graph, reach):
    """What every SavedModel has: a node that saves and one that restores, each in a function; `reach` joins them."""
    library = graph.graph_def.library
    for name, op in (("traced_save", "SaveV2"), ("traced_restore", "RestoreV2")):
        function = library.function.add()
        function.signature.name = name
        function.node_def.add(name="it", op=op)
        node = graph.graph_def.node.add(name=name, op="StatefulPartitionedCall")
        node.attr["f"].func.name = name
    graph.saver_def.save_tensor_name = "traced_save:0"
    graph.saver_def.restore_op_name = "traced_restore"
    graph.graph_def.node.add(name="scores", op="Softmax")
    graph.signature_def["serving_default"].outputs["scores"].name = "scores:0"
    reach(graph)


def _no_more(graph):
    pass


def _as_control_input(graph):
    graph.graph_def.node[-1].input.append("^traced_save")


def _by_a_chain(graph):
    graph.graph_def.node[-1].input.append("between:1")
    graph.graph_def.node.add(name="between", op="Identity", input=["traced_save:0"])


def _by_a_call(graph):
    node = graph.graph_def.node.add(name="if", op="StatelessIf")
    node.attr["branches"].list.func.add(name="traced_save")
    graph.graph_def.node[-2].input.append("if")


def _by_a_call_within_a_call(graph):
    node = graph.graph_def.node.add(name="if", op="StatelessIf")
    node.attr["then_branch"].func.attr["f"].func.name = "traced_save"
    graph.graph_def.node[-2].input.append("if")


def _by_a_function_that_calls_it(graph):
    function = graph.graph_def.library.function.add()
    function.signature.name = "outer"
    function.node_def.add(name="call", op="PartitionedCall").attr["f"].func.name = "traced_save"
    graph.graph_def.node.add(name="out", op="outer")
    graph.graph_def.node[-2].input.append("out")


def _by_name(graph):
    graph.graph_def.node.add(name="direct", op="traced_save")
    graph.graph_def.node[-2].input.append("direct")


def _when_restoring(graph):
    graph.saver_def.restore_op_name = "traced_save"


def _when_initialising(graph):
    graph.collection_def["saved_model_main_op"].node_list.value.append("traced_save")


def _by_the_init_signature(graph):
    graph.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = "traced_save"


def _as_an_output(graph):
    graph.signature_def["other"].outputs["x"].name = "traced_save:0"


def _as_a_sparse_output(graph):
    graph.signature_def["other"].outputs["x"].coo_sparse.values_tensor_name = "traced_save:0"


def _as_a_composite_output(graph):
    graph.signature_def["other"].outputs["x"].composite_tensor.components.add(name="traced_save:0")


def test_a_saver_is_in_every_model(graph_in):
    scan_ops(graph_in(lambda graph: _saver(graph, _no_more)))


@pytest.mark.parametrize(
    "reach",
    [
        _as_control_input, _by_a_chain, _by_a_call, _by_a_call_within_a_call,
        _by_a_function_that_calls_it, _by_name, _when_restoring,
        _when_initialising, _by_the_init_signature, _as_an_output, _as_a_sparse_output, _as_a_composite_output,
    ],
)  # fmt: skip
def test_a_saver_that_runs_when_the_model_is_asked(graph_in, reach):
    said = refusal(graph_in(lambda graph: _saver(graph, reach)))
    assert said.reason is Refusal.FORBIDDEN_OP
    assert "'SaveV2'" in str(said)
    assert "would run when the model is loaded or asked" in str(said)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd"])
def test_an_asset_outside_of_the_package(graph_in, name):
    assert refusal(graph_in(lambda graph: graph.asset_file_def.add(filename=name))).reason is Refusal.PATH


@pytest.mark.parametrize(
    "content", [b"", b"\x08\x01", b"hello world", b"\x12\xff\x01", b"\x12\x03\x12\x05\x0a", b"\x13", b"\xff" * 40]
)
def test_what_is_no_graph(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    said = refusal(tmp_path)
    assert said.reason is Refusal.NOT_A_PACKAGE
    assert "export the model again" in str(said)


def test_a_variable_that_no_session_finds(graph_in):
    def build(graph):
        _saver(graph, _no_more)
        for name in ("kernel", "lost"):
            graph.graph_def.node.add(name=name, op="VarHandleOp").attr["shared_name"].s = f"dense/{name}".encode()
            next(node for node in graph.graph_def.node if node.name == "scores").input.append(name)
        next(node for node in graph.graph_def.node if node.name == "traced_restore").input.append("kernel")

    (said,) = lint_graph(graph_in(build))
    assert said.startswith("No session finds the variable 'dense/lost'")


@pytest.mark.slow
def test_every_allowed_op_is_one_of_tensorflow_s():
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session

    known = op_def_pb2.OpList.FromString(pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList()))
    assert ALLOWED - {op.name for op in known.op} == set()
