import pytest

from appliance.registry.errors import Refusal, Rejected
from appliance.registry.package.paths import check_path, check_paths

BAD = [
    "", "/etc/passwd", "..", "../x", "a/../b", "a/..", "./a", "a//b", "a/", "a/.",
    "\\x", "a\\b", "C:x", "a*", "what?", "a|b", "<a>", 'a"b', "a.", "a /b", " a",
    "a\nb", "a\x00b", "a\x1b[2Jb", "a\u202eb", "a\u2028b", "a\ud800b",
    "x" * 256, "/".join(["y" * 100] * 6), "/".join("a" * 17),
]  # fmt: skip
GOOD = [
    "saved_model.pb", "variables/variables.data-00000-of-00001", "assets.extra/golden/Kratzer ä 1.jpg",
    "a/b/c", "..a", "a..b", ".hidden", "x" * 255,
]  # fmt: skip


@pytest.mark.parametrize("path", BAD, ids=ascii)
def test_names_that_are_refused(path):
    with pytest.raises(Rejected) as caught:
        check_path(path)
    assert caught.value.reason is Refusal.PATH
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("path", GOOD)
def test_names_that_are_kept(path):
    check_path(path)


@pytest.mark.parametrize(
    "paths",
    [
        ["a", "A"],
        ["x/Straße", "x/STRASSE"],
        ["e\u0301", "\u00e9"],
        ["K", "\u212a"],
        ["a", "a/b"],
        ["A/b", "a"],
    ],
    ids=ascii,
)
@pytest.mark.parametrize("turn", [1, -1])
def test_two_names_that_are_one_elsewhere(paths, turn):
    with pytest.raises(Rejected, match=r"take for one|as a file and as a folder") as caught:
        check_paths(paths[::turn])
    assert caught.value.reason is Refusal.PATH


def test_many_names_at_once():
    check_paths([f"folder{i % 7}/file{i}" for i in range(4096)])
