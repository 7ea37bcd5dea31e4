"""The one-liners of README, typed into a shell."""

import json
import shutil
import subprocess

import pytest

ONE_LINERS = {
    "curl -d '{\"instances\": [1.0, 2.0, 5.0]}' http://127.0.0.1:8501/v1/models/half_plus:predict": {
        "predictions": [3.5, 4.0, 5.5]
    },
    "curl -d '{\"inputs\": [1.0]}' http://127.0.0.1:8501/v1/models/half_plus/labels/stable:predict": {"outputs": [2.5]},
    "curl -H 'Content-Type: image/jpeg' --data-binary @red.jpg http://127.0.0.1:8501/v1/models/colours:predict": (
        lambda body: body["predictions"][0][0] > 0.9
    ),
    """echo '{"instances": [{"b64": "'$(base64 -w0 red.jpg)'"}]}' | """
    "curl -d @- http://127.0.0.1:8501/v1/models/jpeg_colours:predict": lambda body: body["predictions"][0][0] > 0.9,
    'curl -d \'{"examples": [{"length": 7.0}]}\' http://127.0.0.1:8501/v1/models/lengths:classify': (
        lambda body: [label for label, _ in body["results"][0]] == ["long", "short"]
    ),
    "curl http://127.0.0.1:8501/v1/models/half_plus": lambda body: len(body["model_version_status"]) == 2,
    "curl http://127.0.0.1:8501/v1/models/half_plus/metadata": (
        lambda body: body["model_spec"] == {"name": "half_plus", "signature_name": "", "version": "2"}
    ),
    "curl http://127.0.0.1:8501/models": lambda body: "half_plus" in [model["name"] for model in body["models"]],
    "curl http://127.0.0.1:8501/readyz": lambda body: body["ready"],
}


@pytest.mark.parametrize("line", ONE_LINERS)
def test_a_line_of_shell(line, served, model_folder):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the one-liners were not tried")
    typed = line.replace("curl ", "curl -sS --max-time 20 ").replace("127.0.0.1:8501", f"127.0.0.1:{served.rest_port}")
    done = subprocess.run(["bash", "-c", typed], cwd=model_folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    body, wanted = json.loads(done.stdout), ONE_LINERS[line]
    assert wanted(body) if callable(wanted) else body == wanted, done.stdout
