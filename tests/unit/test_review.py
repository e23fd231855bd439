"""Rules under review: what loosens them, who may, and by which a challenger is judged."""

import json
from typing import Any

import pandera.pandas as pa
import pytest

from gitops_ml.config import Config, Gates, find, parse
from gitops_ml.training import contract_rules
from gitops_ml.training.review import Judged, review
from gitops_ml.training.rules import LESS, LONGER, MORE, SHORTER, loosened, stricter
from unit.sample import MODEL_TOML, Project

RULES = (
    MODEL_TOML + '\n[gates.flips]\nworse = 0.1\n\n[gates.fairness]\nattributes = ["kind"]\n\n[slices]\na = "x1 > 0"\n'
)


def ruled(*changes: tuple[str, str]) -> Config:
    """The sample's rules with changes."""
    text = RULES
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return parse(text)


def test_every_rule_has_a_looser_way() -> None:
    """A key that is new must say which way it loosens."""
    names = set()

    def walk(table: dict[str, Any], path: str) -> None:
        for name, value in table.items():
            if isinstance(value, dict) and name != "floor":
                walk(value, f"{path}{name}.")
            elif name != "floor":
                names.add(f"{path}{name}")

    walk(Gates().model_dump(), "")
    assert names == MORE | LESS | LONGER | SHORTER


# a change, and its key where it loosens
CHANGES: dict[str, tuple[tuple[str, str], str | None]] = {
    "a limit raised": (("worse = 0.1", "worse = 0.2"), "flips.worse"),
    "a limit lowered": (("worse = 0.1", "worse = 0.05"), None),
    "a floor lowered": (("roc_auc = 0.6", "roc_auc = 0.5"), "floor.roc_auc"),
    "a floor raised": (("roc_auc = 0.6", "roc_auc = 0.7"), None),
    "a floor gone": (("roc_auc = 0.6", ""), "floor.roc_auc"),
    "another floor": (("roc_auc = 0.6", "roc_auc = 0.6\nbrier = 0.2"), None),
    "a gate off": (("resamples = 100", 'resamples = 100\noff = ["SLICES"]'), "off"),
    "an attribute gone": (('attributes = ["kind"]', "attributes = []"), "fairness.attributes"),
    "less confidence": (("resamples = 100", "resamples = 100\nconfidence = 0.8"), "confidence"),
    "a slice gone": (('a = "x1 > 0"', ""), "slices.a"),
    "a slice more": (('a = "x1 > 0"', 'a = "x1 > 0"\nb = "x1 < 0"'), None),
    "another metric": (('metric = "roc_auc"', 'metric = "accuracy"'), "evaluation.metric"),
}


@pytest.mark.parametrize(("change", "key"), CHANGES.values(), ids=CHANGES)
def test_what_loosens_is_named(change: tuple[str, str], key: str | None) -> None:
    """And what tightens is not."""
    assert list(loosened(ruled(), ruled(change))) == ([key] if key else [])


@pytest.mark.parametrize("change", [each for each, key in CHANGES.values() if key and "metric" not in key])
def test_the_stricter_rules_are_never_looser_than_either(change: tuple[str, str]) -> None:
    """Nothing that was loosened counts, and what was tightened does."""
    then, now = ruled(), ruled(change, ('column = "id"', 'column = "id"'))
    tight = now.model_copy(update={"gates": now.gates.model_copy(update={"minimum_rows": 200})})
    judged = stricter(then, tight)
    assert loosened(then, judged) == {}
    assert judged.gates.minimum_rows == 200


def schema(**columns: pa.Column) -> pa.DataFrameSchema:
    """A strict one."""
    return pa.DataFrameSchema(columns, strict=True)


NUMBER = pa.Column(float, [pa.Check.ge(0), pa.Check.lt(10)])
SCHEMAS: dict[str, tuple[pa.Column, pa.Column, str | None]] = {
    "the same": (NUMBER, NUMBER, None),
    "a lower bound": (NUMBER, pa.Column(float, [pa.Check.ge(-1), pa.Check.lt(10)]), "greater_than_or_equal_to(0)"),
    "a tighter bound": (NUMBER, pa.Column(float, [pa.Check.ge(1), pa.Check.lt(10)]), None),
    "a check gone": (NUMBER, pa.Column(float, [pa.Check.ge(0)]), "less_than(10)"),
    "a check more": (pa.Column(float), NUMBER, None),
    "may be missing": (NUMBER, pa.Column(float, NUMBER.checks, nullable=True), "it may be missing"),
    "may repeat": (pa.Column(str, unique=True), pa.Column(str), "it may repeat"),
    "more values": (pa.Column(str, pa.Check.isin(["a"])), pa.Column(str, pa.Check.isin(["a", "b"])), "isin(['a'])"),
    "fewer values": (pa.Column(str, pa.Check.isin(["a", "b"])), pa.Column(str, pa.Check.isin(["a"])), None),
    "another type": (pa.Column(int), pa.Column(float), "its type is float64, was int64"),
}


@pytest.mark.parametrize(("then", "now", "said"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_that_accepts_more_is_looser(then: pa.Column, now: pa.Column, said: str | None) -> None:
    """Column by column, in words."""
    found = contract_rules.loosened(schema(x=then), schema(x=now))
    assert (said in found["x"]) if said else found == {}


def test_a_column_that_goes_is_looser() -> None:
    """And so is a schema that is no longer strict."""
    assert contract_rules.loosened(schema(x=NUMBER, y=NUMBER), pa.DataFrameSchema({"x": NUMBER})) == {
        "strict": "columns that nobody declared are accepted", "y": "the column may be left out",
    }  # fmt: skip


@pytest.fixture
def main(project: Project) -> Project:
    """One commit on main."""
    project.commit()
    return project


def judged(project: Project, before: str | None = None) -> Judged:
    """By which rules HEAD is judged."""
    return review(find(project.root), before, None)


def loosen(project: Project) -> None:
    """Lower a floor."""
    project.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.5")


def retrain(project: Project) -> None:
    """Change what is trained."""
    project.edit("src/sample/features.py", '["x1"]', '["x1", "x2"]')


def head(project: Project) -> str:
    """The commit that is checked out."""
    return project.git("rev-parse", "HEAD").strip()


def test_loosening_and_training_in_one_push_is_refused(main: Project) -> None:
    """Even in two commits, as long as they come in one push; and the old rules judge."""
    before = head(main)
    loosen(main)
    main.commit()
    retrain(main)
    main.commit()
    found = judged(main, before)
    assert found.review.together == ("floor.roc_auc: 0.6 → 0.5",)
    assert found.config.gates.floor == {"roc_auc": 0.6}


def test_a_dispatch_does_not_help(main: Project) -> None:
    """Nothing is pushed then; the commit that did both is found in the history."""
    loosen(main)
    retrain(main)
    main.commit()
    (main.root / "NOTES.md").write_text("Words.\n")
    main.commit()
    found = judged(main)
    assert found.review.together == ("floor.roc_auc: 0.6 → 0.5",)
    assert found.config.gates.floor == {"roc_auc": 0.6}


def test_undone_and_loosened_alone_it_counts(main: Project) -> None:
    """The way out that the gate's own sentence names."""
    loosen(main)
    retrain(main)
    main.commit()
    main.edit("model.toml", "roc_auc = 0.5", "roc_auc = 0.6")
    main.commit()
    loosen(main)
    before = head(main)
    main.commit()
    pushed = judged(main, before)
    assert pushed.review.together == ()
    assert pushed.review.alone == ("floor.roc_auc: 0.6 → 0.5",)
    assert pushed.config.gates.floor == {"roc_auc": 0.6}, "the push that loosens is judged by the rules of before"
    later = judged(main)
    assert later.review.together == ()
    assert later.config.gates.floor == {"roc_auc": 0.5}


def test_a_schema_is_a_rule_too(main: Project) -> None:
    """Loosened with data that needs it, it is refused."""
    before = head(main)
    main.edit("src/sample/schema.py", "le=10", "le=20")
    main.edit("model.toml", "[evaluation]", "[training]\nseed = 5\n\n[evaluation]")
    main.commit()
    (said,) = judged(main, before).review.together
    assert said == "schema.py: x2: less_than_or_equal_to(10) is gone or looser"


def test_a_schema_alone_is_no_training(main: Project) -> None:
    """Otherwise nobody could ever loosen it."""
    before = head(main)
    main.edit("src/sample/schema.py", "le=10", "le=20")
    main.commit()
    found = judged(main, before).review
    assert (found.together, len(found.alone)) == ((), 1)


def test_tightening_takes_effect_at_once(main: Project) -> None:
    """With whatever it comes."""
    before = head(main)
    main.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.7")
    retrain(main)
    main.commit()
    found = judged(main, before)
    assert found.review.together == ()
    assert found.config.gates.floor == {"roc_auc": 0.7}


def test_the_first_push_has_nothing_before_it(main: Project) -> None:
    """GitHub says so with zeros."""
    assert judged(main, "0" * 40).review.before is None


@pytest.mark.slow
def test_compare_is_judged_by_the_rules_of_before(main: Project) -> None:
    """The gate RULES refuses, and evidence.json holds the rules that judged."""
    before = head(main)
    loosen(main)
    retrain(main)
    main.commit()
    main.must("train")
    main.must("register")
    main.must("compare", "--before", before)
    evidence = json.loads((main.root / ".gitops" / "comparison" / "evidence.json").read_text())
    compared = json.loads((main.root / ".gitops" / "comparison" / "comparison.json").read_text())
    assert evidence["rules"]["floor"] == {"roc_auc": 0.6}
    assert [gate["id"] for gate in compared["gates"] if gate["verdict"] == "refused"] == ["RULES"]


def test_review_says_aloud_what_a_branch_loosens(main: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """For whoever reviews it; a warning above the files, and a table."""
    main.git("update-ref", "refs/remotes/origin/main", "main")  # as a job's clone has it
    main.git("switch", "--create", "easier")
    loosen(main)
    main.commit()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    told = main.must("review")
    assert "::warning title=gitops::This change loosens floor.roc_auc." in told.out
    assert told.outputs["loosened"] == "1"


def test_review_of_what_loosens_nothing_is_one_line(main: Project) -> None:
    """Silence would look like a failure."""
    main.git("switch", "--create", "better")
    retrain(main)
    main.commit()
    assert "Nothing is loosened since" in main.must("review").out
