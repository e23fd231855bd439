"""What all tests share: markers by folder, who runs beside whom, and repositories to test with.

`pytest tests/unit` reads this too, and has only what the extra `test` installs: fixtures import what they need.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

import memory
from once import once

if TYPE_CHECKING:
    from desk import Desk, Driver
    from engines import Yard
    from images import Image

# Markers of each folder's tests. Whatever is neither the library's nor the template's own is slow: `make check` is the
# tests that are not, and `make test` those and the others.
FOLDERS = {
    "unit": (), "template": (), "github": ("slow",), "journeys": ("slow", "journey"), "sabotage": ("slow", "sabotage"),
    "faults": ("slow", "faults"), "containers": ("slow", "containers"),
}  # fmt: skip
# What takes minutes comes first, so that no processor waits for the last file; each file runs in one process, and what
# needs the container engine in one together. Saboteurs need nobody: each runs wherever there is room.
LONGEST = (
    "test_journey", "containers", "test_watch", "test_saboteurs", "test_mutants", "test_bakes", "test_demo",
    "test_deploy", "test_promotion", "test_ingest", "test_train", "test_monitor", "test_validate", "test_targets",
)  # fmt: skip
LARGE = {"containers", "test_journey", "test_watch", "test_bakes", "test_demo"}


def folder(path: Path) -> str:
    """Name of the folder of tests that a file is in."""
    return path.relative_to(Path(__file__).parent).parts[0]


def group(path: Path) -> str:
    """Name of what runs in one process, one after the other: a file, or all that needs the container engine."""
    return "containers" if folder(path) == "containers" else path.stem


def pytest_configure() -> None:
    """One folder in memory for all processes of a test run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        memory.begin()


def pytest_unconfigure() -> None:
    """It goes with the test run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        memory.end()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark it as its folder says; a folder that FOLDERS does not name cannot be run."""
    for marker in FOLDERS[folder(item.path)]:
        item.add_marker(marker)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first."""
    order = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(group(item.path), len(LONGEST)))


class Together(LoadScopeScheduling):
    """Which tests run in one process, one after the other.

    xdist's own groups are written into the ids of tests, where pytest 9.2 no longer lets it write.
    """

    def _split_scope(self, nodeid: str) -> str:
        """What a test belongs to."""
        name = group(Path(self.config.rootpath, nodeid.partition("::")[0]))
        return nodeid if name == "test_saboteurs" else name


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Together:
    """Whoever hands out the tests."""
    return Together(config, log)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this test run have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A folder of the test's own: in memory, but for what holds environments and images, which are large."""
    if group(request.path) in LARGE:
        yield tmp_path
        return
    with memory.lent(tmp_path) as lent:
        yield lent


@pytest.fixture(scope="session")
def machine(shared: Path) -> dict[str, str]:
    """What the machines that run workflows have: caches of packages, where jobs can link them."""
    from github.site import caches, warm_cache
    from house import GENERATED

    return caches(once(memory.place(shared) / "machine", lambda made: warm_cache(made, GENERATED / "requirements")))


@pytest.fixture(scope="session")
def hurried(shared: Path, machine: dict[str, str]) -> dict[str, str]:
    """What they have where packages are installed already, for repositories whose jobs hurry."""
    from hurry import ready

    made = once(memory.place(shared) / "ready", lambda place: ready(place, machine))
    return {**machine, "READY": str(made / "repository" / ".venv")}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with every default answer, set up, on main, with a first champion, verified, and a bare remote."""
    from house import bake, run, set_up

    place = tmp_path_factory.mktemp("repository")
    root = bake(place)
    set_up(root)
    run(root, "git", "init", "--quiet", "--bare", "--initial-branch", "main", str(place / "remote.git"))
    run(root, "git", "remote", "add", "origin", str(place / "remote.git"))
    run(root, "git", "push", "--quiet", "origin", "main")
    run(root, "make", "loop")
    run(root, "git", "merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    run(root, "git", "push", "--quiet", "origin", "main")
    run(root, ".venv/bin/gitops", "deploy", env={"GITOPS_STATE": str(place / "state")})
    return root


@pytest.fixture(scope="session")
def driver(repository: Path) -> "Iterator[Driver]":
    """The generated repository's Python, warm."""
    from desk import Driver

    started = Driver(repository)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def prepared(repository: Path, driver: "Driver", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions and their comparisons."""
    from desk import prepare

    return prepare(repository, tmp_path_factory.mktemp("prepared"), driver)


@pytest.fixture
def desk(prepared: Path, driver: "Driver", tmp_path: Path) -> "Iterator[Desk]":
    """The local GitHub with three registered versions and no pull request; workflows may open one."""
    from desk import PULLS_ALLOWED, Desk
    from github.server import LocalGitHub
    from house import run

    with LocalGitHub(tmp_path / "hub") as hub:
        run(prepared / "remote.git", "git", "push", "--quiet", "--mirror", str(hub.bare))
        clone = tmp_path / "clone"
        run(tmp_path, "cp", "-a", str(prepared / "clone"), str(clone))
        run(clone, "git", "remote", "set-url", "origin", f"{hub.page}.git")
        setattr(hub.settings, PULLS_ALLOWED, True)
        yield Desk(hub, clone, prepared / "comparisons", driver)
        assert hub.violations == []


@pytest.fixture(scope="session")
def yard(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Yard]":
    """A container engine and a registry, for each process that needs one; nothing of them is left at the end."""
    from engines import opened

    with opened(tmp_path_factory.mktemp("yard")) as made:
        yield made


@pytest.fixture(scope="session")
def images(
    prepared: Path, driver: "Driver", yard: "Yard", tmp_path_factory: pytest.TempPathFactory
) -> "tuple[Image, Image]":
    """Versions 1 and 2, built and pushed as `gitops image` does it."""
    from images import built

    return built(prepared, driver, yard, tmp_path_factory.mktemp("images") / "clone")


@pytest.fixture(autouse=True)
def _no_strange_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's CI sets must not reach the commands under test."""
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "MLFLOW_TRACKING_"))]:
        monkeypatch.delenv(name)
