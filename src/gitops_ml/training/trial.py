"""A trial: the versions that are compared, in memory, with all that was loaded for it once."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config, Repository
from gitops_ml.contract import Yours
from gitops_ml.predictions import Predictions
from gitops_ml.reasons import Basis
from gitops_ml.run import Run
from gitops_ml.training.review import Review
from gitops_ml.training.seal import Seal
from gitops_ml.training.train import Prepared

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Scored:
    """A version and what it says of the holdout.

    Attributes:
        number: The registry's.
        digest: Of its files.
        run: What its training said of itself; none of its metrics is used.
        sketch: Which rows its data had.
        reference: How its training rows were distributed.
        predictions: Of the held-out rows, in their order.
        own_code: It was scored by its own commit and lock, since today's would change what it says.
        model: As it was loaded; None where only its own commit can.
        folder: Its files, verified.
        seal: What its rows were; None where its run is older than seals.
        basis: What the reasons of its predictions are counted from; None where its run is older than reasons.
    """

    number: str
    digest: str
    run: Run
    sketch: list[int]
    reference: dict[str, Any]
    predictions: Predictions
    own_code: bool
    model: "Pipeline | None" = None
    folder: Path | None = None
    seal: Seal | None = None
    basis: Basis | None = None


@dataclass(frozen=True)
class Trial:
    """A challenger, what it is measured with, and the champion where there is one.

    Attributes:
        config: By whose rules.
        prepared: The split rows.
        challenger: The version on trial.
        champion: The version that the record names, or None.
        repository: Where it lies; None in a trial of predictions alone.
        yours: Its schema and pipeline; None in a trial of predictions alone.
        review: What was loosened on the way here; None where nobody looked.
    """

    config: Config
    prepared: Prepared
    challenger: Scored
    champion: Scored | None
    repository: Repository | None = None
    yours: Yours | None = None
    review: Review | None = None

    @property
    def metric(self) -> str:
        """The metric that decides."""
        return self.config.evaluation.metric

    @property
    def truth(self) -> "np.ndarray[Any, Any]":
        """The target of the held-out rows."""
        truth: np.ndarray[Any, Any] = self.prepared.held_out[self.config.data.target].to_numpy()
        return truth

    @property
    def inputs(self) -> pd.DataFrame:
        """The held-out rows as a model sees them."""
        return self.inputs_of(self.prepared.held_out)

    def inputs_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows without key and target."""
        return rows.drop(columns=[self.config.data.key, self.config.data.target], errors="ignore")
