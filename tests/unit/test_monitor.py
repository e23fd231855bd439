"""`gitops monitor` on a machine without GitHub, on a prediction log with outcomes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from gitops_ml import config, logged
from gitops_ml.commands import decay
from gitops_ml.commands.alarms import settle
from gitops_ml.config import Split
from gitops_ml.errors import ForgeError
from gitops_ml.monitoring.alarms import Turn
from gitops_ml.monitoring.look import Told
from gitops_ml.monitoring.memory import Alarm, Memory, State
from gitops_ml.registry.record import Figure, Record
from gitops_ml.run import Lineage
from unit.issues import Issues
from unit.sample import Project, rows

if TYPE_CHECKING:
    from gitops_ml.commands.site import Site

WATCHED = '\n[log]\nsink = ".gitops/log"\nflush_seconds = 0.001\n\n[monitoring]\nsource = "log"\nminimum_rows = 100\n'


@pytest.fixture
def watched(at_stage: Callable[[str], Project]) -> Project:
    """A champion, and a model.toml that names the log as source."""
    made = at_stage("promoted")
    made.write("model.toml", (made.root / "model.toml").read_text() + WATCHED)
    made.commit("Watch")
    return made


def serve(project: Project, number: int, *, shift: float = 0, right: float = 1) -> None:
    """So many rows are answered, and the truth is told; as many answers as the share says are right."""
    now, name = datetime.now(UTC), f"{datetime.now(UTC):%H%M%S%f}"
    frame = rows(number, seed=int(name)).drop(columns=["id"])
    frame["x1"] += shift
    truth = frame.pop("label")
    likely = np.where((truth == "yes") == (np.arange(number) < right * number), 0.8, 0.2)
    likely += np.random.default_rng(int(name)).uniform(-0.19, 0.19, number)
    named: dict[str, Any] = {logged.REQUEST: [f"{name}-{i}" for i in range(number)], logged.ROW: 0, logged.TIME: now}
    said: dict[str, Any] = {
        logged.VERSION: "1",
        logged.PREDICTION: np.where(likely > 0.5, "yes", "no"),
        logged.WATCHED: likely,
    }
    write(project, logged.PREDICTIONS, name, frame.assign(**{**named, **said}))
    write(project, logged.OUTCOMES, name, frame[[]].assign(**{**named, logged.OUTCOME: truth}))


def write(project: Project, kind: str, name: str, frame: Any) -> None:
    """One file of the log."""
    folder = project.root / ".gitops" / "log" / kind / f"{logged.DAY}{datetime.now(UTC):%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_parquet(folder / f"{name}.parquet", index=False)


def newest(project: Project) -> dict[str, Any]:
    """The last window, by key of each finding."""
    found = json.loads((project.root / ".gitops" / "monitoring" / "window.json").read_text())
    return {
        f"{each['kind']}: {each['subject']}" if each["subject"] else each["kind"]: each for each in found["findings"]
    }


def test_decay_is_found_where_the_truth_was_told(watched: Project) -> None:
    """Measured as training measures, with an interval, against what the record says; people are told how to train."""
    serve(watched, 400, right=0.9)
    assert watched.must("monitor", "--now").code == 0
    assert newest(watched)["performance decay: roc_auc"]["verdict"] == "ok"
    for _ in range(2):
        serve(watched, 400, right=0.3)
        told = watched.must("monitor", "--now").out
    found = newest(watched)["performance decay: roc_auc"]
    assert found["verdict"] == "alarm"
    assert found["low"] < found["value"] < found["high"] < found["alarm"]
    assert "performance decay: roc_auc" in told
    assert "no new labelled rows since version 1" in told


def test_drift_is_found_in_the_log(watched: Project) -> None:
    """In the column that moved, and in no other."""
    serve(watched, 400, shift=0.8)
    watched.must("monitor", "--now")
    drifting = [key for key, finding in newest(watched).items() if finding["verdict"] == "alarm" and "data" in key]
    assert drifting == ["data drift: x1"]


def test_nothing_is_watched_unless_model_toml_says_so(at_stage: Callable[[str], Project]) -> None:
    """A sentence, and no failure."""
    assert "Nothing is watched" in at_stage("proposed").must("monitor").out


def test_without_a_champion_there_is_nothing_to_watch(at_stage: Callable[[str], Project]) -> None:
    """Before the first promotion."""
    made = at_stage("registered")
    made.write("model.toml", (made.root / "model.toml").read_text() + WATCHED)
    assert "Nothing serves in production yet" in made.must("monitor").out


def test_run_again_at_once_nothing_is_judged(watched: Project) -> None:
    """The window has hardly begun; the store's branch stays as it is."""
    serve(watched, 400)
    watched.must("monitor")
    tip = watched.git("rev-parse", "mlflow")
    assert "already" in watched.must("monitor").out
    assert watched.git("rev-parse", "mlflow") == tip


def test_no_model_file_is_opened_and_no_code_of_yours_imported(watched: Project) -> None:
    """The job holds a pen."""
    serve(watched, 400)
    watched.write("src/sample/__init__.py", "raise RuntimeError\n")
    assert watched.must("monitor").code == 0


def test_what_somebody_put_on_the_branch_is_refused_in_a_sentence(watched: Project, tmp_path: Path) -> None:
    """With where it is, and how to go back."""
    serve(watched, 400)
    watched.must("monitor")
    watched.git("worktree", "add", "--quiet", str(tmp_path / "store"), "mlflow")
    (tmp_path / "store" / "monitoring" / "production.state.json").write_text('{"digest": 1}')
    watched.git("-C", str(tmp_path / "store"), "commit", "--quiet", "--all", "--message", "Oops")
    watched.git("worktree", "remove", str(tmp_path / "store"))
    refused = watched.gitops("monitor")
    assert refused.code == 11
    assert "monitoring/production on the store branch: digest" in refused.err


@pytest.mark.parametrize(("stage", "source"), [("proposed", "none"), ("registered", "log")])
def test_where_nothing_is_watched_no_alarm_stays_open(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, stage: str, source: str
) -> None:
    """Nobody would close it any more; it needs GitHub only where there is a token."""
    made, issues = at_stage(stage), Issues()
    issues.send("POST", "/issues", {"title": "Slow requests in production", "body": ""})
    if source == "log":
        made.write("model.toml", (made.root / "model.toml").read_text() + WATCHED)
    monkeypatch.setenv("GITHUB_TOKEN", "t")
    monkeypatch.setattr("gitops_ml.commands.site.connect", lambda _: issues)
    assert "issues/1" in made.must("monitor").out
    assert issues.there[0]["state"] == "closed"


def test_what_hinders_a_training_does_not_hide_the_issue(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The issue says that nobody could find out, and the run is red."""

    def fail(*_: object) -> None:
        raise ForgeError("GitHub failed at GET /pulls.", "Run it again.")

    monkeypatch.setattr("gitops_ml.commands.alarms._chance", fail)
    issues, said = Issues(), list[str]()
    site = SimpleNamespace(
        repository=config.find(project.root), environment="production", github=issues, say=said.append,
        again=lambda what, *given: what(*given),
    )  # fmt: skip
    alarms = {"data drift: x1": Alarm(since=datetime.now(UTC))}
    turn = Turn(Memory((), State(digest="d", alarms=alarms)))
    with pytest.raises(ForgeError):
        settle(cast("Site", site), record("accuracy", ("a", "b")), turn, {})
    assert "could not find out: GitHub failed at GET /pulls." in issues.there[0]["body"]


def record(metric: str, classes: tuple[str | int | bool, ...]) -> Record:
    """That promises something."""
    lineage = Lineage(
        commit=None, dirty=False, data="d", rows=2, holdout="h", holdout_rows=1,
        split=Split(method="hash", column="id", holdout=0.5), training="t", configuration="c", lock=None,
        python="3.11", libraries={},
    )  # fmt: skip
    return Record(
        environment="production", model="m", version="1", release="1.0.0", digest="d", image=None, run="r", columns={},
        classes=classes, figure=Figure(metric=metric, value=1, baseline=0, champion=None), lineage=lineage,
    )  # fmt: skip


def test_labels_are_measured_whatever_they_are(watched: Project) -> None:
    """The log has them as text; the positive class's probability stands on the right side."""
    repository, truth = config.find(watched.root), np.array(["10", "9", "9", "10"] * 50, dtype=object)
    likely = np.where(truth == "10", 0.9, 0.1)
    measured = decay.promise(repository, record("roc_auc", (9, 10))).measure(Told(truth, truth, likely))
    assert measured
    assert measured.value == 1
    floats = np.array([10.0, 9.0, 9.0, 10.0] * 50)
    measured = decay.promise(repository, record("accuracy", (9, 10))).measure(Told(floats, truth, likely))
    assert measured
    assert measured.value == 1


def test_of_three_classes_the_log_does_not_know_the_probabilities(watched: Project) -> None:
    """So roc_auc cannot be measured there, and accuracy can."""
    repository, truth = config.find(watched.root), np.array(["a", "b", "c"] * 50, dtype=object)
    told = Told(truth, truth, truth)
    assert decay.promise(repository, record("roc_auc", ("a", "b", "c"))).measure(told) is None
    accuracy = decay.promise(repository, record("accuracy", ("a", "b", "c")))
    assert accuracy.measure(told)
    assert not accuracy.relative
    assert decay.promise(repository, record("mae", ())).relative
    numbers = np.arange(100.0)
    measured = decay.promise(repository, record("mae", ())).measure(Told(numbers, numbers + 1, numbers))
    assert measured
    assert measured.value == 1
