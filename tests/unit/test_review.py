"""Review of the rules: what loosens them, when that is allowed, and which rules apply to a challenger."""

import json
from collections.abc import Callable
from typing import Any

import pandera.pandas as pa
import pytest

from gitops_ml.config import Config, GatesConfig, find_repository, parse_config
from gitops_ml.training import schema_strictness
from gitops_ml.training.gate_strictness import (
    LOOSER_IF_LARGER,
    LOOSER_IF_LONGER,
    LOOSER_IF_SHORTER,
    LOOSER_IF_SMALLER,
    combine_strictest,
    find_loosened_settings,
)
from gitops_ml.training.review import ReviewedRules, review
from unit.sample import MODEL_TOML, Project

RULES = (
    MODEL_TOML + '\n[gates.flips]\nworse = 0.1\n\n[gates.fairness]\nattributes = ["kind"]\n\n[slices]\na = "x1 > 0"\n'
)


def changed_config(*changes: tuple[str, str]) -> Config:
    """The sample's configuration with changes."""
    text = RULES
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return parse_config(text)


def test_every_setting_has_a_looser_direction() -> None:
    """A new key must declare in which direction it is looser."""
    names = set()

    def walk(table: dict[str, Any], path: str) -> None:
        for name, value in table.items():
            if isinstance(value, dict) and name != "floor":
                walk(value, f"{path}{name}.")
            elif name != "floor":
                names.add(f"{path}{name}")

    walk(GatesConfig().model_dump(), "")
    assert names == LOOSER_IF_LARGER | LOOSER_IF_SMALLER | LOOSER_IF_LONGER | LOOSER_IF_SHORTER


# a change, and its key if it loosens a rule
CHANGES: dict[str, tuple[tuple[str, str], str | None]] = {
    "a limit raised": (("worse = 0.1", "worse = 0.2"), "flips.worse"),
    "a limit lowered": (("worse = 0.1", "worse = 0.05"), None),
    "a floor lowered": (("roc_auc = 0.6", "roc_auc = 0.5"), "floor.roc_auc"),
    "a floor raised": (("roc_auc = 0.6", "roc_auc = 0.7"), None),
    "a floor removed": (("roc_auc = 0.6", ""), "floor.roc_auc"),
    "another floor": (("roc_auc = 0.6", "roc_auc = 0.6\nbrier = 0.2"), None),
    "a column declared as known": (
        ("[gates.floor]", '[gates.leakage]\nknown = ["x1"]\n[gates.floor]'),
        "leakage.known",
    ),
    "a limit stated": (("[gates.floor]", "[gates.latency]\np95_ms = 50\n[gates.floor]"), None),
    "a gate off": (("resamples = 100", 'resamples = 100\noff = ["SLICES"]'), "off"),
    "an attribute removed": (('attributes = ["kind"]', "attributes = []"), "fairness.attributes"),
    "less confidence": (("resamples = 100", "resamples = 100\nconfidence = 0.8"), "confidence"),
    "a slice removed": (('a = "x1 > 0"', ""), "slices.a"),
    "another slice": (('a = "x1 > 0"', 'a = "x1 > 0"\nb = "x1 < 0"'), None),
    "another metric": (('metric = "roc_auc"', 'metric = "accuracy"'), "evaluation.metric"),
    "another unit of margins": (('metric = "roc_auc"', 'metric = "log_loss"'), "evaluation.metric"),
}


@pytest.mark.parametrize(("change", "key"), CHANGES.values(), ids=CHANGES)
def test_loosened_settings_are_named(change: tuple[str, str], key: str | None) -> None:
    """Stricter settings are not."""
    assert list(find_loosened_settings(changed_config(), changed_config(change))) == ([key] if key else [])


@pytest.mark.parametrize("change", [each for each, key in CHANGES.values() if key and "metric" not in key])
def test_the_combined_rules_are_the_strictest(change: tuple[str, str]) -> None:
    """Loosened settings do not apply, and stricter ones do."""
    before, after = changed_config(), changed_config(change, ('column = "id"', 'column = "id"'))
    tight = after.model_copy(update={"gates": after.gates.model_copy(update={"minimum_rows": 200})})
    review_head = combine_strictest(before, tight)
    assert find_loosened_settings(before, review_head) == {}
    assert review_head.gates.minimum_rows == 200


def test_a_gate_that_one_push_turns_on_and_another_off_applies() -> None:
    """Only what both configurations allow is allowed; of the policies, at least one must remain."""
    before, after = (
        changed_config(
            ("resamples = 100", f'resamples = 100\noff = ["{gate}"]'),
            ("[gates.floor]", f'[gates.leakage]\nknown = ["{column}"]\n[gates.floor]'),
        )
        for gate, column in (("SLICES", "x1"), ("JUMP", "x2"))
    )
    rules = combine_strictest(before, after).gates
    assert (rules.off, rules.leakage.known) == ((), ())


def strict_schema(**columns: pa.Column) -> pa.DataFrameSchema:
    """A strict schema."""
    return pa.DataFrameSchema(columns, strict=True)


NUMBER = pa.Column(float, [pa.Check.ge(0), pa.Check.lt(10)])
SCHEMAS: dict[str, tuple[pa.Column, pa.Column, str | None]] = {
    "the same": (NUMBER, NUMBER, None),
    "a lower bound": (NUMBER, pa.Column(float, [pa.Check.ge(-1), pa.Check.lt(10)]), "greater_than_or_equal_to(0)"),
    "a tighter bound": (NUMBER, pa.Column(float, [pa.Check.ge(1), pa.Check.lt(10)]), None),
    "a check removed": (NUMBER, pa.Column(float, [pa.Check.ge(0)]), "less_than(10)"),
    "another check": (pa.Column(float), NUMBER, None),
    "may be missing": (NUMBER, pa.Column(float, NUMBER.checks, nullable=True), "a value may be missing"),
    "may repeat": (pa.Column(str, unique=True), pa.Column(str), "a value may repeat"),
    "more values": (pa.Column(str, pa.Check.isin(["a"])), pa.Column(str, pa.Check.isin(["a", "b"])), "isin(['a'])"),
    "fewer values": (pa.Column(str, pa.Check.isin(["a", "b"])), pa.Column(str, pa.Check.isin(["a"])), None),
    "another type": (pa.Column(int), pa.Column(float), "the type is float64, was int64"),
}


@pytest.mark.parametrize(("before", "after", "expected"), SCHEMAS.values(), ids=SCHEMAS)
def test_a_schema_that_accepts_more_is_looser(before: pa.Column, after: pa.Column, expected: str | None) -> None:
    """The change is described for each column."""
    reviewed = schema_strictness.find_loosened_checks(strict_schema(x=before), strict_schema(x=after))
    assert (expected in reviewed["x"]) if expected else reviewed == {}


def test_a_schema_without_a_column_is_looser() -> None:
    """A schema that is no longer strict is looser too."""
    before, after = strict_schema(x=NUMBER, y=NUMBER), pa.DataFrameSchema({"x": NUMBER})
    assert schema_strictness.find_loosened_checks(before, after) == {
        "strict": "columns outside the schema are accepted",
        "y": "the column is no longer in the schema",
    }


@pytest.fixture
def main(project: Project) -> Project:
    """A project with one commit on main."""
    project.commit()
    return project


def review_head(project: Project, before: str | None = None) -> ReviewedRules:
    """The rules that apply to HEAD."""
    return review(find_repository(project.root), before, None)


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
    """Two commits of one push count as one change, and the earlier rules apply."""
    before = head(main)
    loosen(main)
    main.commit()
    retrain(main)
    main.commit()
    reviewed = review_head(main, before)
    assert reviewed.review.together == ("floor.roc_auc: 0.6 → 0.5",)
    assert reviewed.config.gates.floor == {"roc_auc": 0.6}


def test_a_dispatch_is_judged_by_the_history(main: Project) -> None:
    """Without a push, the commit that did both is found in the history."""
    loosen(main)
    retrain(main)
    main.commit()
    (main.root / "NOTES.md").write_text("Text.\n")
    main.commit()
    reviewed = review_head(main)
    assert reviewed.review.together == ("floor.roc_auc: 0.6 → 0.5",)
    assert reviewed.config.gates.floor == {"roc_auc": 0.6}


def test_loosening_after_undoing_it_is_allowed(main: Project) -> None:
    """This is the advice of the gate's message."""
    loosen(main)
    retrain(main)
    main.commit()
    main.edit("model.toml", "roc_auc = 0.5", "roc_auc = 0.6")
    main.commit()
    loosen(main)
    before = head(main)
    main.commit()
    pushed = review_head(main, before)
    assert pushed.review.together == ()
    assert pushed.review.alone == ("floor.roc_auc: 0.6 → 0.5",)
    assert pushed.config.gates.floor == {"roc_auc": 0.6}, "a push that loosens a rule is judged by the earlier rules"
    later = review_head(main)
    assert later.review.together == ()
    assert later.config.gates.floor == {"roc_auc": 0.5}


def test_a_schema_is_a_rule_too(main: Project) -> None:
    """A schema that is loosened together with the data is refused."""
    before = head(main)
    main.edit("src/sample/schema.py", "le=10", "le=20")
    main.edit("model.toml", "[evaluation]", "[training]\nseed = 5\n\n[evaluation]")
    main.commit()
    (expected,) = review_head(main, before).review.together
    assert expected == "schema.py: x2: less_than_or_equal_to(10) is removed or looser"


def test_a_schema_can_be_loosened_alone(main: Project) -> None:
    """Otherwise a schema could never be loosened."""
    before = head(main)
    main.edit("src/sample/schema.py", "le=10", "le=20")
    main.commit()
    reviewed = review_head(main, before).review
    assert (reviewed.together, len(reviewed.alone)) == ((), 1)


def test_stricter_rules_apply_at_once(main: Project) -> None:
    """Other changes in the same push do not matter."""
    before = head(main)
    main.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.7")
    retrain(main)
    main.commit()
    reviewed = review_head(main, before)
    assert reviewed.review.together == ()
    assert reviewed.config.gates.floor == {"roc_auc": 0.7}


def test_the_first_push_has_no_earlier_commit(main: Project) -> None:
    """GitHub reports zeros."""
    assert review_head(main, "0" * 40).review.before is None


@pytest.mark.slow
def test_compare_uses_the_earlier_rules(at_stage: Callable[[str], Project]) -> None:
    """Once a version was promoted, the gate RULES refuses, and evidence.json has the rules that applied."""
    main = at_stage("promoted")
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


def test_review_warns_about_loosened_rules(main: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reviewers see a warning above the files, and a table."""
    main.git("update-ref", "refs/remotes/origin/main", "main")  # as in the clone of a job
    main.git("switch", "--create", "easier")
    loosen(main)
    main.commit()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = main.must("review")
    assert "::warning title=gitops::This change loosens floor.roc_auc." in result.out
    assert result.outputs["loosened"] == "1"


def test_review_without_loosened_rules_is_one_line(main: Project) -> None:
    """No output would look like a failure."""
    main.git("switch", "--create", "better")
    retrain(main)
    main.commit()
    assert "Nothing is loosened since" in main.must("review").out
