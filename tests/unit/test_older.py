"""Compatibility with 0.1: a repository that 0.1 generated, with a copy of the library's source in src/gitops."""

import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import requests

from gitops_ml import checkout, config, library, run, uv
from gitops_ml.commands.confined_code import confined_code
from gitops_ml.manifest import digest_file
from gitops_ml.predictions import are_close
from gitops_ml.registry import record
from gitops_ml.serving.score import to_typed_rows
from gitops_ml.training import commit_scoring
from repositories import replace_in_file
from unit.sample import ROOT

FIXTURE = Path(__file__).parents[1] / "fixtures" / "generated-0.1.0.tar.xz"
PROCESS = '[targets.production]\nkind = "process"\nport = {port}\n'
pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Older:
    """A repository of 0.1 with a champion, which has moved to the library since.

    Attributes:
        root: Root of the repository, on main.
        trained: Commit that the champion was trained from.
        scratch: Folder for state outside of the clone.
    """

    root: Path
    trained: str
    scratch: Path

    def git(self, *arguments: str) -> str:
        """Run git in the repository; return its output."""
        return _run(self.root, "git", *arguments)

    def gitops(self, *arguments: str) -> str:
        """Run a command of this version; return its output."""
        return _run(self.root, sys.executable, "-m", "gitops_ml", *arguments, GITOPS_STATE=str(self.scratch / "state"))


def _run(root: Path, *command: str, **env: str) -> str:
    identity = {f"GIT_{role}_{part}": value for role in ("AUTHOR", "COMMITTER")
              for part, value in (("NAME", "Ada"), ("EMAIL", "ada@example.com"))}  # fmt: skip
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "GITOPS_", "MLFLOW_"))
    }
    done = subprocess.run(
        command, cwd=root, env={**inherited, **identity, **env}, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout.strip()


def _install(root: Path, folder: Path) -> Path:
    """Install a repository of 0.1 as its Makefile did, without test tools; return the interpreter."""
    python, command = folder / "bin" / "python", (sys.executable, "-m", "uv")
    install = (*command, "pip", "install", "--quiet", "--python", str(python))
    _run(root, *command, "venv", "--quiet", "--python", sys.executable, str(folder))
    for lock in ("build", "train"):
        _run(root, *install, "--require-hashes", "-r", f"requirements/{lock}.txt", **uv.environment())
    _run(root, *install, "--no-deps", "--no-build-isolation", "--editable", ".")
    return python


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Older]:
    """A repository whose champion, version 1, was trained and promoted by 0.1, and that then moved to the library."""
    scratch = tmp_path_factory.mktemp("older")
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(scratch, filter="data")
    root = scratch / "tumour-screening"
    toml = root / "model.toml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    # A busy machine would fail LATENCY, which is not what these tests are about.
    changes = {'kind = "none"': 'kind = "process"', "= 8080": f"= {port}", "off = []": 'off = ["LATENCY"]'}
    replace_in_file(toml, changes)
    _run(root, "git", "init", "--quiet", "--initial-branch", "main")
    _run(root, "git", "add", "--all")
    _run(root, "git", "commit", "--quiet", "--message", "Start from the template of 0.1")
    trained = _run(root, "git", "rev-parse", "HEAD")
    python = _install(root, scratch / "environment")
    for command in (("train",), ("register",), ("compare", "--exit-code"), ("promote", "--local")):
        _run(root, str(python), "-m", "gitops", *command)
    _run(root, "git", "merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    made = Older(root, trained, scratch)
    text = made.gitops("update", "--from-copied", "--to", str(ROOT))
    assert "This update retrains nothing" in text
    made.git("merge", "--quiet", "--no-ff", "--no-edit", "update/gitops-ml")
    yield made
    subprocess.run(["pkill", "--full", str(scratch / "state")], check=False)


@pytest.fixture
def champion(older: Older) -> tuple[config.Repository, Path, str]:
    """The repository, and the champion's files with their digest."""
    from gitops_ml.commands.score import fetch_version

    repository = config.find_repository(older.root)
    current = record.load_record(older.root, "production", "main")
    assert current is not None
    return repository, fetch_version(repository, current.version, current.digest), current.digest


def test_its_champion_is_scored_by_the_copy_of_its_commit(
    older: Older, champion: tuple[config.Repository, Path, str]
) -> None:
    """`score --run` of 0.1, in the environment of the old lock, returns the predictions recorded in training."""
    repository, files, digest = champion
    described = run.read_run(files, digest)
    expected = json.loads((files / run.EXPECTED).read_bytes())
    with confined_code(repository) as code:
        scored = code.score_at_commit(described, files, digest, to_typed_rows(described, expected["rows"]))
    old_checkout = checkout.check_out(repository, older.trained)
    assert library.is_copied(old_checkout.tree)
    assert old_checkout.python != Path(sys.executable)
    column = [row["prediction"] for row in expected["predictions"]]
    assert list(scored.values) == column


def test_its_champion_is_reproduced_by_the_copy_of_its_commit(older: Older) -> None:
    """`train --force --out` of 0.1 runs in an environment of its own."""
    assert "Reproduced: version 1" in older.gitops("reproduce", "1")


def test_its_champion_is_served_by_the_copy_of_its_commit(older: Older) -> None:
    """This version deploys the record that 0.1 promoted; the server passes its smoke test and answers."""
    deployed = older.gitops("deploy")
    assert "version 1" in deployed.lower(), deployed
    port = config.find_repository(older.root).config.target("production").port
    (server,) = [line for line in _run(older.root, "ps", "-axww", "-o", "args=").splitlines()
                 if str(older.scratch / "state") in line and "-m gitops.serving" in line]  # fmt: skip
    assert f"|{port}|" in server
    metadata = requests.get(f"http://127.0.0.1:{port}/metadata", timeout=30).json()
    current = record.load_record(older.root, "production", "main")
    assert current is not None
    assert metadata["digest"] == current.digest


def test_a_challenger_of_this_version_is_compared_with_its_champion(older: Older) -> None:
    """The lineage has the version of the library, on which the training digest does not depend."""
    older.gitops("train", "--force")
    older.gitops("register")
    output = older.gitops("compare")
    assert "version 2" in output.lower()
    folder = older.root / ".gitops" / "run"
    lineage = run.read_run(folder, digest_file(folder / "manifest.json")).lineage
    assert lineage.libraries[library.NAME] == library.version()


def test_the_current_commands_of_the_contract_return_the_same_predictions(
    older: Older, champion: tuple[config.Repository, Path, str]
) -> None:
    """`score --run` of the current wheel keeps the contract, and predicts the recorded rows as 0.1 does."""
    repository, files, digest = champion
    described = run.read_run(files, digest)
    rows = to_typed_rows(described, json.loads((files / run.EXPECTED).read_bytes())["rows"])
    current = checkout.check_out(repository, older.git("rev-parse", "main"))
    assert not library.is_copied(current.tree)
    assert library.pinned_version(current.tree) == library.pinned_version(older.root) is not None
    with confined_code(repository) as code:
        expected = code.score_at_commit(described, files, digest, rows)
    assert are_close(expected, commit_scoring.score_in_checkout(current, described, files, digest, rows))
    assert isinstance(rows, pd.DataFrame)


def test_the_next_champion_is_rolled_back_to_the_version_of_0_1(older: Older) -> None:
    """After the move, a version of this library is promoted and serves; the rollback starts the copy of 0.1 again."""
    older.gitops("deploy")
    # The workflow's job trains, compares and proposes; here one person does all of it.
    (features,) = older.root.glob("src/*/features.py")
    last = '    "mean_smoothness",\n'
    replace_in_file(features, {last: last + '    "worst_radius",\n    "worst_texture",\n'})
    older.git("commit", "--quiet", "--all", "--message", "Look at the worst cells")
    for command in (("train",), ("register",), ("compare", "--exit-code"), ("promote", "--local")):
        older.gitops(*command)
    older.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")
    older.gitops("deploy")
    newer = record.load_record(older.root, "production", "main")
    assert newer is not None
    port = config.find_repository(older.root).config.target("production").port
    address = f"http://127.0.0.1:{port}/metadata"
    assert requests.get(address, timeout=30).json()["digest"] == newer.digest
    older.gitops("rollback", "--now", "--why", "The ward reports false alarms")
    served = requests.get(address, timeout=30).json()
    assert (served["version"], served["digest"] == newer.digest) == ("1", False)
    (server,) = [line for line in _run(older.root, "ps", "-axww", "-o", "args=").splitlines()
                 if str(older.scratch / "state") in line and f"|{port}|" in line]  # fmt: skip
    assert "-m gitops.serving" in server
