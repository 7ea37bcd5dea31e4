"""OpenSSF's own `model_signing`: what it signs is verified here, what is signed here it verifies."""

import re
import subprocess

import pytest

from appliance.registry.errors import Refusal
from appliance.registry.package.inventory import verify_folder
from appliance.registry.package.signing import sign_folder, sign_statement

pytestmark = pytest.mark.timeout(600)  # the tool is installed once


@pytest.fixture
def tool(model_signing, publisher):
    def run(verb, folder, *more, key=None):
        option = (
            ["--private_key", publisher.files[0]] if verb == "sign" else ["--public_key", key or publisher.files[1]]
        )
        return subprocess.run(
            [model_signing, verb, "key", folder, "--signature", folder / "model.sig", *option, *more],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_signed_by_the_tool_after_the_statement(tool, folder, publisher):
    statement = publisher.state(folder)
    (folder / "release.json").write_bytes(sign_statement(statement, publisher.key))
    assert "Signing succeeded" in tool("sign", folder).stdout
    assert verify_folder(folder, statement, [publisher.public]).signature_covers_statement


def test_signed_by_the_tool_before_the_statement(tool, folder, publisher, refused):
    """The standard way of somebody who knows nothing of us, but for one option."""
    ran = tool("sign", folder, "--ignore-paths", folder / "release.json")
    assert "Signing succeeded" in ran.stdout, ran.stderr
    statement = publisher.state(folder)
    (folder / "release.json").write_bytes(sign_statement(statement, publisher.key))
    assert not verify_folder(folder, statement, [publisher.public]).signature_covers_statement
    assert "Verification succeeded" in tool("verify", folder).stdout
    (folder / "fingerprint.pb").write_bytes(b"")
    assert refused(folder, statement).reason is Refusal.CONTENT


def test_the_tool_verifies_ours(tool, package, stranger):
    folder, _ = package
    assert "Verification succeeded" in tool("verify", folder).stdout
    assert tool("verify", folder, key=stranger.files[1]).returncode
    (folder / "release.json").write_bytes(b"{}")
    ran = tool("verify", folder)
    assert ran.returncode
    assert re.search(r"Hash mismatch for \\?'release\.json", ran.stdout + ran.stderr)


def test_the_tool_verifies_ours_without_the_statement(tool, folder, publisher):
    (folder / "model.sig").write_bytes(sign_folder(folder, publisher.key))
    assert "Verification succeeded" in tool("verify", folder).stdout
    (folder / "release.json").write_bytes(b"{}")
    assert "Verification succeeded" in tool("verify", folder).stdout
    (folder / "more").write_bytes(b"{}")
    assert tool("verify", folder).returncode


def test_what_the_tool_lets_pass_and_we_do_not(tool, folder, publisher, refused):
    statement = publisher.state(folder)
    (folder / "release.json").write_bytes(sign_statement(statement, publisher.key))
    tool("sign", folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "hook").write_text("#!/bin/sh")
    assert "Verification succeeded" in tool("verify", folder).stdout
    assert refused(folder, statement).reason is Refusal.EXTRA_FILE
