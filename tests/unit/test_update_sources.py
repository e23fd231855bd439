"""Versions to update to: a checkout, a wheel, or the package index; and the command, with its environment."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import checkouts
from gitops_ml import cli, errors, library
from gitops_ml.updating import library_files, new_library
from gitops_ml.wheel import build
from package_index import PackageIndex, package
from unit import update_repository as world
from unit.sample import ROOT, library_wheel

LINE = f"gitops-ml==0.3.0 \\\n    --hash=sha256:{'a' * 64}\n"


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel of this checkout, as a file."""
    file = tmp_path / library_wheel().name
    file.write_bytes(library_wheel().content)
    return file


def fetch(target: str | None, scratch: Path, pinned: str | None = "0.2.0") -> new_library.NewLibrary | None:
    """Get a version."""
    return new_library.fetch_library(target, scratch / "update", pinned)


@pytest.mark.parametrize("twice", [False, True])
def test_a_checkout_is_built_by_its_own_builder(tmp_path: Path, twice: bool) -> None:
    """The folder has the pin, the wheel, and the lock of the update."""
    for _ in range(1 + twice):
        new = fetch(str(ROOT), tmp_path)
    assert new is not None
    assert new.version == library_wheel().version
    assert new.wheel is not None
    assert new.wheel.read_bytes() == library_wheel().content
    assert new.pin.read_text() == world.pin_of(library_wheel())
    assert new.lock.read_bytes() == (ROOT / "src/gitops_ml/data/update.txt").read_bytes()
    assert library_files.read_wheel(new.wheel.read_bytes(), new.pin.read_text()).version == new.version


def test_a_wheel_is_taken_as_it_is(tmp_path: Path, wheel: Path) -> None:
    """With its hash."""
    new = fetch(str(wheel), tmp_path)
    assert new is not None
    assert new.pin.read_text() == world.pin_of(library_wheel())


@pytest.mark.parametrize("name", ["README.md", "gitops_ml-0.3.0-py3-none-any.whl", "numpy-2.0-py3-none-any.whl"])
def test_another_file_is_refused(tmp_path: Path, name: str) -> None:
    """A name alone does not make a wheel."""
    (tmp_path / name).write_text("text")
    with pytest.raises(errors.ConfigError, match="is not a wheel of gitops-ml"):
        fetch(str(tmp_path / name), tmp_path)


def test_another_folder_is_refused(tmp_path: Path) -> None:
    """Also a folder with another project, or with the sources missing."""
    (tmp_path / "other").mkdir()
    for text in (None, '[project]\nname = "other"\n', '[project]\nname = "gitops-ml"\n'):
        if text:
            (tmp_path / "other" / "pyproject.toml").write_text(text)
        with pytest.raises(errors.ConfigError, match="is not a checkout of the template"):
            fetch(str(tmp_path / "other"), tmp_path)


def test_a_library_that_cannot_update_is_refused(tmp_path: Path) -> None:
    """A checkout of before this command."""
    old = checkouts.make_small(tmp_path / "old")
    with pytest.raises(errors.ConfigError, match="cannot update a repository"):
        fetch(str(old), tmp_path)


@pytest.mark.parametrize("target", ["../nowhere", "gitops_ml-9.whl", "newest"])
def test_a_target_that_does_not_exist_is_a_sentence(tmp_path: Path, target: str) -> None:
    """It is neither a path nor a version."""
    with pytest.raises(errors.ConfigError, match="neither a folder, nor a wheel, nor a version"):
        fetch(target, tmp_path)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageIndex]:
    """A package index without packages, which uv uses."""
    with PackageIndex(tmp_path / "index") as made:
        settings = {
            "UV_DEFAULT_INDEX": made.index(),
            "SSL_CERT_FILE": str(made.ca),
            "UV_CACHE_DIR": str(tmp_path / "uv"),
        }
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        yield made


@pytest.fixture
def published(index: PackageIndex) -> str:
    """Version 0.3.0 on that index; its digest."""
    content = package("gitops_ml", "0.3.0", {new_library.LOCK: "click==8.2\n"})
    return index.add("gitops-ml", content, version="0.3.0").rpartition(":")[2]


@pytest.mark.parametrize("target", [None, "0.3.0"])
def test_a_version_of_the_index_is_pinned_by_its_hash(tmp_path: Path, published: str, target: str | None) -> None:
    """It needs no wheel in the repository; its own lock is used."""
    new = fetch(target, tmp_path)
    assert new is not None
    assert (new.version, new.wheel, new.lock.read_text()) == ("0.3.0", None, "click==8.2\n")
    assert library.read_pin(new.pin.read_text()) == ("0.3.0", published)


def test_another_wheel_than_the_index_names_is_refused(tmp_path: Path, published: str, index: PackageIndex) -> None:
    """The hash is that of the index's page, and the file has another one."""
    index.replace("gitops-ml", package("gitops_ml", "0.3.0", {new_library.LOCK: "click==8.3\n"}), version="0.3.0")
    with pytest.raises(errors.ConfigError, match="cannot be installed") as raised:
        fetch(None, tmp_path)
    assert "Hash mismatch" in raised.value.problem


def test_an_unknown_version_is_a_sentence(tmp_path: Path, published: str) -> None:
    """With what else can be named."""
    with pytest.raises(errors.ConfigError, match=r"There is no version 9\.9 of gitops-ml on the package index"):
        fetch("9.9", tmp_path)


def test_no_version_at_all_is_a_sentence(tmp_path: Path, index: PackageIndex) -> None:
    """As long as the library is not published."""
    with pytest.raises(errors.ConfigError, match="There is no version of gitops-ml on the package index") as raised:
        fetch(None, tmp_path)
    assert "gitops update --to ../gitops-template" in raised.value.next_step


def test_an_older_version_is_refused_and_not_chosen(tmp_path: Path, published: str) -> None:
    """A repository may pin a version that is not published yet."""
    assert fetch(None, tmp_path, "0.4.0.dev0+src1") is None
    with pytest.raises(errors.ConfigError, match=r"0\.3\.0 is older than 0\.4\.0"):
        fetch("0.3.0", tmp_path, "0.4.0")


def test_a_pin_of_uv_with_several_hashes_is_read() -> None:
    """The first hash; a wheel of the vendor folder has one."""
    assert library.read_pin(LINE + f"    --hash=sha256:{'b' * 64}\n") == ("0.3.0", "a" * 64)
    assert library.read_pin("--find-links ../vendor\ngitops-ml==1 --hash=sha256:" + "c" * 64) == ("1", "c" * 64)
    assert library.read_pin("numpy==1\n") == (None, None)


def test_a_wheel_without_the_template_is_a_sentence(tmp_path: Path, wheel: Path) -> None:
    """Its hash is right, its content is not."""
    with zipfile.ZipFile(wheel) as archive, zipfile.ZipFile(tmp_path / "cut.whl", "w") as cut:
        for name in archive.namelist():
            if not name.endswith("template.zip"):
                cut.writestr(name, archive.read(name))
    content = (tmp_path / "cut.whl").read_bytes()
    import hashlib

    pin = f"gitops-ml==0.3.0 --hash=sha256:{hashlib.sha256(content).hexdigest()}\n"
    with pytest.raises(errors.ConfigError, match="lacks files of the library"):
        library_files.read_wheel(content, pin)


# The command ---------------------------------------------------------------------------------------------------------


def test_outside_of_a_repository_the_command_says_so(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without model.toml, and without Git."""
    assert cli.main(["--project", str(tmp_path), "update"]) == 3
    assert "There is no model.toml" in capfd.readouterr().err
    (tmp_path / "model.toml").write_text("invalid")
    assert cli.main(["--project", str(tmp_path), "update"]) == 3
    assert "is not the top folder of a Git repository" in capfd.readouterr().err


@pytest.mark.slow
def test_the_command_updates_in_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """From this checkout's library to a patched one, whose code merges, with an invalid model.toml; twice."""
    for name, value in world.IDENTITY.items():
        monkeypatch.setenv(name, value)
    clone = world.generate(tmp_path / "old")
    clone.write("model.toml", "not TOML")
    clone.commit()
    checkout = checkouts.copy(tmp_path / "next")
    world.patch_template(checkout)
    source = checkout / "src/gitops_ml/updating/update_text.py"
    source.write_text(source.read_text().replace("Reject it", "Or reject it"))
    assert cli.main(["--project", str(clone.root), "update", "--to", str(checkout)]) == 0
    output = capfd.readouterr().out
    assert "Or reject it: git branch -D update/gitops-ml" in output
    assert clone.show("requirements/gitops.txt").endswith(build(checkout).digest)
    assert clone.git("status", "--porcelain") == ""
    python = next((clone.root / ".gitops" / "update" / "environments").glob("*/bin/python"))
    imports = (
        "import gitops_ml.updating.update_run, cookiecutter, sys; sys.exit(bool({'pandas', 'mlflow'} & {*sys.modules}))"
    )
    assert subprocess.run([python, "-I", "-c", imports]).returncode == 0
    assert subprocess.run([python, "-I", "-c", "import pandas"], capture_output=True).returncode == 1
    assert cli.main(["--project", str(clone.root), "update", "--to", str(checkout)]) == 0
    assert "Nothing to do" in capfd.readouterr().out
    clone.path("vendor/" + world.older().wheel_name).write_bytes(b"replaced")
    clone.commit()
    with pytest.raises(SystemExit, match="11"):
        cli.main(["--project", str(clone.root), "update", "--to", str(checkout)])
    assert "Integrity: vendor/" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--contract", "2", "--project", ".", "--pin", "x"], 3, "contract 2"),
        (["--contract", "1"], 2, "Missing option"),
    ],
)
def test_another_contract_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, text: str
) -> None:
    """An older library calls the new one by a numbered contract."""
    from gitops_ml.updating import __main__ as entry

    monkeypatch.setattr(sys, "argv", ["updating", *arguments])
    assert entry.main() == code
    assert text in capfd.readouterr().err
