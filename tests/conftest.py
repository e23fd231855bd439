"""Shared by all tests: markers by folder, distribution over processes, and repositories to test with.

`pytest tests/unit` reads this file too, with only the packages of the extra `test`: fixtures import what they need.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import memory_folder
from create_once import create_once

if TYPE_CHECKING:
    from container_engine import ContainerEngine
    from hub_fixture import CommandWorker, PreparedHub
    from images import Image

# Markers of each folder's tests. Only unit and template tests are quick: `make check` runs those that are not slow, and
# `make test` runs all.
FOLDERS = {
    "unit": (), "template": (), "github": ("slow",), "journeys": ("slow", "journey"), "sabotage": ("slow", "sabotage"),
    "faults": ("slow", "faults"), "containers": ("slow", "containers"),
}  # fmt: skip
# Files that take minutes come first, so that no processor waits for the last one. Each file runs in one process, and
# all tests that need the container engine share one. Saboteurs are independent: each test runs in any free process.
LONGEST = (
    "containers", "test_watch", "test_private_repository", "test_saboteurs", "test_mutants", "test_bakes", "test_demo",
    "test_deploy", "test_benchmarks", "test_promotion", "test_update", "test_choices", "test_older", "test_ingest",
    "test_train", "test_monitor", "test_validate", "test_targets",
)  # fmt: skip
LARGE = {"containers", "test_private_repository", "test_watch", "test_bakes", "test_demo"}


def folder(path: Path) -> str:
    """Return the name of the tests' folder that a file is in."""
    return path.relative_to(Path(__file__).parent).parts[0]


def group(path: Path) -> str:
    """Return the group of a file's tests, which run in one process: the file, or "containers"."""
    return "containers" if folder(path) == "containers" else path.stem


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `make sabotage`."""
    parser.addoption("--all-in-workflows", action="store_true", help="push every saboteur through the workflows")


def pytest_configure() -> None:
    """Create one folder in memory for all processes of a test run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        memory_folder.create()


def pytest_unconfigure() -> None:
    """Remove the folder at the end of the test run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        memory_folder.remove()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Add the markers of the test's folder; a folder that is not in FOLDERS is an error."""
    for marker in FOLDERS[folder(item.path)]:
        item.add_marker(marker)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first."""
    order = {name: position for position, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(group(item.path), len(LONGEST)))


class GroupScheduling(LoadScopeScheduling):
    """Scheduler that runs all tests of a group in one process.

    xdist's own groups are written into test ids, which pytest 9.2 no longer allows.
    """

    def _split_scope(self, nodeid: str) -> str:
        """Return the group of a test."""
        name = group(Path(self.config.rootpath, nodeid.partition("::")[0]))
        return nodeid if name == "test_saboteurs" else name


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> GroupScheduling:
    """Return the scheduler of the tests."""
    return GroupScheduling(config, log)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder that all processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """Separate folder of a test: in memory, or on disk for groups with large environments and images."""
    if group(request.path) in LARGE:
        yield tmp_path
        return
    with memory_folder.temporary_folder(tmp_path) as folder_in_memory:
        yield folder_in_memory


@pytest.fixture(scope="session")
def machine(shared: Path) -> dict[str, str]:
    """Environment variables of workflow runners: package caches from which jobs can link."""
    from github.contributor import caches, warm_cache
    from repositories import GENERATED

    return caches(
        create_once(
            memory_folder.path_or(shared) / "machine", lambda made: warm_cache(made, GENERATED / "requirements")
        )
    )


@pytest.fixture(scope="session")
def fast_machine(shared: Path, machine: dict[str, str]) -> Iterator[dict[str, str]]:
    """The same, with an environment of installed packages, for repositories with fast setup."""
    from fast_setup import set_up_once, start_fork_server

    made = create_once(memory_folder.path_or(shared) / "ready", lambda folder: set_up_once(folder, machine))
    with start_fork_server(made / "repository" / ".venv") as variables:
        yield {**machine, **variables}


@pytest.fixture(scope="session")
def repository(shared: Path) -> Path:
    """A repository with every default answer, set up, on main, with a first champion, verified, and a bare remote.

    No test changes it: the processes of a test run share it.
    """
    return create_once(shared / "repository", _make_repository) / "tumour-screening"


def _make_repository(parent: Path) -> None:
    from repositories import bake, run, set_up

    root = bake(parent)
    set_up(root)
    run(root, "git", "init", "--quiet", "--bare", "--initial-branch", "main", str(parent / "remote.git"))
    run(root, "git", "remote", "add", "origin", str(parent / "remote.git"))
    run(root, "git", "push", "--quiet", "origin", "main")
    run(root, "make", "loop")
    run(root, "git", "merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    run(root, "git", "push", "--quiet", "origin", "main")
    run(root, ".venv/bin/gitops", "deploy", env={"GITOPS_STATE": str(parent / "state")})


@pytest.fixture(scope="session")
def worker(repository: Path) -> "Iterator[CommandWorker]":
    """Worker that runs commands with the generated repository's Python."""
    from hub_fixture import CommandWorker

    started = CommandWorker(repository)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def prepared(repository: Path, worker: "CommandWorker", shared: Path) -> Path:
    """Three versions and their comparisons; the processes of a test run share them, too."""
    from hub_fixture import prepare

    return create_once(shared / "prepared", lambda folder: prepare(repository, folder, worker))


@pytest.fixture
def prepared_hub(prepared: Path, worker: "CommandWorker", tmp_path: Path) -> "Iterator[PreparedHub]":
    """The local GitHub with three registered versions and no pull request; workflows may open one."""
    from github.server import LocalGitHub
    from hub_fixture import PULLS_ALLOWED, PreparedHub
    from repositories import run

    with LocalGitHub(tmp_path / "hub") as hub:
        run(prepared / "remote.git", "git", "push", "--quiet", "--mirror", str(hub.bare))
        clone = tmp_path / "clone"
        run(tmp_path, "cp", "-a", str(prepared / "clone"), str(clone))
        run(clone, "git", "remote", "set-url", "origin", f"{hub.html_url}.git")
        setattr(hub.settings, PULLS_ALLOWED, True)
        yield PreparedHub(hub, clone, prepared / "comparisons", worker)
        assert hub.violations == []


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[ContainerEngine]":
    """Container engine and registry, one for each process that needs it; removed at the end."""
    from container_engine import start_engine

    with start_engine(tmp_path_factory.mktemp("engine")) as made:
        yield made


@pytest.fixture(scope="session")
def images(
    prepared: Path, worker: "CommandWorker", engine: "ContainerEngine", tmp_path_factory: pytest.TempPathFactory
) -> "tuple[Image, Image]":
    """Images of versions 1 and 2, built and pushed by `gitops image`."""
    from images import build_images

    return build_images(prepared, worker, engine, tmp_path_factory.mktemp("images") / "clone")


@pytest.fixture(autouse=True)
def _remove_ci_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove variables of the caller's CI, which must not reach the commands under test."""
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "MLFLOW_TRACKING_"))]:
        monkeypatch.delenv(name)
