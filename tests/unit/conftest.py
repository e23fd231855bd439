"""Fixtures of the library's own tests: a small repository for each test."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from unit.sample import Project, prepare_environment, start


@pytest.fixture(scope="session")
def stages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The way of version 1, walked once: a copy of the repository as it was after each step."""
    folder = tmp_path_factory.mktemp("stages")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = start(folder / "walked")
        steps: dict[str, tuple[str, ...]] = {
            "trained": ("train",), "registered": ("register",), "compared": ("compare",),
            "proposed": ("promote", "--local"),
        }  # fmt: skip
        for step, command in steps.items():
            made.must(*command)
            shutil.copytree(made.root, folder / step, symlinks=True)
        made.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    return {**{step: folder / step for step in steps}, "promoted": made.root}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository with 500 committed rows, on main, without a remote."""
    prepare_environment(monkeypatch, tmp_path)
    return start(tmp_path / "sample-repository")


@pytest.fixture
def at_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: dict[str, Path]) -> Callable[[str], Project]:
    """A copy of the repository as it was after a step: trained, registered, compared, proposed or promoted."""
    prepare_environment(monkeypatch, tmp_path)

    def copy(step: str) -> Project:
        return Project(Path(shutil.copytree(stages[step], tmp_path / "sample-repository", symlinks=True)))

    return copy
