"""Points: what the pictures of a comparison are drawn from, thinned so that a page of them stays small."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from sklearn.calibration import calibration_curve
from sklearn.metrics import roc_curve

from gitops_ml.bins import watched
from gitops_ml.predictions import PROBABILITY, Predictions
from gitops_ml.run import Document
from gitops_ml.training.flips import moves
from gitops_ml.training.trial import Trial

ROWS = 2000
CURVE = 500
BINS = 10
BARS = 20
Array = np.ndarray[Any, Any]
WAYS = {1: "better", -1: "worse", 0: "neither"}


class Line(Document):
    """Points in the plane, in their order."""

    x: tuple[float, ...]
    y: tuple[float, ...]


class Drawn(Document):
    """One version.

    Attributes:
        roc: Its ROC curve; of more than two classes that of all together, each against the others.
        calibration: What it says on average in each tenth of the rows, and what was true there.
        residuals: Truth less prediction over the prediction, of a number.
        bars: How many rows fall into each bin of `Points.bins`.
    """

    roc: Line | None
    calibration: Line | None
    residuals: Line | None
    bars: tuple[int, ...]


class Dot(Document):
    """A row, and what both versions say of it.

    Attributes:
        key: Names it.
        truth: Its target.
        champion: Its probability, or number; see `Points.axis`.
        challenger: The same of the challenger.
        way: Whether it flips to the truth, away from it, or neither; "same" where it does not flip.
    """

    key: str
    truth: str
    champion: float
    challenger: float
    way: Literal["better", "worse", "neither", "same"]


class Points(Document):
    """All that is drawn.

    Attributes:
        watched: What `bins` are of.
        bins: Their middles, for numbers; or the labels.
        sides: "challenger", and "champion" where there is one.
        truth: How the target falls into the bins; None where these are probabilities.
        axis: What the dots show.
        dots: Some thousand rows, those that flip before others; none without champion.
    """

    watched: str
    bins: tuple[float, ...] | tuple[str, ...]
    sides: dict[str, Drawn]
    truth: tuple[int, ...] | None
    axis: str
    dots: tuple[Dot, ...]


def points(trial: Trial) -> Points:
    """What there is to draw of challenger and champion."""
    named = {"challenger": trial.challenger, "champion": trial.champion}
    sides = {name: each.predictions for name, each in named.items() if each}
    watching, bins, bars = _bars(trial, list(sides.values()))
    drawn = {name: _drawn(trial, said, bar) for (name, said), bar in zip(sides.items(), bars, strict=False)}
    axis, dots = _dots(trial)
    truth = bars[-1] if len(bars) > len(sides) else None
    return Points(watched=watching, bins=bins, sides=drawn, truth=truth, axis=axis, dots=dots)


def _drawn(trial: Trial, said: Predictions, bars: tuple[int, ...]) -> Drawn:
    if not said.classes:
        truth, values = _finite(trial.truth.astype(float), said.values)
        some = _some(len(values), trial.config.training.seed)
        residuals = _line(values[some], (truth - values)[some])
        return Drawn(roc=None, calibration=_tenths(truth, values), residuals=residuals, bars=bars)
    hits, chances = _chances(trial, said)
    if len(np.unique(hits)) < 2:
        return Drawn(roc=None, calibration=None, residuals=None, bars=bars)
    false, true, _ = roc_curve(hits, chances)
    kept = np.unique(np.linspace(0, len(false) - 1, CURVE).astype(int))
    observed, said_so = calibration_curve(hits, chances, n_bins=BINS, strategy="quantile")
    return Drawn(roc=_line(false[kept], true[kept]), calibration=_line(said_so, observed), residuals=None, bars=bars)


def _chances(trial: Trial, said: Predictions) -> tuple[Array, Array]:
    """Whether it was so, and the probability that it is: of the positive class, or of each of many."""
    if said.probabilities is None:
        return np.empty(0), np.empty(0)
    classes = list(said.classes)
    if len(classes) == 2:
        chances = watched(said, trial.config.data.positive).to_numpy()
        hits = trial.truth == _positive(trial, said)
    else:
        chances = said.probabilities.ravel()
        hits = (trial.truth[:, None] == np.array(classes)[None, :]).ravel()
    return _finite(np.asarray(hits).astype(float), chances)


def _positive(trial: Trial, said: Predictions) -> Any:
    positive = trial.config.data.positive
    return positive if positive in said.classes else said.classes[1]


def _tenths(truth: Array, values: Array) -> Line | None:
    """Means of what is said and of what is true, in each tenth of the rows by what is said."""
    if len(np.unique(values)) < 2:
        return None
    means = pd.DataFrame({"x": values, "y": truth}).groupby(pd.qcut(values, BINS, labels=False, duplicates="drop"))
    return _line(means["x"].mean(), means["y"].mean())


def _bars(
    trial: Trial, sides: Sequence[Predictions]
) -> tuple[str, tuple[float, ...] | tuple[str, ...], list[tuple[int, ...]]]:
    """What is watched, its bins, and how many rows of each side, and then of the truth, fall into them."""
    positive, truth = trial.config.data.positive, trial.truth
    values = [watched(said, positive).to_numpy() for said in sides]
    first = sides[0]
    if first.classes and (len(first.classes) > 2 or any(said.probabilities is None for said in sides)):
        labels = sorted({str(value) for each in (*(said.values for said in sides), truth) for value in each})
        every = [pd.Series(each).astype(str).value_counts() for each in (*(said.values for said in sides), truth)]
        return "answer", tuple(labels), [tuple(int(each.get(label, 0)) for label in labels) for each in every]
    if first.classes:
        edges = np.linspace(0, 1, BARS + 1)
        name = f"{PROBABILITY}{_positive(trial, first)}"
    else:
        values, name = [*values, truth.astype(float)], trial.config.data.target
        together = np.concatenate(values)
        edges = np.histogram_bin_edges(together[np.isfinite(together)], BARS)
    counts = [tuple(np.histogram(each[np.isfinite(each)], edges)[0].tolist()) for each in values]
    return name, tuple(((edges[1:] + edges[:-1]) / 2).tolist()), counts


def _dots(trial: Trial) -> tuple[str, tuple[Dot, ...]]:
    """Rows as both versions see them; those that flip first."""
    if trial.champion is None:
        return "", ()
    before, after = trial.champion.predictions, trial.challenger.predictions
    axis, champion = _seen(trial, before)
    _, challenger = _seen(trial, after)
    truth = trial.truth
    found = moves(truth, before, after)
    there = np.flatnonzero(np.isfinite(champion) & np.isfinite(challenger))
    order = there[np.random.default_rng(trial.config.training.seed).permutation(len(there))]
    order = order[np.argsort(~found.flipped[order], kind="stable")][:ROWS]
    keys = trial.prepared.held_out[trial.config.data.key].iloc[order].astype(str)
    return axis, tuple(
        Dot(key=key, truth=str(truth[row]), champion=float(champion[row]), challenger=float(challenger[row]),
            way=WAYS[int(found.nearer[row])] if found.flipped[row] else "same")
        for key, row in zip(keys, order, strict=True)
    )  # fmt: skip


def _seen(trial: Trial, said: Predictions) -> tuple[str, Array]:
    """One number for each row: the probability of the positive class, of the truth where there are more, or the
    prediction; NaN where there is none."""
    if not said.classes:
        return trial.config.data.target, said.values
    if said.probabilities is None:
        return "", np.full(len(said.values), np.nan)
    if len(said.classes) == 2:
        return f"{PROBABILITY}{_positive(trial, said)}", watched(said, trial.config.data.positive).to_numpy()
    places = {label: place for place, label in enumerate(said.classes)}
    chosen = np.array([places.get(label, -1) for label in trial.truth.tolist()])
    chances = np.where(chosen < 0, 0.0, said.probabilities[np.arange(len(chosen)), chosen])
    return f"{PROBABILITY}the truth", chances


def _some(count: int, seed: int) -> Array:
    return np.sort(np.random.default_rng(seed).permutation(count)[:ROWS])


def _finite(truth: Array, values: Array) -> tuple[Array, Array]:
    there = np.isfinite(values) & np.isfinite(truth)
    return truth[there], values[there]


def _line(x: Any, y: Any) -> Line:
    return Line(x=tuple(np.asarray(x, dtype=float).tolist()), y=tuple(np.asarray(y, dtype=float).tolist()))
