"""Scoring a file of rows: by the champion, wherever the repository was cloned to."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from gitops_ml import config, manifest
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import Held, append
from gitops_ml.registry.record import read
from unit.sample import Project, rows


@pytest.fixture
def champion(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 promoted."""
    return at_stage("promoted")


def test_a_clone_on_another_path_scores_with_the_champion(champion: Project, tmp_path: Path) -> None:
    """Another person's clone fetches the version that the record pins, verifies it, and answers the same."""
    champion.add_remote()
    other = Project(tmp_path / "elsewhere" / "clone")
    champion.git("clone", "--quiet", str(tmp_path / "remote.git"), str(other.root))
    rows(30, seed=9).to_csv(tmp_path / "rows.csv", index=False)
    for project, out in ((champion, "here.csv"), (other, "there.csv")):
        project.must("score", "--rows", str(tmp_path / "rows.csv"), "--out", str(tmp_path / out))
    here, there = (pd.read_csv(tmp_path / name) for name in ("here.csv", "there.csv"))
    assert set(here["prediction"]) == {"yes", "no"}
    pd.testing.assert_frame_equal(here, there)


def test_what_is_held_is_asked_by_nobody(champion: Project, tmp_path: Path) -> None:
    """Neither `score` nor `serve` nor `image`: the last verified version answers, and here there is none."""
    record = read(champion.root, "production", "main")
    assert record
    hold = Held(environment="production", digest=record.digest, at=datetime.now(UTC), by="Ada", why="complaints")
    append(Branch(config.find(champion.root)), hold)
    data, out = str(champion.root / "data" / "rows.csv"), str(tmp_path / "out.csv")
    for command in (("score", "--rows", data, "--out", out), ("serve", "--port", "0"), ("image", "--local")):
        result = champion.gitops(*command)
        assert (result.code, "no champion in production" in result.err) == (3, True), command


def test_a_folder_is_scored_by_its_digest_alone(champion: Project, tmp_path: Path) -> None:
    """A folder without its digest is a usage error; with another's it is not opened."""
    folder, data = str(champion.root / ".gitops" / "run"), str(champion.root / "data" / "rows.csv")
    out = str(tmp_path / "out.parquet")
    assert champion.gitops("score", "--run", folder, "--rows", data, "--out", out).code == 2
    wrong = manifest.digest_bytes(b"another")
    assert champion.gitops("score", "--run", folder, "--digest", wrong, "--rows", data, "--out", out).code == 11
    assert not Path(out).exists()


BAD_ROWS = {
    "a missing column": ("x2,count,kind,note\n1,1,a,1\n", 5, "no column 'x1'"),
    "text in a number": ("x1,x2,count,kind,note\nhello,1,1,a,1\n", 5, "hello"),
    "no such file": (None, 5, "cannot be read"),
}


@pytest.mark.parametrize(("text", "code", "words"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_rows_that_cannot_be_scored_are_a_sentence(
    champion: Project, tmp_path: Path, text: str | None, code: int, words: str
) -> None:
    """It names the file and the column."""
    if text is not None:
        (tmp_path / "bad.csv").write_text(text)
    result = champion.gitops("score", "--rows", str(tmp_path / "bad.csv"), "--out", str(tmp_path / "out.csv"))
    assert result.code == code
    assert words in result.err


def test_before_the_first_promotion_there_is_nobody_to_ask(project: Project, tmp_path: Path) -> None:
    """The sentence says what to do."""
    result = project.gitops(
        "score", "--rows", str(project.root / "data" / "rows.csv"), "--out", str(tmp_path / "o.csv")
    )
    assert result.code == 3
    assert "no champion in production yet" in result.err


def test_a_main_that_was_not_pushed_is_mentioned(champion: Project) -> None:
    """The champion is what the shared main says; a merge that nobody else can see is no promotion yet."""
    champion.add_remote()
    champion.git("fetch", "--quiet", "origin")
    champion.write("NOTES.md", "words")
    champion.commit()
    assert "main is origin/main; it lacks 1 commit(s) of yours" in champion.must("history").err
