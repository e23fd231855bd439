"""A small repository for tests of commands, independent of the template's sample."""

import io
import shutil
import subprocess
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gitops_ml
from gitops_ml import config
from gitops_ml.cli import main
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import Verified, append_facts
from gitops_ml.registry.record import load_record
from gitops_ml.wheel import Wheel, build, write

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "<<cookiecutter.project_slug>>"
DATA = Path(gitops_ml.__file__).parent / "data"

MODEL_TOML = """
[project]
name = "sample"
package = "sample"
task = "classification"

[data]
path = "data/rows.csv"
key = "id"
target = "label"
positive = "yes"

[split]
method = "hash"
column = "id"
holdout = 0.4

[evaluation]
metric = "roc_auc"

[gates]
resamples = 100

[gates.floor]
roc_auc = 0.6
"""

SCHEMA = '''"""Rows of the sample."""

import pandera.pandas as pa


class Schema(pa.DataFrameModel):
    """One row."""

    id: str = pa.Field(unique=True)
    x1: float
    x2: float = pa.Field(ge=-10, le=10)
    count: int = pa.Field(ge=0)
    kind: str = pa.Field(isin=["a", "b", "c"])
    note: float = pa.Field(nullable=True)
    label: str = pa.Field(isin=["yes", "no"])

    class Config:
        """Strict and coerced."""

        strict = True
        coerce = True
'''

FEATURES = '''"""Features of the sample."""

from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import StandardScaler

COLUMNS = ["x1"]


def features() -> ColumnTransformer:
    """Scale COLUMNS."""
    return ColumnTransformer([("scaled", StandardScaler(), COLUMNS)])
'''

ESTIMATOR = '''"""Estimator of the sample."""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from .features import features


def pipeline(seed: int) -> Pipeline:
    """Unfitted."""
    return Pipeline([("features", features()), ("estimator", LogisticRegression(random_state=seed))])
'''


def make_rows(number: int = 500, seed: int = 0, first: int = 1) -> pd.DataFrame:
    """Return rows whose label depends on x1, and more strongly on x2."""
    rng = np.random.default_rng(seed)
    x1, x2 = rng.normal(size=number).round(4), rng.normal(size=number).round(4)
    label = np.where(x1 + 2 * x2 + rng.normal(size=number) > 0, "yes", "no")
    return pd.DataFrame(
        {
            "id": [f"r{i:05d}" for i in range(first, first + number)],
            "x1": x1,
            "x2": x2,
            "count": rng.integers(0, 9, number),
            "kind": rng.choice(["a", "b", "c"], number),
            "note": np.where(rng.random(number) < 0.5, np.nan, 1.5),
            "label": label,
        }
    )


@dataclass(frozen=True)
class Result:
    """Result of a command: exit code, standard output, standard error, and outputs for GitHub Actions."""

    code: int
    out: str
    err: str
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Project:
    """A repository for tests of commands."""

    root: Path

    def gitops(self, *arguments: str) -> Result:
        """Run a command as a new process would: with the current files of the sample."""
        for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
            del sys.modules[name]
        outputs = self.root / ".gitops" / "outputs"
        outputs.parent.mkdir(exist_ok=True)
        outputs.write_text("")
        out, err = io.StringIO(), io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
            patch.setenv("GITHUB_OUTPUT", str(outputs))
            code = main(["--project", str(self.root), *arguments])
        values = dict(line.split("=", 1) for line in outputs.read_text().splitlines())
        return Result(code, out.getvalue(), err.getvalue(), values)

    def must(self, *arguments: str) -> Result:
        """Run a command that must succeed."""
        result = self.gitops(*arguments)
        assert result.code == 0, f"gitops {' '.join(arguments)}: exit {result.code}\n{result.out}\n{result.err}"
        return result

    def git(self, *arguments: str) -> str:
        """Run git in the repository."""
        done = subprocess.run(["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Write one file."""
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a text that a file must contain."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, f"{path} does not contain {old!r}"
        self.write(path, text.replace(old, new))

    def commit(self, message: str = "change") -> str:
        """Commit everything and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def vendor(self) -> None:
        """Pin the library as cookiecutter's hook does."""
        write(library_wheel(), self.root)
        self.commit("pin the library")

    def add_remote(self) -> Path:
        """Create a bare remote repository and push all branches to it."""
        bare = self.root.parent / "remote.git"
        self.git("init", "--quiet", "--bare", "--initial-branch", "main", str(bare))
        self.git("remote", "add", "origin", str(bare))
        self.git("push", "--quiet", "--all", "origin")
        return bare

    def write_data(self, frame: pd.DataFrame) -> None:
        """Replace the data."""
        frame.to_csv(self.root / "data" / "rows.csv", index=False)

    def improve(self) -> None:
        """Add the most informative column to the features."""
        self.edit("src/sample/features.py", 'COLUMNS = ["x1"]', 'COLUMNS = ["x1", "x2"]')

    def propose(self) -> Result:
        """Train, register, compare and propose; every command must succeed."""
        self.must("train")
        self.must("register")
        self.must("compare", "--exit-code")
        return self.must("promote", "--local")

    def promote(self) -> None:
        """Propose a version and merge the proposal."""
        self.propose()
        self.git("merge", "--quiet", "--no-ff", "--no-edit", "promote/production")

    def record_verification(self) -> None:
        """Write to the ledger that the version of main's record passed its smoke test, as a deployment does."""
        record = load_record(self.root, "production", "main")
        assert record
        fact = Verified(environment="production", digest=record.digest, at=datetime.now(UTC), by="a test")
        append_facts(Branch(config.find_repository(self.root)), fact)


@cache
def library_wheel() -> Wheel:
    """Return the wheel of this checkout."""
    return build(ROOT)


def create_project(root: Path) -> Project:
    """Create a repository with 500 committed rows, on main, without a remote."""
    made = Project(root)
    for name, text in {
        "model.toml": MODEL_TOML,
        "src/sample/__init__.py": "",
        "src/sample/schema.py": SCHEMA,
        "src/sample/features.py": FEATURES,
        "src/sample/estimator.py": ESTIMATOR,
        "data/.keep": "",
        ".gitignore": ".gitops/\n__pycache__/\n",
    }.items():
        made.write(name, text)
    (made.root / "requirements").mkdir()
    # The serving lock is enough to score rows, and it installs in seconds.
    shutil.copy(TEMPLATE / "requirements" / "serve.txt", made.root / "requirements" / "train.txt")
    made.write_data(make_rows())
    made.git("init", "--quiet", "--template=", "--initial-branch", "main")
    made.commit("start")
    return made


def prepare_environment(patch: pytest.MonkeyPatch, scratch: Path) -> None:
    """Remove CI variables, set an identity for commits, and put temporary files into the test's folder."""
    for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_ACTIONS", "MLFLOW_TRACKING_URI", "COLUMNS",
                 "GITOPS_VERSION", "GITOPS_DIGEST", "GITOPS_ENVIRONMENT"):  # fmt: skip
        patch.delenv(name, raising=False)
    patch.setenv("GITOPS_STORE_ROOT", "")  # so that pytest restores it
    for role in ("AUTHOR", "COMMITTER"):
        patch.setenv(f"GIT_{role}_NAME", "Ada")
        patch.setenv(f"GIT_{role}_EMAIL", "ada@example.com")
    patch.setattr(tempfile, "tempdir", str(scratch))
    patch.setattr(sys, "path", list(sys.path))
