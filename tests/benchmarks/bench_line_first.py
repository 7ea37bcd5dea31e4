"""The camera's verdicts while clients hammer both APIs of the same box, against quiet stretches of the same run.

    python tests/benchmarks/bench_line_first.py [--stretch-s 30] [--clients 8] [--rate 20]
        [--ask tiny|surface|both|text]

The clients run on this machine, too, at ordinary priority. `tiny` is a model of one multiplication; `surface` is the
camera's own model, with pictures of the size that the camera's parts have; `text` gets 4,000 strings a request, which
the line has to walk through one by one. --serving adds lines to [serving].
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from running import DEMO_MODEL, Appliance, Mosquitto, Subscriber, free_port, until

TINY = """
import sys, tensorflow as tf
class Tiny(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def serve(self, x):
        return {"y": 0.5 * x + 2.0}
class Text(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "x")])
    def serve(self, x):
        return {"y": tf.strings.length(x)}
tiny, text = Tiny(), Text()
tf.saved_model.save(tiny, sys.argv[1], signatures=tiny.serve)
tf.saved_model.save(text, sys.argv[2], signatures=text.serve)
"""
LIMIT_S = 180


def main() -> None:
    if sys.argv[1:2] == ["--client"]:
        client(*sys.argv[2:])
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--stretch-s", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=8, help="half of them speak gRPC, half REST")
    parser.add_argument("--ask", choices=["tiny", "surface", "both", "text"], default="both")
    parser.add_argument("--rate", type=float, default=20.0, help="parts per second")
    parser.add_argument("--serving", default="", help="lines for the [serving] section")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        subprocess.run(
            [sys.executable, "-c", TINY, str(folder / "tiny" / "1"), str(folder / "text" / "1")],
            check=True,
            capture_output=True,
        )
        broker = Mosquitto(folder / "broker").start()
        try:
            run(options, folder, broker.port)
        finally:
            broker.stop()


def run(options: argparse.Namespace, folder: Path, port: int) -> None:
    ports = {"grpc": free_port(), "rest": free_port()}
    takt_ms = 1000 / options.rate
    line = Appliance(
        folder,
        port,
        camera='driver = "virtual"\nseed = 7',
        line=f"takt_ms = {takt_ms}",
        recipe=f"deadline_ms = {min(takt_ms, 50)}",
        serving=f"grpc_port = {ports['grpc']}\nrest_port = {ports['rest']}\n{options.serving}",
        extra="".join(f'[models.{name}]\nbase_path = "{folder / name}"\n' for name in ("tiny", "text")),
    )
    subscriber = Subscriber(port)
    try:
        line.start()
        until(lambda: any(result["model"] for result in subscriber.results), "the first verdict", LIMIT_S)
        until(lambda: answers(ports), "both models over REST and gRPC", LIMIT_S)
        time.sleep(3)
        before = stretch(subscriber, options.stretch_s)
        memory = {what: resident_mb(pid) for what, pid in processes(line).items()}
        asked, hammered = hammer(options, folder, ports, subscriber)
        grown = {what: resident_mb(pid) for what, pid in processes(line).items()}
        time.sleep(3)
        after = stretch(subscriber, options.stretch_s)
        until(lambda: line.stop() == 0, "a clean end")
    finally:
        subscriber.close()
        line.end()
    print(
        f"\n{options.clients} clients ask {options.ask}; {options.rate:g} parts a second; load {os.getloadavg()[0]:.1f}"
    )
    print(f"{'trigger → verdict, ms':<24} {'parts':>6} {'late':>5} {'undef':>5} {'p50':>8} {'p99':>8} {'worst':>8}")
    row("alone, before", before)
    row("both APIs hammered", hammered)
    row("alone, after", after)
    for name, results in (("before", before), ("hammered", hammered), ("after", after)):
        for one in results:
            if not one["deadline_met"] or one["evaluation"] == "Undefined":
                print(f"  {name}: part {one['sequence']} {one['reason']}, {one['processing_times']}")
    compare("trigger → verdict", total, before, hammered, after)
    compare("frame → verdict", after_frame, before, hammered, after)
    compare("model call", lambda result: result["processing_times"]["inference_ms"], before, hammered, after)
    print(f"{'request → answer, ms':<24} {'asked':>6} {'failed':>6} {'1/s':>7} {'p50':>8} {'p99':>8} {'worst':>8}")
    for name, one in asked.items():
        p50, p99 = np.percentile(one["ms"], [50, 99])
        rate = len(one["ms"]) / options.stretch_s
        worst = max(one["ms"])
        print(f"{name:<24} {len(one['ms']):>6} {one['failed']:>6} {rate:>7.0f} {p50:8.2f} {p99:8.2f} {worst:8.2f}")
    print("resident, MB: " + ", ".join(f"{what} {memory[what]:.0f} → {grown[what]:.0f}" for what in memory))


def hammer(options: argparse.Namespace, folder: Path, ports: dict, subscriber: Subscriber) -> tuple[dict, list[dict]]:
    asked = ["tiny", "surface"] if options.ask == "both" else [options.ask]
    kinds = [(transport, asked[index % len(asked)]) for index in range(options.clients // 2) for transport in ports]
    running = []
    for index, (transport, model) in enumerate(kinds):
        output = folder / f"client-{index}.json"
        command = [sys.executable, __file__, "--client", transport, str(ports[transport]), model]
        process = subprocess.Popen([*command, str(options.stretch_s), str(output)], stdin=subprocess.PIPE)
        running.append((f"{transport} {model}", process, output))
    for _, _, output in running:
        until(output.exists, "the clients to be ready", LIMIT_S)
        output.unlink()
    for _, process, _ in running:
        process.stdin.close()
    results = stretch(subscriber, options.stretch_s)
    found: dict[str, dict] = {}
    for name, process, output in running:
        assert process.wait(60) == 0
        value = json.loads(output.read_text())
        whole = found.setdefault(name, {"ms": [], "failed": 0})
        whole["ms"] += value["ms"]
        whole["failed"] += value["failed"]
    return found, results


def client(transport: str, port: str, model: str, length_s: str, output: str) -> None:
    """Ask without a pause; the first request is not counted."""
    ask = {"grpc": grpc_asker, "rest": rest_asker}[transport](int(port), model)
    assert ask()
    Path(output).write_text("ready")
    sys.stdin.read()
    limit = time.monotonic() + float(length_s)
    spent, failed = [], 0
    while time.monotonic() < limit:
        begun = time.perf_counter_ns()
        failed += not ask()
        spent.append((time.perf_counter_ns() - begun) / 1e6)
    Path(output).write_text(json.dumps({"ms": spent, "failed": failed}))


def example(model: str) -> np.ndarray:
    if model == "tiny":
        return np.ones((1, 2), np.float32)
    if model == "text":
        return np.array([b"a string"] * 4_000, dtype=object)
    said = json.loads((DEMO_MODEL / "1" / "assets.extra" / "inspection.json").read_text())["input"]
    return np.random.default_rng(3).integers(0, 255, (1, said["height"], said["width"], 1), np.uint8)


def rest_asker(port: int, model: str):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    array = example(model)
    body = json.dumps({"instances": [one.decode() for one in array] if model == "text" else array.tolist()})

    def ask() -> bool:
        connection.request("POST", f"/v1/models/{model}:predict", body)
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200

    return ask


def grpc_asker(port: int, model: str):
    import grpc

    from appliance.protos import message

    array = example(model)
    request = message("tensorflow.serving.PredictRequest")()
    request.model_spec.name = model
    tensor = request.inputs["image" if model == "surface" else "x"]
    tensor.dtype = {"tiny": 1, "surface": 4, "text": 7}[model]
    for size in array.shape:
        tensor.tensor_shape.dim.add().size = size
    if model == "text":
        tensor.string_val.extend(array.tolist())
    else:
        tensor.tensor_content = array.tobytes()
    channel = grpc.insecure_channel(f"127.0.0.1:{port}")
    call = channel.unary_unary(
        "/tensorflow.serving.PredictionService/Predict",
        request_serializer=lambda one: one.SerializeToString(),
        response_deserializer=message("tensorflow.serving.PredictResponse").FromString,
    )

    def ask() -> bool:
        try:
            return bool(call(request, timeout=60).outputs)
        except grpc.RpcError:
            return False

    return ask


def answers(ports: dict) -> bool:
    try:
        return all(
            asker(ports[transport], model)()
            for transport, asker in (("rest", rest_asker), ("grpc", grpc_asker))
            for model in ("tiny", "surface", "text")
        )
    except OSError:
        return False


def processes(line: Appliance) -> dict[str, int]:
    command = ["ps", "-o", "pid=,args=", "--ppid", str(line.process.pid)]
    rows = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = {"line": line.process.pid}
    for what in ("gateway", "surface"):
        found[what] = next(int(one.split()[0]) for one in rows if f"appliance.{what}" in one)
    return found


def resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def stretch(subscriber: Subscriber, length_s: float) -> list[dict]:
    first = len(subscriber.results)
    time.sleep(length_s)
    return subscriber.results[first:]


def judged(results: list[dict]) -> list[dict]:
    return [result for result in results if result["model"] is not None]


def total(result: dict) -> float:
    return result["processing_times"]["total_ms"]


def after_frame(result: dict) -> float:
    return total(result) - result["processing_times"]["acquisition_ms"]


def row(name: str, results: list[dict]) -> None:
    spent = [total(result) for result in results]
    late = sum(not result["deadline_met"] for result in results)
    undefined = sum(result["evaluation"] == "Undefined" for result in results)
    p50, p99 = np.percentile(spent, [50, 99])
    print(f"{name:<24} {len(results):>6} {late:>5} {undefined:>5} {p50:8.2f} {p99:8.2f} {max(spent):8.2f}")


def compare(what: str, spent, before: list[dict], hammered: list[dict], after: list[dict]) -> None:
    quiet, busy = ([spent(one) for one in judged(results)] for results in ([*before, *after], hammered))
    ours, alone = np.percentile(busy, [50, 99]), np.percentile(quiet, [50, 99])
    print(
        f"{what}, hammered / alone: p50 {ours[0]:.2f} / {alone[0]:.2f}, p99 {ours[1]:.2f} / {alone[1]:.2f} "
        f"→ {ours[1] / alone[1]:.2f} (≤ 2), worst {max(busy):.2f} / {max(quiet):.2f}"
    )


if __name__ == "__main__":
    main()
