"""Ports, limits, deadlines, encryption, the end: what holds for every call."""

import threading

import grpc
import pytest
from api.rpc.rpc_box import INFERENCE, predict_request
from certificates import make_certificates
from dataplane.numpy_model import Gate
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from running import until

from appliance.api.errors import ApiError
from appliance.api.rpc import GrpcServer, GrpcSettings, Tls
from appliance.api.rpc.settings import parse_channel_arguments

PREDICT = "tensorflow.serving.PredictionService/Predict", "tensorflow.serving.PredictResponse"


def start(client, **options):
    return client.start(PREDICT[0], predict_request(1.0), PREDICT[1], **options)


def test_a_call_whose_deadline_passes_in_the_queue_is_not_run(boxes, refused):
    gate = Gate()
    box = boxes({"half": {1: gate.model}})
    client = box.client()
    running = [start(client, timeout=30) for _ in range(2)]
    for _ in running:
        assert gate.entered.acquire(timeout=10)

    late = start(client, timeout=0.2)
    assert refused(late.result)[0] is grpc.StatusCode.DEADLINE_EXCEEDED
    gate.release.set()

    assert all(list(one.result().outputs["y"].float_val) == [1.0] for one in running)
    assert client.predict(predict_request(5.0)).outputs
    assert gate.runs == 3


def test_a_call_that_is_cancelled_in_the_queue_is_not_run(boxes, refused):
    gate = Gate()
    client = boxes({"half": {1: gate.model}}, max_queued=1).client()
    running = [start(client) for _ in range(2)]
    for _ in running:
        assert gate.entered.acquire(timeout=10)

    two = [start(client) for _ in range(2)]  # there is one place: whichever comes second is refused
    until(lambda: any(one.done() for one in two), "one of them to be refused", 10)
    full, withdrawn = two if two[0].done() else reversed(two)
    assert refused(full.result)[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    withdrawn.cancel()
    refused(start(client).result)  # comes after the cancellation: then the server knows of it
    gate.release.set()

    assert [one.result().model_spec.version.value for one in running] == [1, 1]
    until(lambda: client.predict(predict_request(5.0)).outputs, "the next call to be answered", 10)
    assert gate.runs == 3


def test_more_calls_than_may_wait_are_refused_at_once(boxes):
    gate = Gate()
    client = boxes({"half": {1: gate.model}}, max_queued=1).client()
    calls = [start(client) for _ in range(2)]
    for _ in calls:
        assert gate.entered.acquire(timeout=10)
    calls.extend(start(client) for _ in range(4))

    until(lambda: sum(one.done() for one in calls) == 3, "three calls to be refused", 10)
    gate.release.set()
    codes = [one.code() for one in calls]

    assert codes.count(grpc.StatusCode.RESOURCE_EXHAUSTED) == 3
    assert codes.count(grpc.StatusCode.OK) == 3


def test_clients_that_never_send_what_they_announced_leave_threads_for_the_others(box, client):
    done = threading.Event()

    def never():
        done.wait(30)
        yield from ()

    stuck = [client.channel.stream_unary(f"/{PREDICT[0]}").future(never()) for _ in range(10)]
    assert client.predict(predict_request(2.0), timeout=10).outputs
    done.set()
    assert all(one.code() is not grpc.StatusCode.OK for one in stuck)


def test_a_request_that_is_too_large_is_refused_and_the_next_is_answered(boxes, refused):
    client = boxes(max_receive_bytes=100_000).client()

    code, text = refused(client.predict, predict_request(*[1.0] * 50_000))

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in text
    assert client.predict(predict_request(2.0)).outputs


def test_a_compressed_request_is_read_but_not_one_that_unfolds_too_far(boxes, refused):
    client = boxes(max_receive_bytes=100_000).client()
    gzip = grpc.Compression.Gzip

    assert client.predict(predict_request(*[1.0] * 1000), compression=gzip).outputs
    code, _ = refused(client.predict, predict_request(*[1.0] * 5_000_000), compression=gzip)
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_answer_of_many_megabytes_is_sent(boxes):
    channel_limit = [("grpc.max_receive_message_length", -1)]
    box = boxes()
    with grpc.insecure_channel(f"127.0.0.1:{box.server.port}", options=channel_limit) as channel:
        call = channel.unary_unary(f"/{PREDICT[0]}")
        assert len(call(predict_request(*[1.0] * 4_000_000).SerializeToString(), timeout=30)) > 32_000_000


def test_a_tensor_that_claims_gigabytes_is_refused(client, refused):
    request = predict_request(1.0)
    request.inputs["x"].tensor_shape.dim[0].size = 1 << 40

    code, text = refused(client.predict, request)

    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert text.startswith("tensor parsing error: x: a shape of 1099511627776 elements")


def test_stop_answers_what_is_under_way_and_takes_nothing_new(boxes):
    gate = Gate()
    box = boxes({"half": {1: gate.model}})
    client = box.client()
    running = start(client)
    assert gate.entered.acquire(timeout=10)
    stopping = threading.Thread(target=box.server.stop, args=(10,))
    stopping.start()
    until(lambda: not is_answered(box), "new calls to be refused", 10)
    gate.release.set()
    stopping.join(20)

    assert list(running.result().outputs["y"].float_val) == [1.0]


def is_answered(box):
    try:
        box.client().call(f"{INFERENCE}/ServerLive", b"", "inference.ServerLiveResponse", timeout=1)
    except grpc.RpcError:
        return False
    return True


def test_a_port_that_is_taken_is_told(box):
    with pytest.raises(ApiError, match=f"127.0.0.1:{box.server.port}"):
        GrpcServer(box.serving.plane, GrpcSettings(host="127.0.0.1", port=box.server.port))


def test_a_unix_socket_that_cannot_be_is_told(box, tmp_path):
    with pytest.raises(ApiError, match=r"UNIX socket .*/missing/models.sock"):
        GrpcServer(
            box.serving.plane, GrpcSettings(host="127.0.0.1", port=0, socket_path=f"{tmp_path}/missing/models.sock")
        )


def test_a_unix_socket_answers_beside_the_port(boxes, tmp_path):
    path = tmp_path / "models.sock"
    box = boxes(socket_path=str(path))

    assert box.client(f"unix:{path}").predict(predict_request(2.0)).outputs
    assert box.client().predict(predict_request(2.0)).outputs


def test_channel_arguments_reach_grpc(boxes, refused):
    client = boxes(channel_arguments="grpc.max_receive_message_length=1000,grpc.max_concurrent_streams=10").client()

    assert refused(client.predict, predict_request(*[1.0] * 5_000))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_channel_arguments_are_numbers_where_they_can_be():
    assert parse_channel_arguments("a=1,b=x=y,c=99999999999,,d=-2") == {"a": 1, "b": "x=y", "c": "99999999999", "d": -2}
    assert parse_channel_arguments("") == {}
    with pytest.raises(ApiError, match="'nonsense' is not key=value"):
        parse_channel_arguments("a=1,nonsense")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A CA, and a certificate for localhost that it signed: PEM texts by name."""
    folder = make_certificates(tmp_path_factory.mktemp("tls"))
    return {
        "ca": (folder / "ca.pem").read_text(),
        "key": (folder / "server.key").read_text(),
        "cert": (folder / "server.pem").read_text(),
    }


def credentials(certificates, *, own=False):
    ca, key, cert = (certificates[name].encode() for name in ("ca", "key", "cert"))
    return grpc.ssl_channel_credentials(ca, key, cert) if own else grpc.ssl_channel_credentials(ca)


def test_an_encrypted_port_answers_those_who_encrypt(boxes, certificates, refused):
    box = boxes(ssl=Tls(certificates["key"], certificates["cert"]))
    target = f"localhost:{box.server.port}"

    assert box.client(target, credentials(certificates)).predict(predict_request(2.0)).outputs
    assert refused(box.client(target).predict, predict_request(2.0))[0] is grpc.StatusCode.UNAVAILABLE


def test_clients_without_a_certificate_are_turned_away_where_one_is_asked_for(boxes, certificates, refused):
    box = boxes(ssl=Tls(certificates["key"], certificates["cert"], certificates["ca"], client_verify=True))
    target = f"localhost:{box.server.port}"

    assert box.client(target, credentials(certificates, own=True)).predict(predict_request(2.0)).outputs
    stranger = box.client(target, credentials(certificates))
    assert refused(stranger.predict, predict_request(2.0))[0] is grpc.StatusCode.UNAVAILABLE


def test_a_key_that_is_none_is_told_of_and_not_shown(box):
    tls = Tls("a secret that is no key", "no certificate")

    with pytest.raises(ApiError, match="TLS settings") as told:
        GrpcServer(box.serving.plane, GrpcSettings(host="127.0.0.1", port=0, ssl=tls))
    assert "secret" not in str(told.value) + repr(tls)


def check(client, name=""):
    return health_pb2_grpc.HealthStub(client.channel).Check(health_pb2.HealthCheckRequest(service=name), timeout=5)


def test_health_says_serving_as_long_as_anything_serves(boxes):
    box = boxes(health_service=True)
    client = box.client()
    watching = health_pb2_grpc.HealthStub(client.channel).Watch(health_pb2.HealthCheckRequest())

    assert [check(client, name).status for name in ("", "ModelService", "PredictionService")] == [1, 1, 1]
    assert next(watching).status == health_pb2.HealthCheckResponse.SERVING
    box.serving.aspire("half", {})
    assert next(watching).status == health_pb2.HealthCheckResponse.NOT_SERVING
    assert check(client, "PredictionService").status == health_pb2.HealthCheckResponse.NOT_SERVING
    watching.cancel()


def test_those_who_watch_health_take_no_thread_from_the_others(boxes):
    client = boxes(health_service=True).client()
    stub = health_pb2_grpc.HealthStub(client.channel)
    watching = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(8)]
    assert all(next(one).status == 1 for one in watching)

    assert client.predict(predict_request(2.0), timeout=5).outputs
    for one in watching:
        one.cancel()


def test_health_is_not_there_unless_it_is_asked_for(client, refused):
    assert refused(check, client)[0] is grpc.StatusCode.UNIMPLEMENTED


def test_reflection_tells_every_service_and_its_messages(boxes):
    client = boxes(health_service=True).client()
    told = ProtoReflectionDescriptorDatabase(client.channel)

    assert set(told.get_services()) >= {
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "inference.GRPCInferenceService",
        "grpc.health.v1.Health",
    }
    for symbol in ("tensorflow.serving.PredictionService", "inference.ModelInferRequest", "grpc.health.v1.Health"):
        assert told.FindFileContainingSymbol(symbol).name


def test_those_who_keep_reflection_open_leave_threads_for_the_others(boxes, refused):
    client = boxes(threads=3).client()
    stub = reflection_pb2_grpc.ServerReflectionStub(client.channel)
    done = threading.Event()

    def questions():
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        done.wait(30)

    kept = [stub.ServerReflectionInfo(questions()) for _ in range(2)]
    assert all(next(one).list_services_response.service for one in kept)

    assert refused(next, stub.ServerReflectionInfo(questions()))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert client.predict(predict_request(2.0), timeout=5).outputs
    done.set()
    assert [list(one) for one in kept] == [[], []]


def test_the_default_limits_are_told():
    settings = GrpcSettings()

    assert settings.max_receive_bytes == 256 << 20
    assert (settings.port, settings.ssl, settings.health_service) == (8500, None, False)
