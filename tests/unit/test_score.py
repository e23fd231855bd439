"""Tests of `gitops score`: predictions of the champion for a file of rows, in any clone of the repository."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from gitops_ml import config, manifest
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import Held, append_facts
from gitops_ml.registry.record import load_record
from unit.sample import Project, make_rows


@pytest.fixture
def promoted(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 promoted."""
    return at_stage("promoted")


@pytest.mark.slow
def test_clone_in_another_folder_scores_with_champion(promoted: Project, tmp_path: Path) -> None:
    """Another clone downloads and verifies the version of the record, and makes the same predictions."""
    promoted.add_remote()
    other = Project(tmp_path / "elsewhere" / "clone")
    promoted.git("clone", "--quiet", str(tmp_path / "remote.git"), str(other.root))
    make_rows(30, seed=9).to_csv(tmp_path / "rows.csv", index=False)
    for project, out in ((promoted, "first.csv"), (other, "second.csv")):
        project.must("score", "--rows", str(tmp_path / "rows.csv"), "--out", str(tmp_path / out))
    first, second = (pd.read_csv(tmp_path / name) for name in ("first.csv", "second.csv"))
    assert set(first["prediction"]) == {"yes", "no"}
    pd.testing.assert_frame_equal(first, second)


def test_held_version_is_not_used(promoted: Project, tmp_path: Path) -> None:
    """`score`, `serve` and `image` use the last verified version instead, and fail if there is none."""
    record = load_record(promoted.root, "production", "main")
    assert record
    hold = Held(environment="production", digest=record.digest, at=datetime.now(UTC), by="Ada", why="complaints")
    append_facts(Branch(config.find_repository(promoted.root)), hold)
    data, out = str(promoted.root / "data" / "rows.csv"), str(tmp_path / "out.csv")
    for command in (("score", "--rows", data, "--out", out), ("serve", "--port", "0"), ("image", "--local")):
        result = promoted.gitops(*command)
        assert (result.code, "no champion in production" in result.err) == (3, True), command


def test_run_folder_needs_matching_digest(promoted: Project, tmp_path: Path) -> None:
    """A folder without a digest is a usage error; with another digest it is not opened."""
    folder, data = str(promoted.root / ".gitops" / "run"), str(promoted.root / "data" / "rows.csv")
    out = str(tmp_path / "out.parquet")
    assert promoted.gitops("score", "--run", folder, "--rows", data, "--out", out).code == 2
    wrong = manifest.digest_bytes(b"another")
    assert promoted.gitops("score", "--run", folder, "--digest", wrong, "--rows", data, "--out", out).code == 11
    assert not Path(out).exists()


BAD_ROWS = {
    "a missing column": ("x2,count,kind,note\n1,1,a,1\n", 5, "no column 'x1'"),
    "text in a number": ("x1,x2,count,kind,note\nhello,1,1,a,1\n", 5, "hello"),
    "no such file": (None, 5, "cannot be read"),
}


@pytest.mark.parametrize(("text", "code", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_unreadable_rows_are_reported(
    promoted: Project, tmp_path: Path, text: str | None, code: int, message: str
) -> None:
    """The message names the file or the column."""
    if text is not None:
        (tmp_path / "bad.csv").write_text(text)
    result = promoted.gitops("score", "--rows", str(tmp_path / "bad.csv"), "--out", str(tmp_path / "out.csv"))
    assert result.code == code
    assert message in result.err


def test_score_before_first_promotion_is_error(project: Project, tmp_path: Path) -> None:
    """The message names the next step."""
    result = project.gitops(
        "score", "--rows", str(project.root / "data" / "rows.csv"), "--out", str(tmp_path / "o.csv")
    )
    assert result.code == 3
    assert "no champion in production" in result.err


def test_unpushed_main_is_reported(promoted: Project) -> None:
    """The champion comes from the remote main; a merge that is not pushed is not a promotion yet."""
    promoted.add_remote()
    promoted.git("fetch", "--quiet", "origin")
    promoted.write("NOTES.md", "text")
    promoted.commit()
    assert "main is origin/main; it lacks 1 commit(s) of yours" in promoted.must("history").err
