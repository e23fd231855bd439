"""Comparison of champion and challenger on the same holdout, each scored by its own code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gitops_ml.manifest import digest_file
from unit.sample import Project, make_rows


@pytest.fixture
def champion(at_stage: Callable[[str], Project]) -> Project:
    """Return the project with version 1 promoted."""
    return at_stage("promoted")


def train_and_compare(project: Project, *arguments: str) -> dict[str, Any]:
    """Commit, train, register and compare; return the comparison."""
    project.commit()
    project.must("train")
    project.must("register")
    project.must("compare", *arguments)
    comparison: dict[str, Any] = json.loads((project.root / ".gitops" / "comparison" / "comparison.json").read_text())
    return comparison


def promote_custom_estimator(project: Project) -> None:
    """Promote a version whose estimator is a class of the user package."""
    project.write("src/sample/odd.py", ODD)
    project.edit("src/sample/estimator.py", "LogisticRegression(random_state=seed))", "Odd(random_state=seed))")
    project.edit("src/sample/estimator.py", "from .features", "from .odd import Odd\nfrom .features")
    project.edit("model.toml", "[evaluation]", '[serving]\ntrusted_types = ["sample.odd.Odd"]\n\n[evaluation]')
    project.improve()
    project.commit()
    project.promote()


def refused_gates(comparison: dict[str, Any]) -> list[str]:
    """Return the ids of the gates that refused."""
    return [gate["id"] for gate in comparison["gates"] if gate["verdict"] == "refused"]


@pytest.mark.slow
def test_first_version_is_judged_by_the_other_gates(project: Project) -> None:
    """Without a champion, the gates FLOOR and BASELINE decide, and the report says that there is no champion."""
    comparison = train_and_compare(project)
    assert comparison["verdict"] == "promote"
    assert comparison["champion"] is None
    assert "no champion yet" in (project.root / ".gitops" / "comparison" / "report.md").read_text()


def test_a_better_version_may_be_promoted(champion: Project) -> None:
    """A version passes if the whole interval of its gain is above the margin."""
    champion.improve()
    assert train_and_compare(champion)["verdict"] == "promote"


@pytest.mark.slow
def test_a_worse_version_is_refused_by_the_gates_about_the_champion(champion: Project) -> None:
    """A version that is worse on average, on slices, and on rows predicted correctly before fails those gates."""
    champion.improve()
    champion.commit()
    champion.promote()
    champion.edit("src/sample/features.py", '["x1", "x2"]', '["x1"]')
    champion.edit("model.toml", "[evaluation]", "[training]\nseed = 1\n\n[evaluation]")
    assert refused_gates(train_and_compare(champion)) == ["CHAMPION", "SLICES", "CALIBRATION", "FLIPS"]


@pytest.mark.slow
def test_a_refusal_sets_the_exit_code_only_with_the_option(champion: Project) -> None:
    """Without `--exit-code`, a refusal ends with exit code 0; with it, with 6."""
    champion.edit("model.toml", "[evaluation]", "[training]\nseed = 1\n\n[evaluation]")
    champion.commit()
    champion.must("train")
    champion.must("register")
    assert champion.must("compare").outputs["verdict"] == "refuse"
    assert champion.gitops("compare", "--exit-code").code == 6


@pytest.mark.slow
def test_comparing_the_champion_with_itself_does_nothing(champion: Project) -> None:
    """After the merge, the newest version is the champion, and the verdict says so."""
    assert champion.must("compare", "--exit-code").outputs["verdict"] == "champion"


@pytest.mark.slow
def test_a_champion_whose_code_has_changed_is_scored_by_its_own_commit(champion: Project) -> None:
    """A change of the user package must not change the champion's predictions."""
    before = train_and_compare(champion)["challenger"]["metrics"]["roc_auc"]
    promote_custom_estimator(champion)
    # The champion's class now inverts its predictions, and the challenger no longer uses that class.
    champion.edit("src/sample/odd.py", "super().predict_proba(rows)", "super().predict_proba(rows)[:, ::-1]")
    champion.edit("src/sample/estimator.py", "Odd(random_state=seed))", "LogisticRegression(random_state=seed, C=0.5))")
    comparison = train_and_compare(champion)
    assert comparison["champion"]["own_code"] is True
    assert comparison["champion"]["metrics"]["roc_auc"] > before
    assert (
        "scored with the code of its own commit" in (champion.root / ".gitops" / "comparison" / "report.md").read_text()
    )


@pytest.mark.slow
def test_a_champion_whose_class_was_removed_is_scored_by_its_own_code_and_lock(champion: Project) -> None:
    """A champion with another lock is scored in a separate environment with the packages of its lock."""
    champion.vendor()
    promote_custom_estimator(champion)
    (champion.root / "src" / "sample" / "odd.py").unlink()
    champion.edit("src/sample/estimator.py", "Odd(random_state=seed))", "LogisticRegression(random_state=seed, C=0.5))")
    champion.edit("src/sample/estimator.py", "from .odd import Odd\n", "")
    champion.edit("requirements/train.txt", "\nclick==", "\n# another lock\nclick==")
    comparison = train_and_compare(champion)
    assert comparison["champion"]["own_code"] is True
    assert list((champion.root / ".gitops" / "environments").glob("*/.complete"))


@pytest.mark.slow
def test_a_champion_that_cannot_be_scored_is_an_error(champion: Project) -> None:
    """The challenger does not win by default: the command fails and names the missing column."""
    champion.edit("src/sample/features.py", '["x1"]', '["x1", "x2"]')
    champion.edit("src/sample/schema.py", "    x1: float\n", "")
    champion.edit("src/sample/features.py", '["x1", "x2"]', '["x2"]')
    champion.write_data(make_rows().drop(columns="x1"))
    champion.commit()
    champion.must("train")
    champion.must("register")
    result = champion.gitops("compare")
    assert result.code == 3
    assert "'x1'" in result.err


@pytest.mark.slow
def test_versions_with_different_splits_cannot_be_compared(champion: Project) -> None:
    """The champion may have been trained on rows that are held out now."""
    champion.edit("model.toml", "holdout = 0.4", "holdout = 0.5")
    champion.improve()
    comparison = train_and_compare(champion)
    assert refused_gates(comparison) == ["COMPARABLE"]
    gate = next(gate for gate in comparison["gates"] if gate["id"] == "COMPARABLE")
    assert "0.4 of the rows" in gate["message"]


@pytest.mark.slow
def test_a_retrained_version_that_is_not_worse_may_be_promoted(champion: Project) -> None:
    """Retraining on more data passes by the policy `refresh`, without a significant gain."""
    champion.edit("model.toml", "[gates.floor]", "[gates.champion]\nrefresh_margin = 0.05\n\n[gates.floor]")
    champion.commit()
    champion.write_data(pd.concat([make_rows(), make_rows(400, seed=1, first=501)]))
    comparison = train_and_compare(champion)
    assert comparison["verdict"] == "promote"
    gate = next(gate for gate in comparison["gates"] if gate["id"] == "CHAMPION")
    assert "Policy improve fails" in gate["message"]
    assert "Policy refresh passes" in gate["message"]


def test_an_unknown_version_is_named_with_the_known_ones(champion: Project) -> None:
    """The message lists the registered versions."""
    result = champion.gitops("compare", "--version", "9")
    assert result.code == 7
    assert "Known: 1." in result.err


def test_without_a_version_the_message_names_the_commands(project: Project) -> None:
    """The message says how to register the first version."""
    result = project.gitops("compare")
    assert result.code == 7
    assert "gitops register" in result.err


@pytest.mark.slow
def test_a_better_version_beats_the_proposed_one(at_stage: Callable[[str], Project]) -> None:
    """The rule is that of the gate CHAMPION; the verdict does not depend on it."""
    proposed = at_stage("proposed")
    proposed.improve()
    comparison = train_and_compare(proposed)
    assert (comparison["verdict"], comparison["champion"]) == ("promote", None)
    assert (comparison["rival"]["side"]["version"], comparison["rival"]["beaten"]) == ("1", True)
    assert "Policy improve passes" in comparison["rival"]["message"]
    assert "version 1's is 0." in comparison["rival"]["message"]
    assert comparison["rival"]["low"] > 0
    assert (
        "Version 2 replaces version 1 in the open pull request"
        in (proposed.root / ".gitops" / "comparison" / "report.md").read_text()
    )


@pytest.mark.slow
def test_the_proposed_version_stays_if_no_other_is_better(at_stage: Callable[[str], Project]) -> None:
    """The other version passes every gate and has the same predictions."""
    proposed = at_stage("proposed")
    proposed.edit("model.toml", "[evaluation]", "[training]\nseed = 1\n\n[evaluation]")
    comparison = train_and_compare(proposed)
    assert (comparison["verdict"], comparison["rival"]["beaten"]) == ("promote", False)
    assert "a tie; version 1 stays." in comparison["rival"]["message"]
    assert "version 1 stays" in proposed.must("compare").out


@pytest.mark.slow
def test_a_proposal_pushed_from_another_clone_is_found(at_stage: Callable[[str], Project], tmp_path: Path) -> None:
    """The checkout of a job has the branch main only, so the proposal is fetched."""
    proposed = at_stage("proposed")
    proposed.git("init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    proposed.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    proposed.improve()
    proposed.commit()
    proposed.git("push", "--quiet", "origin", "main", "mlflow", "promote/production")
    proposed.git("branch", "--quiet", "-D", "promote/production")
    proposed.git("update-ref", "-d", "refs/remotes/origin/promote/production")
    assert train_and_compare(proposed)["rival"]["side"]["version"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["proposed", "promoted"])
def test_a_version_is_not_compared_with_its_own_proposal(stage: str, at_stage: Callable[[str], Project]) -> None:
    """This holds before and after the merge of the proposal."""
    project = at_stage(stage)
    project.must("compare")
    comparison = json.loads((project.root / ".gitops" / "comparison" / "comparison.json").read_text())
    assert comparison["rival"] is None


@pytest.mark.slow
def test_a_proposed_version_with_another_split_is_replaced(at_stage: Callable[[str], Project]) -> None:
    """It cannot be evaluated with the current split, by which the challenger was evaluated."""
    proposed = at_stage("proposed")
    proposed.edit("model.toml", "holdout = 0.4", "holdout = 0.5")
    result = train_and_compare(proposed)["rival"]
    assert result["beaten"] is True
    assert "so version 1 may have trained on rows that are now held out" in result["message"]
    assert (result["side"]["version"], result["side"]["metrics"], result["value"]) == ("1", {}, None)


@pytest.mark.slow
def test_a_proposed_version_that_needs_a_removed_column_is_replaced(at_stage: Callable[[str], Project]) -> None:
    """Such a version could not be served either."""
    proposed = at_stage("proposed")
    proposed.edit("src/sample/schema.py", "    note: float = pa.Field(nullable=True)\n", "")
    proposed.write_data(make_rows().drop(columns="note"))
    result = train_and_compare(proposed)["rival"]
    assert result["beaten"] is True
    assert "version 1 needs the column 'note', which the current data does not have" in result["message"]


@pytest.mark.slow
def test_the_comparison_has_what_a_reviewer_needs(champion: Project) -> None:
    """It has slices, changed predictions, data drift, and the lineage of both versions."""
    champion.improve()
    champion.write_data(make_rows(700).assign(x1=make_rows(700)["x1"] + 1))
    comparison = train_and_compare(champion)
    assert 0 < len(comparison["slices"]) <= 8 <= comparison["slices_measured"]
    example = comparison["flips"]["examples"][0]
    assert [example[f"{side}_why"]["reasons"][0]["column"] for side in ("champion", "challenger")] == ["x1", "x2"]
    page = (champion.root / ".gitops" / "comparison" / "report.html").read_text()
    assert all(
        f'<div id="{name}">' in page
        for name in ("roc", "precision-recall", "confusion", "calibration", "slices", "flips", "distribution")
    )
    assert comparison["flips"]["count"] == sum(comparison["flips"][direction] for direction in ("better", "worse"))
    assert (comparison["data"]["rows_before"], comparison["data"]["rows_after"]) == (500, 700)
    assert comparison["data"]["share_new"] == pytest.approx(2 / 7)
    assert comparison["data"]["shifts"][0]["column"] == "x1"
    assert {each["what"] for each in comparison["data"]["target"]} == {"no", "yes"}
    commits = [comparison[side]["lineage"]["commit"] for side in ("champion", "challenger")]
    assert commits[1] == champion.git("rev-parse", "HEAD") != commits[0]


def test_the_outputs_contain_the_digests_of_version_and_comparison(at_stage: Callable[[str], Project]) -> None:
    """The job that promotes verifies files by the digests that it receives as outputs."""
    project = at_stage("registered")
    outputs = project.must("compare").outputs
    file = project.root / ".gitops" / "comparison" / "comparison.json"
    assert outputs["digest"] == json.loads(file.read_text())["challenger"]["digest"]
    assert outputs["comparison"] == digest_file(file)


@pytest.mark.slow
def test_empty_variables_and_options_are_ignored(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workflow passes an input without a value as an empty variable or option."""
    project = at_stage("registered")
    for name in ("GITOPS_VERSION", "GITOPS_DIGEST", "GITOPS_ENVIRONMENT"):
        monkeypatch.setenv(name, "")
    assert project.must("compare").outputs["version"] == "1"
    assert project.must("compare", "--version", "", "--digest", "", "--environment", "").outputs["version"] == "1"
    monkeypatch.setenv("GITOPS_VERSION", "9")
    assert "There is no version '9'" in project.gitops("compare").err


ODD = '''"""A class of the user package inside the pipeline."""

from sklearn.linear_model import LogisticRegression


class Odd(LogisticRegression):
    """A logistic regression as a custom class."""

    def predict_proba(self, rows):
        """Return the probabilities."""
        return super().predict_proba(rows)
'''
