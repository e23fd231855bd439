"""Champion and challenger on the same holdout, each by the code that made it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gitops_ml.manifest import digest_file
from unit.sample import Project, rows


@pytest.fixture
def champion(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 promoted."""
    return at_stage("promoted")


def compared(project: Project, *arguments: str) -> dict[str, Any]:
    """Train, register and compare what is committed; the comparison."""
    project.commit()
    project.must("train")
    project.must("register")
    project.must("compare", *arguments)
    found: dict[str, Any] = json.loads((project.root / ".gitops" / "comparison" / "comparison.json").read_text())
    return found


def promote_odd(project: Project) -> None:
    """Promote a version whose estimator is a class of yours."""
    project.write("src/sample/odd.py", ODD)
    project.edit("src/sample/estimator.py", "LogisticRegression(random_state=seed))", "Odd(random_state=seed))")
    project.edit("src/sample/estimator.py", "from .features", "from .odd import Odd\nfrom .features")
    project.edit("model.toml", "[evaluation]", '[serving]\ntrusted_types = ["sample.odd.Odd"]\n\n[evaluation]')
    project.improve()
    project.commit()
    project.promote()


def refused(found: dict[str, Any]) -> list[str]:
    """The gates that said no."""
    return [gate["id"] for gate in found["gates"] if gate["verdict"] == "refused"]


@pytest.mark.slow
def test_the_first_version_is_judged_by_the_other_gates(project: Project) -> None:
    """Without a champion the report says so, and floor and baseline decide."""
    found = compared(project)
    assert found["verdict"] == "promote"
    assert found["champion"] is None
    assert "no champion yet" in (project.root / ".gitops" / "comparison" / "report.md").read_text()


def test_a_better_version_may_be_promoted(champion: Project) -> None:
    """The whole interval of the gain lies above the margin."""
    champion.improve()
    assert compared(champion)["verdict"] == "promote"


@pytest.mark.slow
def test_a_worse_version_is_refused_by_the_champion(champion: Project) -> None:
    """It is worse on average, on slices, and on rows that were right; every gate that looks there says so."""
    champion.improve()
    champion.commit()
    champion.promote()
    champion.edit("src/sample/features.py", '["x1", "x2"]', '["x1"]')
    champion.edit("model.toml", "[evaluation]", "[training]\nseed = 1\n\n[evaluation]")
    assert refused(compared(champion)) == ["CHAMPION", "SLICES", "CALIBRATION", "FLIPS"]


@pytest.mark.slow
def test_a_refusal_is_an_exit_code_only_where_asked(champion: Project) -> None:
    """A refused gate is a result; 6 is for scripts that want one."""
    champion.edit("model.toml", "[evaluation]", "[training]\nseed = 1\n\n[evaluation]")
    champion.commit()
    champion.must("train")
    champion.must("register")
    assert champion.must("compare").outputs["verdict"] == "refuse"
    assert champion.gitops("compare", "--exit-code").code == 6


@pytest.mark.slow
def test_the_champion_against_itself_is_nothing_to_do(champion: Project) -> None:
    """After the merge, the same version is the champion already."""
    assert champion.must("compare", "--exit-code").outputs["verdict"] == "champion"


@pytest.mark.slow
def test_a_champion_that_todays_code_would_change_is_scored_by_its_own(champion: Project) -> None:
    """The champion's features live in your package; a change there must not change what the champion says."""
    before = compared(champion)["challenger"]["metrics"]["roc_auc"]
    promote_odd(champion)
    # Now the champion's class says the opposite of what it said, and the challenger does not use it any more.
    champion.edit("src/sample/odd.py", "super().predict_proba(rows)", "super().predict_proba(rows)[:, ::-1]")
    champion.edit("src/sample/estimator.py", "Odd(random_state=seed))", "LogisticRegression(random_state=seed, C=0.5))")
    found = compared(champion)
    assert found["champion"]["own_code"] is True
    assert found["champion"]["metrics"]["roc_auc"] > before
    assert "scored by its own commit" in (champion.root / ".gitops" / "comparison" / "report.md").read_text()


@pytest.mark.slow
def test_a_champion_whose_class_is_gone_is_scored_by_its_own_code_and_lock(champion: Project) -> None:
    """Where the lock changed too, its own libraries are installed beside today's."""
    champion.vendor()
    promote_odd(champion)
    (champion.root / "src" / "sample" / "odd.py").unlink()
    champion.edit("src/sample/estimator.py", "Odd(random_state=seed))", "LogisticRegression(random_state=seed, C=0.5))")
    champion.edit("src/sample/estimator.py", "from .odd import Odd\n", "")
    champion.edit("requirements/train.txt", "\nclick==", "\n# another lock\nclick==")
    found = compared(champion)
    assert found["champion"]["own_code"] is True
    assert list((champion.root / ".gitops" / "environments").glob("*/.complete"))


@pytest.mark.slow
def test_a_champion_that_cannot_be_scored_neither_wins_nor_loses(champion: Project) -> None:
    """No win by forfeit: the comparison is an Error, and says what to undo."""
    champion.edit("src/sample/features.py", '["x1"]', '["x1", "x2"]')
    champion.edit("src/sample/schema.py", "    x1: float\n", "")
    champion.edit("src/sample/features.py", '["x1", "x2"]', '["x2"]')
    champion.data(rows().drop(columns="x1"))
    champion.commit()
    champion.must("train")
    champion.must("register")
    result = champion.gitops("compare")
    assert result.code == 3
    assert "'x1'" in result.err


@pytest.mark.slow
def test_after_another_split_the_two_cannot_be_compared(champion: Project) -> None:
    """The champion may have trained on rows that are held out now."""
    champion.edit("model.toml", "holdout = 0.4", "holdout = 0.5")
    champion.improve()
    found = compared(champion)
    assert refused(found) == ["COMPARABLE"]
    gate = next(gate for gate in found["gates"] if gate["id"] == "COMPARABLE")
    assert "0.4 of the rows" in gate["message"]


@pytest.mark.slow
def test_fresh_data_may_replace_a_champion_that_is_no_worse(champion: Project) -> None:
    """Ordinary retraining passes by the policy refresh, without a lucky gain."""
    champion.edit("model.toml", "[gates.floor]", "[gates.champion]\nrefresh_margin = 0.05\n\n[gates.floor]")
    champion.commit()
    champion.data(pd.concat([rows(), rows(400, seed=1, first=501)]))
    found = compared(champion)
    assert found["verdict"] == "promote"
    gate = next(gate for gate in found["gates"] if gate["id"] == "CHAMPION")
    assert "Policy improve fails" in gate["message"]
    assert "Policy refresh holds" in gate["message"]


def test_a_version_that_is_not_there_is_named_with_those_that_are(champion: Project) -> None:
    """A typing mistake ends in a list to choose from."""
    result = champion.gitops("compare", "--version", "9")
    assert result.code == 7
    assert "Known: 1." in result.err


def test_before_the_first_version_the_sentence_names_the_commands(project: Project) -> None:
    """Nothing registered yet."""
    result = project.gitops("compare")
    assert result.code == 7
    assert "gitops register" in result.err


@pytest.mark.slow
def test_the_open_proposal_is_beaten_by_something_better(at_stage: Callable[[str], Project]) -> None:
    """By the rule that the champion is judged by; the verdict does not depend on it."""
    proposed = at_stage("proposed")
    proposed.improve()
    found = compared(proposed)
    assert (found["verdict"], found["champion"]) == ("promote", None)
    assert (found["rival"]["side"]["version"], found["rival"]["beaten"]) == ("1", True)
    assert "Policy improve holds" in found["rival"]["message"]
    assert "version 1's 0." in found["rival"]["message"]
    assert found["rival"]["low"] > 0
    assert "is beaten and gives way" in (proposed.root / ".gitops" / "comparison" / "report.md").read_text()


@pytest.mark.slow
def test_the_open_proposal_stays_where_nothing_is_better(at_stage: Callable[[str], Project]) -> None:
    """Another version that passes every gate, and says the same."""
    proposed = at_stage("proposed")
    proposed.edit("model.toml", "[evaluation]", "[training]\nseed = 1\n\n[evaluation]")
    found = compared(proposed)
    assert (found["verdict"], found["rival"]["beaten"]) == ("promote", False)
    assert "a tie; version 1 stays." in found["rival"]["message"]
    assert "version 1 stays" in proposed.must("compare").out


@pytest.mark.slow
def test_a_proposal_that_somebody_else_pushed_is_found(at_stage: Callable[[str], Project], tmp_path: Path) -> None:
    """A job's checkout knows main alone."""
    proposed = at_stage("proposed")
    proposed.git("init", "--quiet", "--bare", str(tmp_path / "remote.git"))
    proposed.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    proposed.improve()
    proposed.commit()
    proposed.git("push", "--quiet", "origin", "main", "mlflow", "promote/production")
    proposed.git("branch", "--quiet", "-D", "promote/production")
    proposed.git("update-ref", "-d", "refs/remotes/origin/promote/production")
    assert compared(proposed)["rival"]["side"]["version"] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["proposed", "promoted"])
def test_a_proposal_is_no_rival_of_itself(stage: str, at_stage: Callable[[str], Project]) -> None:
    """Nor of its own merge."""
    project = at_stage(stage)
    project.must("compare")
    found = json.loads((project.root / ".gitops" / "comparison" / "comparison.json").read_text())
    assert found["rival"] is None


@pytest.mark.slow
def test_a_proposal_from_another_split_gives_way(at_stage: Callable[[str], Project]) -> None:
    """Nobody can say any more how good it is; the challenger was judged by today's split."""
    proposed = at_stage("proposed")
    proposed.edit("model.toml", "holdout = 0.4", "holdout = 0.5")
    rival = compared(proposed)["rival"]
    assert rival["beaten"] is True
    assert "so version 1 may have trained on rows that are now held out" in rival["message"]
    assert (rival["side"]["version"], rival["side"]["metrics"], rival["value"]) == ("1", {}, None)


@pytest.mark.slow
def test_a_proposal_that_needs_a_column_that_is_gone_gives_way(at_stage: Callable[[str], Project]) -> None:
    """It could not be served either."""
    proposed = at_stage("proposed")
    proposed.edit("src/sample/schema.py", "    note: float = pa.Field(nullable=True)\n", "")
    proposed.data(rows().drop(columns="note"))
    rival = compared(proposed)["rival"]
    assert rival["beaten"] is True
    assert "it needs the column 'note'" in rival["message"]


@pytest.mark.slow
def test_the_comparison_says_what_a_reviewer_asks(champion: Project) -> None:
    """Where it is worse, which answers change, how the data moved, and what is behind both."""
    champion.improve()
    champion.data(rows(700).assign(x1=rows(700)["x1"] + 1))
    found = compared(champion)
    assert 0 < len(found["slices"]) <= 8 <= found["slices_measured"]
    moved = found["flips"]["examples"][0]
    assert [moved[f"{side}_why"]["reasons"][0]["column"] for side in ("champion", "challenger")] == ["x1", "x2"]
    page = (champion.root / ".gitops" / "comparison" / "report.html").read_text()
    assert all(f'<div id="{name}">' in page for name in ("roc", "calibration", "slices", "flips", "distribution"))
    assert found["flips"]["count"] == sum(found["flips"][way] for way in ("better", "worse"))
    assert (found["data"]["rows_before"], found["data"]["rows_after"]) == (500, 700)
    assert found["data"]["share_new"] == pytest.approx(2 / 7)
    assert found["data"]["shifts"][0]["column"] == "x1"
    assert {each["what"] for each in found["data"]["target"]} == {"no", "yes"}
    commits = [found[side]["lineage"]["commit"] for side in ("champion", "challenger")]
    assert commits[1] == champion.git("rev-parse", "HEAD") != commits[0]


def test_the_outputs_pin_the_version_and_the_comparison(at_stage: Callable[[str], Project]) -> None:
    """A job that promotes trusts the digests that came to it as outputs."""
    project = at_stage("registered")
    outputs = project.must("compare").outputs
    file = project.root / ".gitops" / "comparison" / "comparison.json"
    assert outputs["digest"] == json.loads(file.read_text())["challenger"]["digest"]
    assert outputs["comparison"] == digest_file(file)


@pytest.mark.slow
def test_what_a_workflow_leaves_empty_is_not_given(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An input that nobody filled in arrives as an empty variable, or as an empty option."""
    project = at_stage("registered")
    for name in ("GITOPS_VERSION", "GITOPS_DIGEST", "GITOPS_ENVIRONMENT"):
        monkeypatch.setenv(name, "")
    assert project.must("compare").outputs["version"] == "1"
    assert project.must("compare", "--version", "", "--digest", "", "--environment", "").outputs["version"] == "1"
    monkeypatch.setenv("GITOPS_VERSION", "9")
    assert "There is no version '9'" in project.gitops("compare").err


ODD = '''"""A class of yours inside the pipeline."""

from sklearn.linear_model import LogisticRegression


class Odd(LogisticRegression):
    """As it says."""

    def predict_proba(self, rows):
        """What the champion says."""
        return super().predict_proba(rows)
'''
