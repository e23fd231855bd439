"""The manifest: whoever changes, adds or removes a file of a sealed folder is found out before anything is opened."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gitops_ml import manifest
from gitops_ml.errors import IntegrityError
from unit.sample import Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a few files, one of them deeper down."""
    made = tmp_path / "run"
    (made / "plots").mkdir(parents=True)
    (made / "model.skops").write_bytes(b"model")
    (made / "run.json").write_text("{}")
    (made / "plots" / "a.png").write_bytes(b"picture")
    return made


def test_a_sealed_folder_is_trusted(folder: Path) -> None:
    """The digest is that of the manifest, and does not change when it is sealed again."""
    digest = manifest.seal(folder)
    manifest.verify(folder, digest)
    assert digest == manifest.digest_file(folder / "manifest.json")
    assert manifest.seal(folder) == digest


def test_the_manifest_names_every_file(folder: Path) -> None:
    """With its digest and its size, sorted."""
    manifest.seal(folder)
    entries = json.loads((folder / "manifest.json").read_text())
    assert list(entries) == ["model.skops", "plots/a.png", "run.json"]
    assert entries["run.json"] == {"bytes": 2, "sha256": manifest.digest_bytes(b"{}")}


def test_the_digest_does_not_depend_on_the_place(folder: Path) -> None:
    """The same files elsewhere are the same version."""
    digest = manifest.seal(folder)
    moved = folder.rename(folder.with_name("elsewhere"))
    manifest.verify(moved, digest)


def linked(folder: Path) -> None:
    """A file replaced by a link to the same bytes."""
    (folder / "model.skops").rename(folder.parent / "model.skops")
    (folder / "model.skops").symlink_to(folder.parent / "model.skops")


def linked_folder(folder: Path) -> None:
    """A folder replaced by a link to the same files."""
    (folder / "plots").rename(folder.parent / "plots")
    (folder / "plots").symlink_to(folder.parent / "plots")


def resealed(folder: Path) -> None:
    """A file changed and the manifest written anew, as an attacker would."""
    (folder / "model.skops").write_bytes(b"MODEL")
    manifest.seal(folder)


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "changed, same size": (lambda f: (f / "model.skops").write_bytes(b"MODEL"), "model.skops was changed after"),
    "changed size": (lambda f: (f / "model.skops").write_bytes(b"longer"), "model.skops does not have the size"),
    "added": (lambda f: (f / "plots" / "b.png").write_bytes(b""), "missing or do not belong there: plots/b.png"),
    "removed": (lambda f: (f / "run.json").unlink(), "missing or do not belong there: run.json"),
    "renamed": (lambda f: (f / "run.json").rename(f / "run.toml"), "do not belong there: run.json, run.toml"),
    "link to a file": (linked, "model.skops is a link"),
    "link to a folder": (linked_folder, "plots is a link"),
    "link beside": (lambda f: os.symlink("run.json", f / "other.json"), "other.json is a link"),
    "manifest removed": (lambda f: (f / "manifest.json").unlink(), "its manifest.json is missing"),
    "manifest changed": (lambda f: (f / "manifest.json").write_text("{}"), "its manifest.json has the digest sha256:"),
    "sealed again": (resealed, "its manifest.json has the digest sha256:"),
    "folder removed": (lambda f: f.rename(f.with_name("gone")), "its manifest.json is missing"),
}


@pytest.mark.parametrize(("tamper", "why"), TAMPERED.values(), ids=TAMPERED)
def test_a_folder_that_was_tampered_with_is_refused(folder: Path, tamper: Callable[[Path], object], why: str) -> None:
    """With the file, and that nothing was opened."""
    digest = manifest.seal(folder)
    tamper(folder)
    with pytest.raises(IntegrityError) as caught:
        manifest.verify(folder, digest)
    assert why in caught.value.what
    assert "Nothing in it was opened." in caught.value.next


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
    """Before the folder is even looked at."""
    with pytest.raises(IntegrityError, match="is not a digest"):
        manifest.verify(folder, digest)


def test_a_folder_with_a_link_is_not_sealed(folder: Path) -> None:
    """What cannot be verified is not handed out."""
    linked(folder)
    with pytest.raises(IntegrityError, match="is a link"):
        manifest.seal(folder)


def test_tampering_has_its_exit_code(project: Project) -> None:
    """11, wherever a command meets it; the store is not touched."""
    project.must("train")
    run = project.root / ".gitops" / "run"
    (run / "model.skops").write_bytes(b"")
    result = project.gitops("register")
    assert result.code == 11
    assert "model.skops does not have the size" in result.err
    assert project.gitops("register", "--digest", "sha256:0").code == 11
    assert project.git("branch", "--list", "mlflow") == ""


def test_json_has_one_digest_whatever_the_order_of_its_keys() -> None:
    """So that a configuration that says the same is the same."""
    assert manifest.digest_json({"a": 1, "b": [2]}) == manifest.digest_json({"b": [2], "a": 1})
    assert manifest.digest_json({"a": 1}) != manifest.digest_json({"a": "1"})


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Nothing else is left beside it."""
    manifest.write_atomically(tmp_path / "deep" / "a.txt", "old")
    manifest.write_atomically(tmp_path / "deep" / "a.txt", "new")
    assert [(file.name, file.read_text()) for file in (tmp_path / "deep").iterdir()] == [("a.txt", "new")]
