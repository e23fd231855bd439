"""Model files: only types that the repository trusts are ever opened."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn import ensemble, linear_model, neighbors, neural_network, svm, tree
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from gitops_ml import model_file
from gitops_ml.errors import ConfigError, IntegrityError

ROWS = np.random.default_rng(0).normal(size=(60, 2))
LABELS = np.where(ROWS[:, 0] > 0, "yes", "no")

STRANGER = '''
from pathlib import Path

from sklearn.base import BaseEstimator


class Stranger(BaseEstimator):
    """Leaves a trace when it is opened."""

    def __init__(self, trace=""):
        self.trace = trace

    def fit(self, rows, truth):
        return self

    def predict(self, rows):
        return [0.0] * len(rows)

    def __setstate__(self, state):
        Path(state["trace"]).write_text("opened")
        super().__setstate__(state)
'''
TYPE = "stranger.Stranger"


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline with a type that nobody trusts, which shows when it is opened."""
    (tmp_path / "stranger.py").write_text(STRANGER)
    monkeypatch.syspath_prepend(tmp_path)
    kind: Any = importlib.import_module("stranger").Stranger
    yield Pipeline([("estimator", kind(str(tmp_path / "trace")).fit(ROWS, LABELS))])
    del sys.modules["stranger"]


OPENED = {
    "logistic regression": linear_model.LogisticRegression(),
    "ridge": linear_model.RidgeClassifier(),
    "stochastic gradient descent": linear_model.SGDClassifier(loss="log_loss"),
    "decision tree": tree.DecisionTreeClassifier(),
    "random forest": ensemble.RandomForestClassifier(5),
    "gradient boosting": ensemble.GradientBoostingClassifier(n_estimators=5),
    "histogram gradient boosting": ensemble.HistGradientBoostingClassifier(max_iter=5),
    "nearest neighbours": neighbors.KNeighborsClassifier(),
    "support vectors": svm.SVC(),
    "neural network": neural_network.MLPClassifier((4,), max_iter=5),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("estimator", OPENED.values(), ids=OPENED)
def test_scikit_learns_estimators_need_no_trust_of_yours(tmp_path: Path, estimator: Any) -> None:
    """What was saved says the same when it is opened again."""
    model = Pipeline([("scaled", StandardScaler()), ("estimator", estimator)]).fit(ROWS, LABELS)
    model_file.save(model, tmp_path / "model.skops", ())
    again = model_file.load(tmp_path / "model.skops", ())
    assert (again.predict(ROWS) == model.predict(ROWS)).all()


def test_a_type_that_is_not_trusted_is_not_saved(tmp_path: Path, stranger: Pipeline) -> None:
    """Better known at training than at deployment; the sentence names it and where to trust it."""
    with pytest.raises(ConfigError) as caught:
        model_file.save(stranger, tmp_path / "model.skops", ())
    assert TYPE in caught.value.what
    assert "`trusted_types` under [serving] in model.toml" in caught.value.next


def test_a_type_that_is_not_trusted_is_not_opened(tmp_path: Path, stranger: Pipeline) -> None:
    """The file is refused as it lies there: its object is never made."""
    skops.io.dump(stranger, tmp_path / "model.skops")
    with pytest.raises(IntegrityError, match=f"not allowed: {TYPE}. It was not opened"):
        model_file.load(tmp_path / "model.skops", ())
    assert not (tmp_path / "trace").exists()


def test_a_type_of_yours_is_opened_when_you_trust_it(tmp_path: Path, stranger: Pipeline) -> None:
    """The same file, with its type in `trusted_types`."""
    model_file.save(stranger, tmp_path / "model.skops", (TYPE,))
    model_file.load(tmp_path / "model.skops", (TYPE,))
    assert (tmp_path / "trace").read_text() == "opened"


def test_trust_is_for_the_named_type_alone(tmp_path: Path, stranger: Pipeline) -> None:
    """Another one's name opens nothing."""
    skops.io.dump(stranger, tmp_path / "model.skops")
    with pytest.raises(IntegrityError):
        model_file.load(tmp_path / "model.skops", ("stranger.Other", "stranger"))
