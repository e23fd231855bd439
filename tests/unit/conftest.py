"""Fixtures of the library's own tests: a small repository for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from once import once
from unit.sample import Project, prepare_environment, start

STEPS: dict[str, tuple[str, ...]] = {
    "trained": ("train",), "registered": ("register",), "compared": ("compare",), "proposed": ("promote", "--local"),
}  # fmt: skip


@pytest.fixture(scope="session")
def stages(shared: Path) -> dict[str, Path]:
    """The way of version 1, walked once in a test run: a copy of the repository as it was after each step."""
    folder = once(shared / "stages", _walk)
    return {stage: folder / stage for stage in (*STEPS, "promoted")}


def _walk(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = start(folder / "promoted")
        for stage, command in STEPS.items():
            made.must(*command)
            shutil.copytree(made.root, folder / stage, symlinks=True)
        made.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")


@pytest.fixture(scope="session")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with 500 committed rows, on main, without a remote; to be copied."""
    folder = tmp_path_factory.mktemp("begun")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        return start(folder / "sample-repository").root


@pytest.fixture
def project(begun: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository with 500 committed rows, on main, without a remote."""
    prepare_environment(monkeypatch, tmp_path)
    return Project(Path(shutil.copytree(begun, tmp_path / "sample-repository", symlinks=True)))


@pytest.fixture
def at_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: dict[str, Path]) -> Callable[[str], Project]:
    """A copy of the repository as it was after a step: trained, registered, compared, proposed or promoted."""
    prepare_environment(monkeypatch, tmp_path)

    def copy(step: str) -> Project:
        return Project(Path(shutil.copytree(stages[step], tmp_path / "sample-repository", symlinks=True)))

    return copy
