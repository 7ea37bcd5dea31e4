"""Names of places: what is read, what is refused and in which words."""

from pathlib import Path

import pytest

from appliance.registry.remote.reference import (
    FolderReference,
    MlflowReference,
    OciReference,
    ReferenceUnusable,
    Selection,
    parse_reference,
)

DIGEST = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("oci://r.test/models/surface:line3", OciReference("https", "r.test", "models/surface", "line3", None)),
        ("oci://r.test:5000/surface", OciReference("https", "r.test:5000", "surface", "latest", None)),
        (f"oci://r.test/a/b__c-d:t@{DIGEST}", OciReference("https", "r.test", "a/b__c-d", None, DIGEST)),
        ("oci+http://127.0.0.1:5000/s:1", OciReference("http", "127.0.0.1:5000", "s", "1", None)),
        ("oci://[::1]:5000/s:1", OciReference("https", "[::1]:5000", "s", "1", None)),
        ("https://h.test:8443/models//", FolderReference("https://h.test:8443/models/")),
        ("http://h.test", FolderReference("http://h.test/")),
        ("file:///media/usb%20stick", FolderReference(Path("/media/usb stick"))),
        ("/srv/models", FolderReference(Path("/srv/models"))),
        (
            "mlflow+https://m.test/Surface%20Model@champion",
            MlflowReference("https://m.test", "Surface Model", "champion"),
        ),
        ("mlflow+http://m.test:5000/base/s@a", MlflowReference("http://m.test:5000/base", "s", "a")),
    ],
)
def test_read(text, expected):
    assert parse_reference(text) == expected
    if not isinstance(expected, FolderReference) and "%" not in text:
        assert parse_reference(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is named by 1 to"),
        ("oci://r.test/UPPER:1", "in small letters"),
        ("oci://r.test/", "names no repository"),
        ("oci://r.test/a/../b", "names no repository"),
        ("oci://r.test/a:b c", "no tag"),
        ("oci://r.test/a@sha256:12", "64 hexadecimal digits"),
        ("oci:///a:1", "names no host"),
        ("oci://r.test:99999/a:1", "is no address"),
        ("oci://box:secret@r.test/a:1", "carries a login.*credentials_file"),
        ("https://box:secret@r.test/a/", "carries a login"),
        ("https://r.test/a/?x=1", r"neither \? nor #"),
        ("s3://bucket/a", "begins with s3://"),
        ("r.test:5000/a:1", "does not say what it is"),
        ("file://host/share", "three slashes"),
        ("mlflow+https://m.test/name", "NAME@ALIAS"),
        ("oci://r.test/a:1\n", "printable"),
    ],
)
def test_refused_in_a_sentence(text, said):
    with pytest.raises(ReferenceUnusable, match=said) as error:
        parse_reference(text)
    assert "secret" not in str(error.value)
    assert str(error.value).endswith(".")


def test_plain_http_where_asked():
    assert parse_reference("oci://127.0.0.1:5000/s:1", plain_http=True).scheme == "http"


@pytest.mark.parametrize(
    "values", [{}, {"tag": "a", "release": 1}, {"tag": "a/b"}, {"tag": "../x"}, {"digest": "sha256:1"}, {"release": -1}]
)
def test_selection_names_one_thing_and_no_other_place(values):
    with pytest.raises(ReferenceUnusable):
        Selection(**values)


def test_selected():
    there = parse_reference("oci://r.test/models/surface:line3")
    assert str(there.selected(Selection(tag="next"))) == "oci://r.test/models/surface:next"
    assert str(there.selected(Selection(digest=DIGEST))) == f"oci://r.test/models/surface@{DIGEST}"
    assert str(there.selected(Selection(release=12))) == "oci://r.test/models/surface:release-12"
    alias = parse_reference("mlflow+https://m.test/s@a")
    assert alias.selected(Selection(tag="b")).alias == "b"
    with pytest.raises(ReferenceUnusable, match="aliases"):
        alias.selected(Selection(release=1))
