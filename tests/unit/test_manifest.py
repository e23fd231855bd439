"""Manifests: a file that was changed, added or removed is detected before any file is opened."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_ml import manifest
from gitops_ml.errors import IntegrityError
from unit.sample import Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with some files, one of them in a subfolder."""
    created = tmp_path / "run"
    (created / "plots").mkdir(parents=True)
    (created / "model.skops").write_bytes(b"model")
    (created / "run.json").write_text("{}")
    (created / "plots" / "a.png").write_bytes(b"image")
    return created


def test_a_folder_with_a_manifest_is_verified(folder: Path) -> None:
    """The digest is that of the manifest, and a second manifest has the same digest."""
    digest = manifest.write_manifest(folder)
    manifest.verify(folder, digest)
    assert digest == manifest.digest_file(folder / "manifest.json")
    assert manifest.write_manifest(folder) == digest


def test_the_manifest_names_every_file(folder: Path) -> None:
    """Each has digest and size, sorted by name."""
    manifest.write_manifest(folder)
    entries = json.loads((folder / "manifest.json").read_text())
    assert list(entries) == ["model.skops", "plots/a.png", "run.json"]
    assert entries["run.json"] == {"bytes": 2, "sha256": manifest.digest_bytes(b"{}")}


def test_the_digest_does_not_depend_on_the_path(folder: Path) -> None:
    """The same files in another folder have the same digest."""
    digest = manifest.write_manifest(folder)
    moved = folder.rename(folder.with_name("other"))
    manifest.verify(moved, digest)


def link_file(folder: Path) -> None:
    """Replace a file by a link to the same bytes."""
    (folder / "model.skops").rename(folder.parent / "model.skops")
    (folder / "model.skops").symlink_to(folder.parent / "model.skops")


def link_folder(folder: Path) -> None:
    """Replace a folder by a link to the same files."""
    (folder / "plots").rename(folder.parent / "plots")
    (folder / "plots").symlink_to(folder.parent / "plots")


def rewrite_manifest(folder: Path) -> None:
    """Change a file and write a new manifest, as an attacker would."""
    (folder / "model.skops").write_bytes(b"MODEL")
    manifest.write_manifest(folder)


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed, same size": (lambda f: (f / "model.skops").write_bytes(b"MODEL"), "model.skops was changed after"),
    "changed size": (lambda f: (f / "model.skops").write_bytes(b"longer"), "model.skops does not have the size"),
    "added": (lambda f: (f / "plots" / "b.png").write_bytes(b""), "missing or unexpected: plots/b.png"),
    "removed": (lambda f: (f / "run.json").unlink(), "missing or unexpected: run.json"),
    "renamed": (lambda f: (f / "run.json").rename(f / "run.toml"), "missing or unexpected: run.json, run.toml"),
    "link to a file": (link_file, "model.skops is a link"),
    "link to a folder": (link_folder, "plots is a link"),
    "link beside": (lambda f: os.symlink("run.json", f / "other.json"), "other.json is a link"),
    "manifest removed": (lambda f: (f / "manifest.json").unlink(), "its manifest.json is missing"),
    "manifest changed": (lambda f: (f / "manifest.json").write_text("{}"), "its manifest.json has the digest sha256:"),
    "a new manifest": (rewrite_manifest, "its manifest.json has the digest sha256:"),
    "folder removed": (lambda f: f.rename(f.with_name("gone")), "its manifest.json is missing"),
}


@pytest.mark.parametrize(("tamper", "reason"), TAMPERED.values(), ids=TAMPERED)
def test_a_manipulated_folder_is_refused(folder: Path, tamper: Callable[[Path], object], reason: str) -> None:
    """The message names the file, and says that no file was opened."""
    digest = manifest.write_manifest(folder)
    tamper(folder)
    with pytest.raises(IntegrityError) as caught:
        manifest.verify(folder, digest)
    assert reason in caught.value.problem
    assert "No file in it was opened." in caught.value.next_step


MALFORMED = {
    "empty": "",
    "no prefix": "0" * 64,
    "too short": "sha256:" + "0" * 63,
    "too long": "sha256:" + "0" * 65,
    "upper case": "sha256:" + "A" * 64,
    "a line more": "sha256:" + "0" * 64 + "\n",
    "a path": "sha256:../../etc/passwd",
}


@pytest.mark.parametrize("digest", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_digest_is_refused(folder: Path, digest: str) -> None:
    """The folder is not read."""
    with pytest.raises(IntegrityError, match="is not a digest"):
        manifest.verify(folder, digest)


def test_a_folder_with_a_link_gets_no_manifest(folder: Path) -> None:
    """A link cannot be verified."""
    link_file(folder)
    with pytest.raises(IntegrityError, match="is a link"):
        manifest.write_manifest(folder)


def test_tampering_has_its_exit_code(project: Project) -> None:
    """The exit code is 11 in every command, and the store is not changed."""
    project.must("train")
    run = project.root / ".gitops" / "run"
    (run / "model.skops").write_bytes(b"")
    result = project.gitops("register")
    assert result.code == 11
    assert "model.skops does not have the size" in result.err
    assert project.gitops("register", "--digest", "sha256:0").code == 11
    assert project.git("branch", "--list", "mlflow") == ""


def test_the_order_of_json_keys_does_not_change_the_digest() -> None:
    """Equal configurations have equal digests."""
    assert manifest.digest_json({"a": 1, "b": [2]}) == manifest.digest_json({"b": [2], "a": 1})
    assert manifest.digest_json({"a": 1}) != manifest.digest_json({"a": "1"})


def test_a_file_is_written_atomically(tmp_path: Path) -> None:
    """No temporary file is left."""
    manifest.write_atomically(tmp_path / "deep" / "a.txt", "old")
    manifest.write_atomically(tmp_path / "deep" / "a.txt", "new")
    assert [(file.name, file.read_text()) for file in (tmp_path / "deep").iterdir()] == [("a.txt", "new")]


def _entries(folder: Path) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return entries


def _with_entry(name: str, **entry: Any) -> Callable[[Path], str]:
    """Return a function for the text of a manifest with one more entry."""
    return lambda folder: json.dumps({**_entries(folder), name: entry})


# Each returns the text of a manifest for the files of a folder; its digest is the one that is expected.
BAD_MANIFESTS: dict[str, Callable[[Path], str]] = {
    "no JSON": lambda folder: "{",
    "no text": lambda folder: "\udcff\udcfe",
    "a list": lambda folder: "[]",
    "a number": lambda folder: "NaN",
    "deep": lambda folder: "[" * 100_000,
    "a huge number": lambda folder: '{"run.json": ' + "9" * 6000 + "}",
    "an entry that is text": lambda folder: json.dumps(dict.fromkeys(_entries(folder), "x")),
    "no size": lambda folder: json.dumps({name: {"sha256": it["sha256"]} for name, it in _entries(folder).items()}),
    "no digest": lambda folder: json.dumps({name: {"bytes": it["bytes"]} for name, it in _entries(folder).items()}),
    "a size that is text": lambda folder: json.dumps(
        {name: {**it, "bytes": str(it["bytes"])} for name, it in _entries(folder).items()}
    ),
    "a size that is NaN": lambda folder: json.dumps(
        {name: {**it, "bytes": math.nan} for name, it in _entries(folder).items()}
    ),
    "a negative size": _with_entry("run.json", sha256=manifest.digest_bytes(b"{}"), bytes=-1),
    "a name twice": lambda folder: '{"run.json": 1, ' + json.dumps(_entries(folder))[1:],
    "an absolute path": _with_entry("/etc/passwd", sha256="sha256:" + "0" * 64, bytes=1),
    "a path outside": _with_entry("../run.json", sha256="sha256:" + "0" * 64, bytes=1),
    "a folder": _with_entry("plots", sha256="sha256:" + "0" * 64, bytes=1),
    "an empty name": _with_entry("", sha256="sha256:" + "0" * 64, bytes=1),
    "many names": lambda folder: json.dumps({f"x{number}": {} for number in range(9000)}),
}


@pytest.mark.parametrize("text", BAD_MANIFESTS.values(), ids=BAD_MANIFESTS)
def test_a_manifest_in_another_form_is_refused(folder: Path, text: Callable[[Path], str]) -> None:
    """The digest is right, because a job can write any manifest; the message is one short sentence."""
    manifest.write_manifest(folder)
    (folder / "manifest.json").write_text(text(folder), encoding="utf-8", errors="surrogateescape")
    with pytest.raises(IntegrityError) as caught:
        manifest.verify(folder, manifest.digest_file(folder / "manifest.json"))
    assert "cannot be trusted" in caught.value.problem
    assert len(caught.value.problem) < 1000


def test_a_file_that_is_no_file_is_refused(folder: Path) -> None:
    """A pipe would block a reader, and cannot be copied."""
    os.mkfifo(folder / "pipe")
    with pytest.raises(IntegrityError, match="pipe is neither a file nor a folder"):
        manifest.write_manifest(folder)


def test_a_folder_that_cannot_be_read_is_refused(folder: Path) -> None:
    """A name that is too long, or a folder without the right to read it, is a sentence."""
    digest = manifest.write_manifest(folder)
    with pytest.raises(IntegrityError, match="cannot be read"):
        manifest.verify(folder / ("x" * 300), digest)
