"""Fixtures of the library's tests: a small repository for each test."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from create_once import create_once
from forked_zygote import start_in_mother
from gitops_ml.confinement import judge
from unit.sample import Project, create_project, prepare_environment

STEPS: dict[str, tuple[str, ...]] = {
    "trained": ("train",), "registered": ("register",), "compared": ("compare",), "proposed": ("promote", "--local"),
}  # fmt: skip


@pytest.fixture(scope="session", autouse=True)
def _quick_confinement() -> Iterator[None]:
    """Confined processes are forked from one that has imported the libraries already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "start", start_in_mother)
        yield


@pytest.fixture(scope="session")
def stages(shared: Path) -> dict[str, Path]:
    """Copies of the repository after each step of the promotion of version 1, made once in a test run."""
    folder = create_once(shared / "stages", _build_stages)
    return {stage: folder / stage for stage in (*STEPS, "promoted")}


def _build_stages(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        made = create_project(folder / "promoted")
        for stage, command in STEPS.items():
            made.must(*command)
            shutil.copytree(made.root, folder / stage, symlinks=True)
        made.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")


@pytest.fixture(scope="session")
def base_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with 500 committed rows, on main, without a remote, from which tests get copies."""
    folder = tmp_path_factory.mktemp("base")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        return create_project(folder / "sample-repository").root


@pytest.fixture
def project(base_repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A repository with 500 committed rows, on main, without a remote."""
    prepare_environment(monkeypatch, tmp_path)
    return Project(Path(shutil.copytree(base_repository, tmp_path / "sample-repository", symlinks=True)))


@pytest.fixture
def at_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stages: dict[str, Path]) -> Callable[[str], Project]:
    """Return a copy of the repository after a step: trained, registered, compared, proposed or promoted."""
    prepare_environment(monkeypatch, tmp_path)

    def copy(step: str) -> Project:
        return Project(Path(shutil.copytree(stages[step], tmp_path / "sample-repository", symlinks=True)))

    return copy
