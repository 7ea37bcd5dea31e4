"""`appliance deployments` as a person meets it, against a box' real HTTP side and a delivery process' double."""

import io
import json
import threading
from dataclasses import replace
from datetime import datetime, timezone

import pytest
from running import free_port, until
from steering.boxes import DIGEST, deployment, document
from steering.steered import LIVE, OVER, Steered

from appliance.api import access as access_module
from appliance.cli import main
from appliance.client import deployments_watch
from appliance.client.box import Box
from appliance.client.deployments_text import Look, audit, changes, clean, details, live, overview
from appliance.client.deployments_watch import Rates, Screen, watch
from appliance.client.errors import ClientError
from appliance.registry.deployments.states import State
from appliance.steering.requests import Verb

NOW = datetime(2026, 11, 21, 9, 10, tzinfo=timezone.utc)
TOKEN = "3f8a2b61c7d94e05"
LOADING = deployment(3, state=State.DOWNLOADING, release=8, bytes_total=94_100_000, bytes_done=47_050_000)


@pytest.fixture
def steered(tmp_path):
    one = Steered(tmp_path).start_delivery()
    yield one
    one.close()


@pytest.fixture
def call(steered, capsys):
    """Run the command; its exit code, what it printed, and what it said of errors."""

    def run(*arguments):
        code = main(["deployments", "--box", f"http://127.0.0.1:{steered.http.port}", *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_without_a_verb_it_shows_what_serves_and_what_is_on_its_way(call):
    code, out, _ = call()
    assert code == 0
    heading, row, surface, *_ = out.splitlines()
    assert heading.split()[:3] == ["MODEL", "SERVES", "VERSION"]
    assert row.split()[:2] == ["seal", "release"]
    assert f"release 7        7  {DIGEST[7:19]}  release 8  staged" in surface
    assert LIVE.id in out
    assert OVER.id in out


def test_json_is_what_the_box_says(call):
    code, out, _ = call("--json")
    assert code == 0
    assert set(json.loads(out)["models"]) == {"surface", "seal"}
    code, out, _ = call("show", LIVE.id, "--json")
    assert json.loads(out) == LIVE.as_json()


def test_show_tells_all_of_one(call):
    code, out, _ = call("show", LIVE.id)
    assert code == 0
    assert f"digest known yet{DIGEST}" not in out
    for text in (LIVE.id, DIGEST, LIVE.reference, "staged since", "waits for a person's approval", "poll"):
        assert text in out


def test_start_names_a_release_once(call, steered):
    code, out, _ = call("start", "surface", "--tag", "stable", "--force")
    assert code == 0
    assert "of surface: pending. Follow it with: appliance deployments --watch" in out
    asked = steered.handler.asked[-1]
    assert (asked.verb, asked.model, asked.body) == (Verb.CREATE, "surface", {"tag": "stable", "force": True})
    assert asked.key
    assert asked.who.startswith("local (")


def test_start_without_a_release_looks_at_the_configured_source(call):
    code, out, _ = call("start", "surface")
    assert code == 0
    assert out.startswith("The configured source of surface is looked at now. Follow it with")


@pytest.mark.parametrize(
    ("arguments", "verb", "model", "body", "says"),
    [
        (("approve", "surface"), Verb.APPROVE, "surface", {}, "of surface: staged"),
        (("approve", LIVE.id), Verb.APPROVE, "surface", {"id": LIVE.id}, LIVE.id),
        (("cancel", LIVE.id), Verb.CANCEL, "surface", {"id": LIVE.id}, "canceled"),
        (("rollback", "surface"), Verb.ROLLBACK, "surface", {}, "of surface: pending"),
        (("pin", "surface"), Verb.PIN, "surface", {}, "surface is pinned to release 7."),
        (("pin", "surface", "--release", "6"), Verb.PIN, "surface", {"release": 6}, "pinned to release 6."),
        (("unpin", "surface"), Verb.UNPIN, "surface", {}, "surface follows what is published again."),
        (("pause", "seal"), Verb.PAUSE, "seal", {}, "seal is paused."),
        (("resume", "seal"), Verb.RESUME, "seal", {}, "seal goes on."),
        (("look", "seal"), Verb.LOOK, "seal", {}, "asked now for seal."),
        (("look",), Verb.LOOK, None, {}, "asked now for surface, seal."),
        (("audit", "--limit", "3"), Verb.AUDIT, None, {"limit": 3}, "anna"),
    ],
)
def test_each_verb_asks_for_what_it_says(call, steered, arguments, verb, model, body, says):
    code, out, err = call(*arguments)
    assert (code, err) == (0, "")
    assert says in out
    asked = steered.handler.asked[-1]
    assert (asked.verb, asked.model, asked.body) == (verb, model, body)


def test_options_may_stand_after_the_verb(steered, capsys):
    assert main(["deployments", "look", "--box", f"http://127.0.0.1:{steered.http.port}", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"models": ["surface", "seal"]}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("start", "nobody"), "says: No model 'nobody' is delivered to this box."),
        (("cancel", OVER.id), "over already: success"),
        (("show", "0193a5f0"), "No such deployment is known here."),
        (("show", "../../etc"), "is no name of a model and no id of a deployment"),
        (("start", "surface", "--tag", "http://evil/x"), "never an address"),
    ],
)
def test_what_the_box_refuses_is_its_sentence(call, arguments, says):
    code, out, err = call(*arguments)
    assert (code, out) == (1, "")
    assert says in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [("explode",), ("pin", "surface", "--release", "-1"), ("start",), ("--timeout", "0")]
)
def test_wrong_usage_is_exit_code_2(call, arguments):
    with pytest.raises(SystemExit) as ended:
        call(*arguments)
    assert ended.value.code == 2


def test_a_box_that_is_not_there_is_one_sentence(capsys):
    url = f"http://127.0.0.1:{free_port()}"
    for arguments in ((), ("--watch",), ("pause", "surface")):
        assert main(["deployments", "--box", url, *arguments]) == 1
        err = capsys.readouterr().err
        assert err.startswith(f"appliance: No box answers at {url} (Connection refused); is the appliance running")
        assert len(err.splitlines()) == 1


def test_something_else_at_the_address_is_said():
    with pytest.raises(ClientError, match="no address of a box"):
        Box("ftp://x", None, 1)
    with pytest.raises(ClientError, match="no address of a box"):
        Box("http://", None, 1)
    assert Box("line3-box1:8080", None, 1).url == "http://line3-box1:8080"


def test_a_box_without_delivered_models_says_what_to_set(tmp_path, capsys):
    one = Steered(tmp_path, delivered=False)
    assert main(["deployments", "--box", f"127.0.0.1:{one.http.port}"]) == 1
    assert "[models.NAME.delivery]" in capsys.readouterr().err
    one.close()


def test_from_elsewhere_a_token_is_needed_and_a_wrong_one_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(access_module, "_is_loopback", lambda _address: False)
    tokens, mine = tmp_path / "tokens", tmp_path / "mine"
    tokens.write_text(f"anna {TOKEN}\n")
    tokens.chmod(0o600)
    one = Steered(tmp_path, tokens=tokens).start_delivery()
    box = ["deployments", "--box", f"http://127.0.0.1:{one.http.port}"]
    assert main([*box, "pause", "surface"]) == 1
    assert "use --token-file FILE" in capsys.readouterr().err
    mine.write_text("wrong-wrong-wrong-wrong\n")
    assert main([*box, "--token-file", str(mine), "pause", "surface"]) == 1
    assert "The token is wrong" in capsys.readouterr().err
    mine.write_text(f"# mine\nanna {TOKEN}\n")
    assert main([*box, "pause", "surface", "--token-file", str(mine)]) == 0
    assert one.handler.asked[-1].who == "anna"
    for text, says in (("", "There is no token in"), (None, "cannot be read")):
        mine.unlink() if text is None else mine.write_text(text)
        assert main([*box, "--token-file", str(mine), "pause", "surface"]) == 1
        assert says in capsys.readouterr().err
    one.close()


def test_a_log_of_changes_where_there_is_no_terminal(steered):
    out = io.StringIO()
    watching = threading.Event()
    box = Box(f"http://127.0.0.1:{steered.http.port}", None, 10)
    thread = threading.Thread(
        target=watch, args=(box, out), kwargs={"goes_on": lambda: not watching.is_set(), "pause": lambda _: None}
    )
    thread.start()
    until(lambda: "staged" in out.getvalue(), "what is there", 10)
    steered.changed(state=State.SHADOWING, waiting_for=None)
    until(lambda: "shadowing" in out.getvalue(), "the change", 10)
    watching.set()
    steered.changed(
        state=State.FAILED, reason="agreement", detail="It disagrees.", reports={"shadow": {"passed": False}}
    )
    thread.join(10)
    assert not thread.is_alive()
    lines = out.getvalue().splitlines()
    assert "10:00:00Z surface: release 8 staged, waits for a person's approval (appliance deployments approve)" in lines
    assert [line for line in lines if "surface" in line][-2:] == [
        "10:00:00Z surface: release 8 failed, It disagrees.",
        "10:00:00Z surface: shadow: not passed; 0 parts seen",
    ]
    assert sum("serves" in line for line in lines) == 2, "once for each model"
    assert "\x1b" not in out.getvalue()


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self):
        return True


def test_on_a_terminal_it_is_drawn_anew_in_its_place(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "40")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    screen = Screen(terminal)
    screen.show(document(LOADING), Rates())
    height = terminal.getvalue().count("\n")
    screen.show(document(replace(LOADING, state=State.VERIFYING)), Rates())
    assert f"\x1b[{height}F\x1b[J" in terminal.getvalue()
    assert "\x1b[7mverifying\x1b[0m" in terminal.getvalue()


def test_a_box_that_goes_away_while_watched_is_waited_for(steered, monkeypatch):
    monkeypatch.setattr(deployments_watch, "_WAIT_S", 0.01)
    out = io.StringIO()
    seen = []

    def pause(_):
        seen.append(out.getvalue())
        if len(seen) == 1:
            steered.control.stop()
            until(lambda: steered.newest.now().document is None, "the loss", 10)

    box = Box(f"http://127.0.0.1:{steered.http.port}", None, 10)
    watch(box, out, goes_on=lambda: len(seen) < 4, pause=pause)
    assert out.getvalue().count("The delivery process is away") == 1
    assert "It is asked again." in out.getvalue()


def test_the_live_view():
    one = replace(
        LOADING, requested_by="anna", reports={"acceptance": {"passed": True, "sentence": "40 samples agree."}}
    )
    shown = live(document(one, flags={"paused": True, "pinned": 7}), {one.id: 8_200_000}, Look(width=70))
    assert shown == [
        "line3-box1  2026-11-21 10:00:00Z",
        "",
        f"surface  serves release 7 (version 7, {DIGEST[7:19]})",
        "  ! paused",
        "  ! pinned to release 7",
        "  release 8 from oci://registry.plant:5000/models/surface:stable, ask…",
        "  pending ─ [downloading] ─ verifying ─ staged ─ loading ─ accepting",
        "   ─ shadowing ─ canary ─ activating ─ probation ─ success",
        "  ████████████░░░░░░░░░░░░  50 %  47 MB of 94.1 MB  8.2 MB/s",
        "  acceptance: passed; 40 samples agree.",
    ]


def test_a_terminal_without_pictures_gets_ascii_and_an_end_its_reason():
    failed = replace(LOADING, state=State.ROLLED_BACK, detail="5 parts were late; 0 are allowed")
    shown = "\n".join(live(document(failed), {}, Look(plain=True)))
    assert "  rolled back\n  5 parts were late; 0 are allowed" in shown
    assert "\n".join(live(document(LOADING), {}, Look(plain=True))).isascii()


def test_what_comes_from_elsewhere_cannot_steer_the_terminal():
    evil = replace(LOADING, detail="\x1b[2J\x07x", reference="oci://\x1b]0;x\x07", requested_by="\x1b[31m", reason="\n")
    assert clean("\x1b[2Jx\n") == "?[2Jx?"
    whole = document(evil, flag_details={"stale": "\x1b"}, flags={"stale": True})
    for text in (overview(whole, NOW), details(evil.as_json()), *live(whole, {}, Look()), *changes(None, whole)):
        assert "\x1b" not in text
        assert "\x07" not in text
    assert "\x1b" not in audit([{"at": "\x1b", "who": "\x1b", "more": "\x1b"}])


def test_rates_are_what_moved_between_two_documents():
    rates = Rates()
    rates.take(document(LOADING), 10.0)
    assert rates.now == {}
    rates.take(document(replace(LOADING, bytes_done=LOADING.bytes_done + 4_000_000)), 12.0)
    assert rates.now == {LOADING.id: 2_000_000}
    rates.take(document(replace(LOADING, state=State.VERIFYING)), 13.0)
    assert rates.now == {}


def test_notes_stand_below_the_table_and_long_ones_are_wrapped():
    trouble = "The registry registry.plant:5000 cannot be reached (no route to host); look at cable and source."
    whole = document(LOADING, flag_details={"source": trouble})
    assert f"surface: {trouble}" in overview(whole, NOW)
    shown = live(whole, {}, Look(width=60))
    assert shown[3:5] == [
        "  ! The registry registry.plant:5000 cannot be reached (no",
        "    route to host); look at cable and source.",
    ]
    assert all(len(line) <= 60 for line in shown)


def test_an_empty_audit_log_says_so():
    assert audit([]) == "Nobody has changed anything yet."
    assert "key=r-1" in audit([{"at": "x", "who": "anna", "source": "mqtt", "verb": "pin", "model": "a", "key": "r-1"}])


def test_help_has_examples(capsys):
    for arguments in (("--help",), ("start", "--help")):
        with pytest.raises(SystemExit) as ended:
            main(["deployments", *arguments])
        assert ended.value.code == 0
        assert "examples:" in capsys.readouterr().out
