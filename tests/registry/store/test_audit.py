"""Who did what stays, up to a bound."""

import threading

from appliance.registry.store.audit import Audit
from appliance.registry.store.ballast import Ballast


def moments():
    number = 0
    while True:
        number += 1
        yield f"2026-11-20T20:00:00.{number:03d}Z"


def test_lines_are_read_newest_first(store):
    store.audit.append("anna", "rest 10.0.0.7", "approve", "surface", release=7, id="x")
    store.audit.append("delivery", "local", "activate", "surface", release=7, took_ms=1.5, ok=True, why=None)
    last, first = store.audit.read()
    assert (first["who"], first["source"], first["verb"], first["release"]) == ("anna", "rest 10.0.0.7", "approve", 7)
    assert (last["took_ms"], last["ok"], last["why"]) == (1.5, True, None)
    assert last["at"].endswith("Z")
    assert store.audit.read(1) == [last]


def test_a_torn_line_costs_itself_alone(store):
    store.audit.append("anna", "cli", "pin", "surface")
    with store.audit.file.open("ab") as file:
        file.write(b'{"at": "2026-')
    store.audit.append("anna", "cli", "unpin", "surface")
    assert [one["verb"] for one in store.audit.read()] == ["unpin", "pin"]


def test_long_texts_are_cut_and_cannot_make_lines(store):
    store.audit.append("x" * 10_000, 'a"\nb', "pin", "surface", detail={"deep": ["y" * 1000]})
    [entry] = store.audit.read()
    assert len(entry["who"]) == len(entry["detail"]) == 500
    assert entry["source"] == 'a"\nb'


def test_old_files_go(tmp_path):
    at = moments()
    audit = Audit(tmp_path / "audit.jsonl", Ballast(tmp_path / "ballast", 0), now=lambda: next(at), file_max_bytes=1000)
    for number in range(200):
        audit.append("anna", "cli", "pin", "surface", number=number)
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["audit.jsonl", *(f"audit.jsonl.{number}" for number in range(1, 5))]
    assert max(path.stat().st_size for path in tmp_path.iterdir()) <= 1000
    read = [one["number"] for one in audit.read(1000)]
    assert read == list(range(199, 199 - len(read), -1))
    assert len(read) > 30
    assert audit.read(12) == audit.read(1000)[:12]


def test_any_thread_may_append(store):
    def append(name):
        for number in range(20):
            store.audit.append(name, "rest", "pin", "surface", number=number)

    threads = [threading.Thread(target=append, args=(str(one),)) for one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len({(one["who"], one["number"]) for one in store.audit.read(1000)}) == 80
