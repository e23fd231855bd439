# machinery
"""Champion and challenger on the same holdout, each by the code that made it."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Project, rows

import gitops


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


def test_a_worse_version_is_refused_by_the_champion(champion: Project) -> None:
    """It passes every other gate."""
    champion.improve()
    champion.commit()
    champion.promote()
    champion.edit("src/sample/features.py", '["x1", "x2"]', '["x1"]')
    champion.edit("model.toml", "[evaluation]", "[training]\nseed = 1\n\n[evaluation]")
    assert refused(compared(champion)) == ["CHAMPION"]


def test_a_refusal_is_an_exit_code_only_where_asked(champion: Project) -> None:
    """A refused gate is a result; 6 is for scripts that want one."""
    champion.edit("model.toml", "[evaluation]", "[training]\nseed = 1\n\n[evaluation]")
    champion.commit()
    champion.must("train")
    champion.must("register")
    assert champion.must("compare").outputs["verdict"] == "refuse"
    assert champion.gitops("compare", "--exit-code").code == 6


def test_the_champion_against_itself_is_nothing_to_do(champion: Project) -> None:
    """After the merge, the same version is the champion already."""
    assert champion.must("compare", "--exit-code").outputs["verdict"] == "champion"


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


def test_a_champion_whose_class_is_gone_is_scored_by_its_own_code_and_lock(champion: Project) -> None:
    """Where the lock changed too, its own libraries are installed beside today's."""
    shutil.copytree(Path(gitops.__file__).parent, champion.root / "src" / "gitops")
    promote_odd(champion)
    (champion.root / "src" / "sample" / "odd.py").unlink()
    champion.edit("src/sample/estimator.py", "Odd(random_state=seed))", "LogisticRegression(random_state=seed, C=0.5))")
    champion.edit("src/sample/estimator.py", "from .odd import Odd\n", "")
    champion.edit("requirements/train.txt", "\nclick==", "\n# another lock\nclick==")
    found = compared(champion)
    assert found["champion"]["own_code"] is True
    assert list((champion.root / ".gitops" / "environments").glob("*/.complete"))


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


def test_after_another_split_the_two_cannot_be_compared(champion: Project) -> None:
    """The champion may have trained on rows that are held out now."""
    champion.edit("model.toml", "holdout = 0.4", "holdout = 0.5")
    champion.improve()
    found = compared(champion)
    assert refused(found) == ["COMPARABLE"]
    gate = next(gate for gate in found["gates"] if gate["id"] == "COMPARABLE")
    assert "0.4 of the rows" in gate["message"]


def test_fresh_data_may_replace_a_champion_that_is_no_worse(champion: Project) -> None:
    """Ordinary retraining passes by the policy refresh, without a lucky gain."""
    champion.edit("model.toml", "[gates.floor]", "[gates.champion]\nrefresh_margin = 0.05\n\n[gates.floor]")
    champion.data(rows(900))
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


ODD = '''"""A class of yours inside the pipeline."""

from sklearn.linear_model import LogisticRegression


class Odd(LogisticRegression):
    """As it says."""

    def predict_proba(self, rows):
        """What the champion says."""
        return super().predict_proba(rows)
'''
