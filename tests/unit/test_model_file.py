"""Model files: only types that the repository trusts are loaded."""

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

UNTRUSTED = '''
from pathlib import Path

from sklearn.base import BaseEstimator


class Untrusted(BaseEstimator):
    """Write a file when the object is loaded."""

    def __init__(self, trace=""):
        self.trace = trace

    def fit(self, rows, labels):
        return self

    def predict(self, rows):
        return [0.0] * len(rows)

    def __setstate__(self, state):
        Path(state["trace"]).write_text("loaded")
        super().__setstate__(state)
'''
TYPE = "untrusted.Untrusted"


@pytest.fixture
def untrusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline with an untrusted type, which writes a file when it is loaded."""
    (tmp_path / "untrusted.py").write_text(UNTRUSTED)
    monkeypatch.syspath_prepend(tmp_path)
    estimator: Any = importlib.import_module("untrusted").Untrusted
    yield Pipeline([("estimator", estimator(str(tmp_path / "trace")).fit(ROWS, LABELS))])
    del sys.modules["untrusted"]


ESTIMATORS = {
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
@pytest.mark.parametrize("estimator", ESTIMATORS.values(), ids=ESTIMATORS)
def test_estimators_of_scikit_learn_are_trusted(tmp_path: Path, estimator: Any) -> None:
    """The loaded model returns the same predictions."""
    model = Pipeline([("scaled", StandardScaler()), ("estimator", estimator)]).fit(ROWS, LABELS)
    model_file.save_model(model, tmp_path / "model.skops", ())
    loaded = model_file.load_model(tmp_path / "model.skops", ())
    assert (loaded.predict(ROWS) == model.predict(ROWS)).all()


def test_an_untrusted_type_is_not_saved(tmp_path: Path, untrusted: Pipeline) -> None:
    """Training fails, before a deployment would; the message names the type, and the key that trusts it."""
    with pytest.raises(ConfigError) as caught:
        model_file.save_model(untrusted, tmp_path / "model.skops", ())
    assert TYPE in caught.value.problem
    assert "`trusted_types` under [serving] in model.toml" in caught.value.next_step


def test_an_untrusted_type_is_not_loaded(tmp_path: Path, untrusted: Pipeline) -> None:
    """The file is refused before an object is created."""
    skops.io.dump(untrusted, tmp_path / "model.skops")
    with pytest.raises(IntegrityError, match=f"not allowed: {TYPE}. It was not loaded"):
        model_file.load_model(tmp_path / "model.skops", ())
    assert not (tmp_path / "trace").exists()


def test_a_trusted_type_is_loaded(tmp_path: Path, untrusted: Pipeline) -> None:
    """The same file, with its type in `trusted_types`."""
    model_file.save_model(untrusted, tmp_path / "model.skops", (TYPE,))
    model_file.load_model(tmp_path / "model.skops", (TYPE,))
    assert (tmp_path / "trace").read_text() == "loaded"


def test_only_the_named_type_is_trusted(tmp_path: Path, untrusted: Pipeline) -> None:
    """Names of the module or of another type do not count."""
    skops.io.dump(untrusted, tmp_path / "model.skops")
    with pytest.raises(IntegrityError):
        model_file.load_model(tmp_path / "model.skops", ("untrusted.Other", "untrusted"))
