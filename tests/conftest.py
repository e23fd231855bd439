"""Repositories to test with."""

import os
from collections.abc import Iterator
from pathlib import Path

import memory
import pytest
from desk import PULLS_ALLOWED, Desk, Driver, prepare
from github.server import LocalGitHub
from github.site import caches, warm_cache
from house import GENERATED, bake, run, set_up
from hurry import ready
from once import once
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ("engines", "images")
# What takes minutes comes first, so that no processor waits for the last file; each file runs in one process, and what
# needs the container engine in one together. Saboteurs need nobody: each runs wherever there is room.
CONTAINERS = ("test_ship", "test_image", "test_compose", "test_none", "test_kubernetes", "test_watchers")
ALONE = "test_saboteurs"
LARGE = {*CONTAINERS, "test_journey", "test_watch", "test_bakes", "test_demo"}
LONGEST = (
    "test_journey", *CONTAINERS, "test_watch", ALONE, "test_mutants", "test_bakes", "test_demo", "test_deploy",
    "test_promotion", "test_ingest", "test_monitor",
)  # fmt: skip


def pytest_configure() -> None:
    """One folder in memory for all processes of a test run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        memory.begin()


def pytest_unconfigure() -> None:
    """It goes with the test run."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        memory.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest files first."""
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist declares no types
    """Which tests run in one process, one after the other.

    xdist's own groups are written into the ids of tests, where pytest 9.2 no longer lets it write.
    """

    def _split_scope(self, nodeid: str) -> str:
        """What a test belongs to."""
        file = Path(nodeid.partition("::")[0]).stem
        return "containers" if file in CONTAINERS else nodeid if file == ALONE else file


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
    if request.path.stem in LARGE:
        yield tmp_path
        return
    with memory.lent(tmp_path) as folder:
        yield folder


@pytest.fixture(scope="session")
def machine(shared: Path) -> dict[str, str]:
    """What the machines that run workflows have: caches of packages, where jobs can link them."""
    return caches(once(memory.place(shared) / "machine", lambda folder: warm_cache(folder, GENERATED / "requirements")))


@pytest.fixture(scope="session")
def hurried(shared: Path, machine: dict[str, str]) -> dict[str, str]:
    """What they have where packages are installed already, for repositories whose jobs hurry."""
    made = once(memory.place(shared) / "ready", lambda folder: ready(folder, machine))
    return {**machine, "READY": str(made / "repository" / ".venv")}


@pytest.fixture(scope="session")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with every default answer, set up, on main, with a first champion, verified, and a bare remote."""
    folder = tmp_path_factory.mktemp("repository")
    root = bake(folder)
    set_up(root)
    run(root, "git", "init", "--quiet", "--bare", "--initial-branch", "main", str(folder / "remote.git"))
    run(root, "git", "remote", "add", "origin", str(folder / "remote.git"))
    run(root, "git", "push", "--quiet", "origin", "main")
    run(root, "make", "loop")
    run(root, "git", "merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    run(root, "git", "push", "--quiet", "origin", "main")
    run(root, ".venv/bin/gitops", "deploy", env={"GITOPS_STATE": str(folder / "state")})
    return root


@pytest.fixture(scope="session")
def driver(repository: Path) -> Iterator[Driver]:
    """The generated repository's Python, warm."""
    started = Driver(repository)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def prepared(repository: Path, driver: Driver, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three versions and their comparisons."""
    return prepare(repository, tmp_path_factory.mktemp("prepared"), driver)


@pytest.fixture
def desk(prepared: Path, driver: Driver, tmp_path: Path) -> Iterator[Desk]:
    """The local GitHub with three registered versions and no pull request; workflows may open one."""
    with LocalGitHub(tmp_path / "hub") as hub:
        run(prepared / "remote.git", "git", "push", "--quiet", "--mirror", str(hub.bare))
        clone = tmp_path / "clone"
        run(tmp_path, "cp", "-a", str(prepared / "clone"), str(clone))
        run(clone, "git", "remote", "set-url", "origin", f"{hub.page}.git")
        setattr(hub.settings, PULLS_ALLOWED, True)
        yield Desk(hub, clone, prepared / "comparisons", driver)
        assert hub.violations == []


@pytest.fixture(autouse=True)
def _no_strange_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the caller's CI sets must not reach the commands under test."""
    for name in [name for name in os.environ if name.startswith(("GITHUB_", "MLFLOW_TRACKING_"))]:
        monkeypatch.delenv(name)
