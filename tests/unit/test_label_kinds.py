"""Labels and columns that are not plain words, from training to alarms: booleans, accents, spaces, three labels."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from prometheus_client.parser import text_string_to_metric_families

from unit.http_caller import to_records
from unit.logged_service import logging_to
from unit.sample import Project, make_rows

pytestmark = pytest.mark.slow
X1, KIND = "x 1 (été)", "the kind; of “it”"
SLICES = f"""
[slices]
"big ones, été" = "`{X1}` > 0.5"
"a à risque" = "`{KIND}` == 'a'"
"""
MONITORING = """
[log]
sink = ".gitops/log"
flush_seconds = 0.001

[monitoring]
source = "log"
minimum_rows = 100
"""
THREE = ("élevé, très « fort »", "moyen = 50 %", "pas de risque")
RULE = 'isin=["yes", "no"]'


def label_rows(rows: pd.DataFrame, labels: tuple[Any, ...]) -> pd.DataFrame:
    """Return rows with other labels, which depend on x1 and x2, and with columns that have spaces in their names."""
    noise = np.random.default_rng(len(rows)).normal(size=len(rows))
    score = rows["x1"] + 2 * rows["x2"] + noise
    codes = np.digitize(score, [0] if len(labels) == 2 else [-1, 1])
    changed = rows.assign(label=np.array(labels, dtype=object)[codes])
    return changed.rename(columns={"x1": X1, "kind": KIND})


def make_variant(project: Project, labels: tuple[Any, ...], positive: str, column: str) -> None:
    """Give the sample these labels, columns with spaces, slices on them, and monitoring from the prediction log."""
    project.edit("src/sample/schema.py", "    x1: float\n", f"    x1: float = pa.Field(alias={X1!r})\n")
    project.edit("src/sample/schema.py", "    kind: str = pa.Field(", f"    kind: str = pa.Field(alias={KIND!r}, ")
    project.edit("src/sample/schema.py", f"label: str = pa.Field({RULE})", column)
    project.edit("src/sample/features.py", '["x1"]', f"[{X1!r}]")
    project.edit("model.toml", 'positive = "yes"\n', positive)
    fairness = f"[gates.fairness]\nattributes = [{json.dumps(KIND, ensure_ascii=False)}]\n"
    project.edit("model.toml", "[evaluation]", f"{SLICES}\n{fairness}\n[evaluation]")
    project.edit("model.toml", "[gates]", '[gates]\noff = ["CALIBRATION"]')
    project.write("model.toml", (project.root / "model.toml").read_text(encoding="utf-8") + MONITORING)
    project.write_data(label_rows(make_rows(900), labels))
    project.git("add", "--all")
    project.git("commit", "--quiet", "--amend", "--no-edit")


VARIANTS: dict[str, tuple[tuple[Any, ...], str, str, str]] = {
    "a boolean": ((False, True), "positive = true\n", "label: bool", "roc_auc"),
    "three labels": (THREE, "", f"label: str = pa.Field(isin={list(THREE)!r})", "balanced_accuracy"),
}


@pytest.mark.parametrize(("labels", "positive", "column", "metric"), VARIANTS.values(), ids=VARIANTS)
def test_labels_of_any_kind_are_monitored_and_compared(
    project: Project, labels: tuple[Any, ...], positive: str, column: str, metric: str
) -> None:
    """The champion serves and is monitored with its outcomes; a challenger is compared with it, also on the slices."""
    make_variant(project, labels, positive, column)
    project.edit("model.toml", 'metric = "roc_auc"', f'metric = "{metric}"')
    project.edit("model.toml", "roc_auc = 0.6", f"{metric} = 0.4")
    project.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    project.promote()
    assert_counted(project, labels)
    send(project, labels, shift=0.0, right=True)
    project.must("monitor", "--now")
    assert verdicts(project)[f"performance decay: {metric}"] == "ok"
    assert verdicts(project)[f"data drift: {X1}"] == "ok"
    for _ in range(2):
        send(project, labels, shift=2.0, right=False)
        alarm = project.must("monitor", "--now").out
    assert verdicts(project)[f"performance decay: {metric}"] == "alarm"
    assert verdicts(project)[f"data drift: {X1}"] == "alarm"
    assert X1 in alarm
    project.edit("src/sample/features.py", f"[{X1!r}]", f"[{X1!r}, 'x2']")
    project.commit("Use x2")
    for command in ("train", "register", "compare"):
        project.must(command)
    assert_compared(project)


def assert_counted(project: Project, labels: tuple[Any, ...]) -> None:
    """/metrics can be parsed, and has each row once in the bins of each column."""
    rows = label_rows(make_rows(120, seed=5), labels).drop(columns=["id", "label"])
    with logging_to(project, "memory://counted/log") as (caller, _):
        assert caller.predict_rows(*to_records(rows)).status == 200
        metrics = caller.request("/metrics").body.decode()
    families = {family.name: family for family in text_string_to_metric_families(metrics)}
    features = next(family for family in families.values() if any("column" in s.labels for s in family.samples))
    samples = [sample for sample in features.samples if sample.name.endswith("_total")]
    counted = pd.Series({(each.labels["column"], each.labels["bin"]): each.value for each in samples})
    totals = counted.groupby(level=0).sum()
    assert set(totals.index) >= {X1, KIND}
    assert (totals == 120).all()


def send(project: Project, labels: tuple[Any, ...], *, shift: float, right: bool) -> None:
    """Request predictions of 600 rows from a service with a log, and send their outcomes."""
    rows = label_rows(make_rows(600, seed=7), labels)
    rows[X1] += shift
    following = dict(zip(labels, (*labels[1:], labels[0]), strict=True))
    outcomes = [label if right else following[label] for label in rows["label"]]
    with logging_to(project, str(project.root / ".gitops" / "log"), flush_seconds=0.01) as (caller, _):
        predicted = caller.predict_rows(*to_records(rows.drop(columns=["id", "label"]))).json
        items = [{"request_id": predicted["request_id"], "row": row, "outcome": outcome}
                 for row, outcome in enumerate(outcomes)]  # fmt: skip
        body = json.dumps({"outcomes": items}, ensure_ascii=False).encode()
        answer = caller.request(
            "/outcomes", body, "POST", content_type="application/json", authorization="Bearer truth"
        )
        assert answer.status == 202, answer.body


def verdicts(project: Project) -> dict[str, str]:
    """Return the verdict of each finding of the last window."""
    window = json.loads((project.root / ".gitops" / "monitoring" / "window.json").read_text(encoding="utf-8"))
    return {f"{each['kind']}: {each['subject']}": each["verdict"] for each in window["findings"]}


def assert_compared(project: Project) -> None:
    """The challenger is better than the champion, every figure is a number, and the slices are judged."""
    comparison = json.loads((project.root / ".gitops/comparison/comparison.json").read_text(encoding="utf-8"))
    gates = {gate["id"]: gate["verdict"] for gate in comparison["gates"]}
    assert comparison["champion"] is not None
    assert nan_keys(comparison) == []
    assert (comparison["verdict"], gates["SLICES"], gates["FAIRNESS"]) == ("promote", "passed", "passed")


def nan_keys(value: Any, path: str = "") -> list[str]:
    """Return the paths of numbers that are NaN."""
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [found for key, each in items for found in nan_keys(each, f"{path}/{key}")]
    return [path] if isinstance(value, float) and np.isnan(value) else []
