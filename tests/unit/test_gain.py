"""The interval of a gain equals the one of the plain paired bootstrap."""

from typing import Any

import numpy as np
import pytest

from gitops_ml.config import REGRESSION_METRICS, Config, parse_config
from gitops_ml.predictions import Predictions
from gitops_ml.training import gain as module
from gitops_ml.training.gain import gain
from gitops_ml.training.metrics import CLASSIFICATION, measure, orient
from unit.sample import MODEL_TOML

Array = np.ndarray[Any, Any]
ROWS = 300
TWO, THREE = ("no", "yes"), ("a", "b", "c")


def configured(metric: str, resamples: int = 100) -> Config:
    """The sample's configuration with this metric."""
    config = parse_config(MODEL_TOML)
    return config.model_copy(
        update={
            "evaluation": config.evaluation.model_copy(update={"metric": metric}),
            "data": config.data.model_copy(update={"positive": None}),
            "gates": config.gates.model_copy(update={"resamples": resamples}),
        }
    )


def predictions_of(labels: Array, classes: tuple[str, ...], seed: int) -> Predictions:
    """Predictions that are better than chance; numbers if there are no classes."""
    rng = np.random.default_rng(seed)
    if not classes:
        return Predictions(labels + rng.normal(size=len(labels)), None, ())
    raw = rng.random((len(labels), len(classes))) + 0.5 * (labels[:, None] == np.asarray(classes))
    return Predictions(np.asarray(classes)[raw.argmax(axis=1)], raw / raw.sum(axis=1, keepdims=True), classes)


def two_models(classes: tuple[str, ...]) -> tuple[Array, Predictions, Predictions]:
    """Labels, and two models' predictions."""
    rng = np.random.default_rng(0)
    labels = rng.choice(np.asarray(classes), ROWS) if classes else rng.normal(size=ROWS)
    return labels, predictions_of(labels, classes, 1), predictions_of(labels, classes, 2)


EVERY = [(metric, classes) for metric in CLASSIFICATION for classes in (TWO, THREE)] + [
    (m, ()) for m in REGRESSION_METRICS
]


@pytest.mark.parametrize(("metric", "classes"), EVERY)
def test_the_batch_size_does_not_change_the_interval(
    metric: str, classes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large holdout is resampled one by one to save memory; the interval is identical."""
    interval = gain(configured(metric), *two_models(classes))
    for batch in (1, 7 * ROWS):
        monkeypatch.setattr(module, "AT_ONCE", batch)
        assert gain(configured(metric), *two_models(classes)) == interval


@pytest.mark.slow
@pytest.mark.parametrize(("metric", "classes"), EVERY)
def test_the_interval_equals_the_plain_bootstrap(metric: str, classes: tuple[str, ...]) -> None:
    """Rows drawn one by one and measured by scikit-learn give the same location and width."""
    labels, challenger, other = two_models(classes)
    rows = np.random.default_rng(9).integers(0, ROWS, (400, ROWS))
    gains = orient(metric, 1.0) * np.array(
        [
            measure(metric, labels[row], challenger.take(row)) - measure(metric, labels[row], other.take(row))
            for row in rows
        ]
    )
    found = gain(configured(metric, resamples=4_000), labels, challenger, other)
    tail = module._tail(0.025, ROWS, 4_000)
    low, high = np.quantile(gains, [tail, 1 - tail])
    assert [found.low, found.high] == pytest.approx([low, high], abs=0.4 * gains.std())
    assert found.low < found.point < found.high


def test_random_resampling_promotes_no_version() -> None:
    """A version without a gain passes less often than the level allows, and nearly as often with many resamples."""
    tails = [module._tail(0.025, 5_000, resamples) for resamples in (100, 1_000, 10_000, 1_000_000)]
    assert tails == sorted(tails)
    assert [round(tail, 4) for tail in tails] == [0.0099, 0.017, 0.0224, 0.0247]


@pytest.mark.parametrize("block", [70, 300, 1 << 16])
def test_every_row_is_drawn_equally_often(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one draw for each row on average, with the variance of chance, for every block size."""
    monkeypatch.setattr(module, "BLOCK", block)
    rng, draws = np.random.default_rng(4), 2_000
    counts = np.stack([module._draw_counts(ROWS, rng) for _ in range(draws)])
    assert (counts.sum(axis=1) == ROWS).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(ROWS), abs=5 / np.sqrt(draws))
    assert counts.var(axis=0).mean() == pytest.approx(1 - 1 / ROWS, abs=0.02)


def test_rows_with_the_same_labels_are_grouped() -> None:
    """Metrics on labels need one row and a count for each group; there are at most eight groups for two classes."""
    labels, challenger, other = two_models(TWO)
    rows, sizes = module._group_rows(labels, challenger, other)
    assert len(rows) == len({*zip(labels, challenger.values, other.values, strict=True)}) <= 8
    for row, size in zip(rows, sizes, strict=True):
        same = (
            (labels == labels[row])
            & (challenger.values == challenger.values[row])
            & (other.values == other.values[row])
        )
        assert same.sum() == size
