"""The interval of a gain: the paired bootstrap's, whatever is done to have it fast."""

from typing import Any

import numpy as np
import pytest

from gitops_ml.config import REGRESSION, Config, parse
from gitops_ml.predictions import Predictions
from gitops_ml.training import gain as module
from gitops_ml.training.gain import gain
from gitops_ml.training.metrics import CLASSIFICATION, measure, orient
from unit.sample import MODEL_TOML

Array = np.ndarray[Any, Any]
ROWS = 300
TWO, THREE = ("no", "yes"), ("a", "b", "c")


def configured(metric: str, resamples: int = 100) -> Config:
    """The sample's, with this metric."""
    config = parse(MODEL_TOML)
    return config.model_copy(
        update={
            "evaluation": config.evaluation.model_copy(update={"metric": metric}),
            "data": config.data.model_copy(update={"positive": None}),
            "gates": config.gates.model_copy(update={"resamples": resamples}),
        }
    )


def says(truth: Array, classes: tuple[str, ...], seed: int) -> Predictions:
    """What a model says that knows something of the truth; a number where there are no classes."""
    rng = np.random.default_rng(seed)
    if not classes:
        return Predictions(truth + rng.normal(size=len(truth)), None, ())
    raw = rng.random((len(truth), len(classes))) + 0.5 * (truth[:, None] == np.asarray(classes))
    return Predictions(np.asarray(classes)[raw.argmax(axis=1)], raw / raw.sum(axis=1, keepdims=True), classes)


def three(classes: tuple[str, ...]) -> tuple[Array, Predictions, Predictions]:
    """The truth, and what two models say."""
    rng = np.random.default_rng(0)
    truth = rng.choice(np.asarray(classes), ROWS) if classes else rng.normal(size=ROWS)
    return truth, says(truth, classes, 1), says(truth, classes, 2)


EVERY = [(metric, classes) for metric in CLASSIFICATION for classes in (TWO, THREE)] + [(m, ()) for m in REGRESSION]


@pytest.mark.parametrize(("metric", "classes"), EVERY)
def test_it_does_not_matter_how_many_are_measured_at_once(
    metric: str, classes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large holdout is resampled one by one, for the sake of memory; to the last digit the interval is the same."""
    together = gain(configured(metric), *three(classes))
    for few in (1, 7 * ROWS):
        monkeypatch.setattr(module, "AT_ONCE", few)
        assert gain(configured(metric), *three(classes)) == together


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "classes"), EVERY)
def test_it_is_the_interval_of_the_plain_bootstrap(metric: str, classes: tuple[str, ...]) -> None:
    """Rows drawn one by one, and measured by scikit-learn, spread the gain as wide and around the same place."""
    truth, ours, theirs = three(classes)
    rows = np.random.default_rng(9).integers(0, ROWS, (400, ROWS))
    plain = orient(metric, 1.0) * np.array(
        [measure(metric, truth[row], ours.take(row)) - measure(metric, truth[row], theirs.take(row)) for row in rows]
    )
    found = gain(configured(metric, resamples=4_000), truth, ours, theirs)
    tail = module._tail(0.025, ROWS, 4_000)
    low, high = np.quantile(plain, [tail, 1 - tail])
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.4 * plain.std())
    assert found.low < found.point < found.high


def test_luck_in_resampling_promotes_nobody() -> None:
    """Whoever is no better is let pass less often than the level says, and nearly as often with many resamples."""
    tails = [module._tail(0.025, 5_000, resamples) for resamples in (100, 1_000, 10_000, 1_000_000)]
    assert tails == sorted(tails)
    assert [round(tail, 4) for tail in tails] == [0.0099, 0.017, 0.0224, 0.0247]


@pytest.mark.parametrize("block", [70, 300, 1 << 16])
def test_each_row_is_drawn_as_often_as_any_other(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many draws as rows, each once on average and with the spread of chance, whatever the blocks they fall into."""
    monkeypatch.setattr(module, "BLOCK", block)
    rng, many = np.random.default_rng(4), 2_000
    counts = np.stack([module._drawn(ROWS, rng) for _ in range(many)])
    assert (counts.sum(axis=1) == ROWS).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(ROWS), abs=5 / np.sqrt(many))
    assert counts.var(axis=0).mean() == pytest.approx(1 - 1 / ROWS, abs=0.02)


def test_to_a_metric_on_labels_rows_with_the_same_labels_are_one() -> None:
    """Each kind with the number of its rows; eight at most for two classes."""
    truth, ours, theirs = three(TWO)
    rows, sizes = module._alike(truth, ours, theirs)
    assert len(rows) == len({*zip(truth, ours.values, theirs.values, strict=True)}) <= 8
    for row, size in zip(rows, sizes, strict=True):
        same = (truth == truth[row]) & (ours.values == ours.values[row]) & (theirs.values == theirs.values[row])
        assert same.sum() == size
