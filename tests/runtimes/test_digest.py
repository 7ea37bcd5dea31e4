"""A version's digest: the same from a folder as from a package's list of files."""

import hashlib
import shutil
from pathlib import Path

import pytest
from running import DEMO_MODEL

from appliance.registry.package import files as package
from appliance.runtimes import digest

VERSION = DEMO_MODEL / "1"


def listed(folder: Path) -> list[package.PackageFile]:
    return [
        package.PackageFile(
            file.relative_to(folder).as_posix(), file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest()
        )
        for file in folder.rglob("*")
        if file.is_file()
    ]


@pytest.fixture
def version(tmp_path: Path) -> Path:
    return Path(shutil.copytree(VERSION, tmp_path / "1"))


def test_the_folder_and_its_list_of_files_have_one_digest(version):
    assert digest.digest_of(version) == package.content_digest(listed(version))


def test_statement_and_signature_change_neither_digest_nor_size(version):
    before = digest.digest_of(version), digest.size_of(version)
    for name in ("release.json", "model.sig"):
        (version / name).write_text("signed")
    assert (digest.digest_of(version), digest.size_of(version)) == before
    assert digest.digest_of(version) == package.content_digest(listed(version))


def test_files_of_these_names_further_down_are_content(version):
    before = digest.digest_of(version)
    (version / "assets").mkdir()
    (version / "assets" / "model.sig").write_text("content")
    assert digest.digest_of(version) != before
    assert digest.digest_of(version) == package.content_digest(listed(version))


def test_both_parts_leave_out_the_same():
    assert digest.BESIDE == package.BESIDE
