"""Tests of `gitops monitor` without GitHub, on a prediction log with outcomes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from gitops_ml import config, prediction_log
from gitops_ml.commands import decay_measurement
from gitops_ml.commands.alarm_actions import act_on_alarms
from gitops_ml.config import SplitConfig
from gitops_ml.errors import ForgeError
from gitops_ml.monitoring.alarm_changes import AlarmChanges
from gitops_ml.monitoring.monitoring_history import ActiveAlarm, MonitoringHistory, MonitoringState
from gitops_ml.monitoring.performance_decay import PromotedMetric
from gitops_ml.monitoring.snapshot import LabeledPredictions
from gitops_ml.registry.record import PromotionMetric, Record
from gitops_ml.run import Lineage
from unit.fake_issues import FakeIssues
from unit.sample import Project, make_rows

if TYPE_CHECKING:
    from gitops_ml.commands.deploy_context import DeployContext

LOG_SOURCE = (
    '\n[log]\nsink = ".gitops/log"\nflush_seconds = 0.001\n\n[monitoring]\nsource = "log"\nminimum_rows = 100\n'
)


@pytest.fixture
def monitored(at_stage: Callable[[str], Project]) -> Project:
    """Return a project with a champion, monitored from the prediction log."""
    made = at_stage("promoted")
    made.write("model.toml", (made.root / "model.toml").read_text() + LOG_SOURCE)
    made.commit("Turn on monitoring")
    return made


def write_predictions(project: Project, number: int, *, shift: float = 0, accuracy: float = 1) -> None:
    """Write logged predictions and outcomes with the given number of rows and accuracy."""
    now, name = datetime.now(UTC), f"{datetime.now(UTC):%H%M%S%f}"
    frame = make_rows(number, seed=int(name)).drop(columns=["id"])
    frame["x1"] += shift
    labels = frame.pop("label")
    probability = np.where((labels == "yes") == (np.arange(number) < accuracy * number), 0.8, 0.2)
    probability += np.random.default_rng(int(name)).uniform(-0.19, 0.19, number)
    keys: dict[str, Any] = {
        prediction_log.REQUEST: [f"{name}-{i}" for i in range(number)],
        prediction_log.ROW: 0,
        prediction_log.TIME: now,
    }
    predictions: dict[str, Any] = {
        prediction_log.VERSION: "1",
        prediction_log.PREDICTION: np.where(probability > 0.5, "yes", "no"),
        prediction_log.MONITORED: probability,
    }
    write(project, prediction_log.PREDICTIONS, name, frame.assign(**{**keys, **predictions}))
    write(project, prediction_log.OUTCOMES, name, frame[[]].assign(**{**keys, prediction_log.OUTCOME: labels}))


def write(project: Project, kind: str, name: str, frame: Any) -> None:
    """Write one file of the log."""
    folder = project.root / ".gitops" / "log" / kind / f"{prediction_log.DAY_PREFIX}{datetime.now(UTC):%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / f"{name}.parquet", index=False)


def newest(project: Project) -> dict[str, Any]:
    """Return the findings of the last window by key."""
    window = json.loads((project.root / ".gitops" / "monitoring" / "window.json").read_text())
    return {
        f"{each['kind']}: {each['subject']}" if each["subject"] else each["kind"]: each for each in window["findings"]
    }


@pytest.mark.slow
def test_decay_is_found_with_outcomes(monitored: Project) -> None:
    """The metric is compared with the record's, with an interval; the output says how to train."""
    write_predictions(monitored, 400, accuracy=0.9)
    assert monitored.must("monitor", "--now").code == 0
    assert newest(monitored)["performance decay: roc_auc"]["verdict"] == "ok"
    for _ in range(2):
        write_predictions(monitored, 400, accuracy=0.3)
        output = monitored.must("monitor", "--now").out
    finding = newest(monitored)["performance decay: roc_auc"]
    assert finding["verdict"] == "alarm"
    assert finding["low"] < finding["value"] < finding["high"] < finding["alarm"]
    assert "performance decay: roc_auc" in output
    assert "no new labelled rows since version 1" in output


def test_drift_is_found_in_the_log(monitored: Project) -> None:
    """Only the shifted column has data drift."""
    write_predictions(monitored, 400, shift=0.8)
    monitored.must("monitor", "--now")
    drifting = [key for key, finding in newest(monitored).items() if finding["verdict"] == "alarm" and "data" in key]
    assert drifting == ["data drift: x1"]


def test_monitoring_is_off_by_default(at_stage: Callable[[str], Project]) -> None:
    """A message says so, and the command succeeds."""
    assert "Monitoring is off" in at_stage("proposed").must("monitor").out


def test_monitor_without_champion(at_stage: Callable[[str], Project]) -> None:
    """A message says before the first promotion that no version serves."""
    made = at_stage("registered")
    made.write("model.toml", (made.root / "model.toml").read_text() + LOG_SOURCE)
    assert "No version serves in production yet" in made.must("monitor").out


@pytest.mark.slow
def test_second_run_judges_no_incomplete_window(monitored: Project) -> None:
    """The store's branch is not changed before the next window is complete."""
    write_predictions(monitored, 400)
    monitored.must("monitor")
    tip = monitored.git("rev-parse", "mlflow")
    assert "already" in monitored.must("monitor").out
    assert monitored.git("rev-parse", "mlflow") == tip


def test_user_code_is_not_imported(monitored: Project) -> None:
    """The job has write access, so it must not run code of the user."""
    write_predictions(monitored, 400)
    monitored.write("src/sample/__init__.py", "raise RuntimeError\n")
    assert monitored.must("monitor").code == 0


def test_invalid_state_on_store_branch_is_error(monitored: Project, tmp_path: Path) -> None:
    """The message names the file on the branch and the invalid key."""
    write_predictions(monitored, 400)
    monitored.must("monitor")
    monitored.git("worktree", "add", "--quiet", str(tmp_path / "store"), "mlflow")
    (tmp_path / "store" / "monitoring" / "production.state.json").write_text('{"digest": 1}')
    monitored.git("-C", str(tmp_path / "store"), "commit", "--quiet", "--all", "--message", "Oops")
    monitored.git("worktree", "remove", str(tmp_path / "store"))
    refused = monitored.gitops("monitor")
    assert refused.code == 11
    assert "monitoring/production on the store branch: digest" in refused.err


@pytest.mark.parametrize(("stage", "source"), [("proposed", "none"), ("registered", "log")])
def test_alarm_issue_is_closed_when_monitoring_is_off(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, stage: str, source: str
) -> None:
    """Issues are closed when monitoring is off or no version serves; GitHub is used only with a token."""
    made, issues = at_stage(stage), FakeIssues()
    issues.send("POST", "/issues", {"title": "Slow requests in production", "body": ""})
    if source == "log":
        made.write("model.toml", (made.root / "model.toml").read_text() + LOG_SOURCE)
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setattr("gitops_ml.commands.deploy_context.connect", lambda _: issues)
    assert "issues/1" in made.must("monitor").out
    assert issues.issues[0]["state"] == "closed"


def test_issue_is_kept_when_training_cannot_be_started(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The issue names the error, and the command fails."""

    def fail(*_: object) -> None:
        raise ForgeError("GitHub failed at GET /pulls.", "Run it again.")

    monkeypatch.setattr("gitops_ml.commands.alarm_actions._load_prospects", fail)
    issues, messages = FakeIssues(), list[str]()
    context = SimpleNamespace(
        repository=config.find_repository(project.root), environment="production", github=issues,
        announce=messages.append, retry=lambda action, *arguments: action(*arguments),
    )  # fmt: skip
    alarms = {"data drift: x1": ActiveAlarm(since=datetime.now(UTC))}
    changes = AlarmChanges(MonitoringHistory((), MonitoringState(digest="d", alarms=alarms)))
    with pytest.raises(ForgeError):
        act_on_alarms(cast("DeployContext", context), record("accuracy", ("a", "b")), changes, {})
    assert "could not determine whether a training would help: GitHub failed at GET /pulls." in issues.issues[0]["body"]


def record(metric: str, classes: tuple[str | int | bool, ...]) -> Record:
    """Return a record with the expected metric."""
    lineage = Lineage(
        commit=None, dirty=False, data="d", rows=2, holdout="h", holdout_rows=1,
        split=SplitConfig(method="hash", column="id", holdout=0.5), training="t", configuration="c", lock=None,
        python="3.11", libraries={},
    )  # fmt: skip
    return Record(
        environment="production", model="m", version="1", release="1.0.0", digest="d", image=None, run="r", columns={},
        classes=classes, figure=PromotionMetric(metric=metric, value=1, baseline=0, champion=None), lineage=lineage,
    )  # fmt: skip


def expected_performance(
    repository: config.Repository, metric: str, classes: tuple[str | int | bool, ...]
) -> PromotedMetric:
    """Return the expected performance by a record with this metric and these classes."""
    return decay_measurement.load_expected_performance(repository, record(metric, classes))


def test_performance_is_measured_for_labels_of_any_type(monitored: Project) -> None:
    """Labels are text in the log; the probability belongs to the positive class."""
    repository, labels = config.find_repository(monitored.root), np.array(["10", "9", "9", "10"] * 50, dtype=object)
    probability = np.where(labels == "10", 0.9, 0.1)
    measured = expected_performance(repository, "roc_auc", (9, 10)).measure(
        LabeledPredictions(labels, labels, probability)
    )
    assert measured
    assert measured.value == 1
    floats = np.array([10.0, 9.0, 9.0, 10.0] * 50)
    measured = expected_performance(repository, "accuracy", (9, 10)).measure(
        LabeledPredictions(floats, labels, probability)
    )
    assert measured
    assert measured.value == 1


def test_performance_is_measured_for_booleans(monitored: Project) -> None:
    """The probability belongs to `positive`, true or false, whose text the log has."""
    labels = np.array(["True", "False"] * 100, dtype=object)
    for positive in ("true", "false"):
        monitored.edit("model.toml", 'positive = "yes"', f"positive = {positive}")
        repository = config.find_repository(monitored.root)
        probability = np.where(labels == positive.capitalize(), 0.9, 0.1)
        measured = expected_performance(repository, "roc_auc", (False, True)).measure(
            LabeledPredictions(labels, labels, probability)
        )
        assert measured
        assert measured.value == 1
        monitored.edit("model.toml", f"positive = {positive}", 'positive = "yes"')


def test_roc_auc_is_not_measured_for_three_classes(monitored: Project) -> None:
    """The log has no probabilities of three classes, so only metrics of labels are measured."""
    repository, labels = config.find_repository(monitored.root), np.array(["a", "b", "c"] * 50, dtype=object)
    predictions = LabeledPredictions(labels, labels, labels)
    assert expected_performance(repository, "roc_auc", ("a", "b", "c")).measure(predictions) is None
    accuracy = expected_performance(repository, "accuracy", ("a", "b", "c"))
    assert accuracy.measure(predictions)
    assert not accuracy.is_relative
    assert expected_performance(repository, "mae", ()).is_relative
    assert expected_performance(repository, "log_loss", ("no", "yes")).is_relative
    numbers = np.arange(100.0)
    measured = expected_performance(repository, "mae", ()).measure(LabeledPredictions(numbers, numbers + 1, numbers))
    assert measured
    assert measured.value == 1
