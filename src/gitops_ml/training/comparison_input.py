"""The versions that are compared, with everything that was loaded for the comparison."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config, Repository
from gitops_ml.explanations import AttributionBaseline
from gitops_ml.predictions import Predictions
from gitops_ml.run import Run
from gitops_ml.training.features import select_features
from gitops_ml.training.review import Review
from gitops_ml.training.row_fingerprints import RowFingerprints
from gitops_ml.training.train import PreparedData
from gitops_ml.user_package import UserPackage

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# A function that answers a request of one row; it takes the number of the request, which selects the row.
RequestHandler = Callable[[int], object]


@dataclass(frozen=True)
class ScoredVersion:
    """A version and its predictions for the holdout.

    Attributes:
        number: Version number in the registry.
        digest: Digest of the version's manifest.
        run: Record of its training; none of its metrics is used.
        key_sample: Sample of the keys of its data.
        reference: Histograms of its training rows.
        predictions: Predictions for the held-out rows, in their order.
        own_code: True if it was scored with the code of its own commit and the packages of its own lock file, because
            the current code does not reproduce its recorded predictions.
        model: Loaded model; None if only its own commit can load it.
        folder: Verified folder with its files.
        fingerprints: Fingerprints of its rows; None if an older version of the library trained it.
        attribution_baseline: Data that explanations of its predictions need; None if an older version of the library
            trained it.
    """

    number: str
    digest: str
    run: Run
    key_sample: list[int]
    reference: dict[str, Any]
    predictions: Predictions
    own_code: bool
    model: "Pipeline | None" = None
    folder: Path | None = None
    fingerprints: RowFingerprints | None = None
    attribution_baseline: AttributionBaseline | None = None


@dataclass(frozen=True)
class ComparisonInput:
    """A challenger, the champion if there is one, and the data to compare them with.

    Attributes:
        config: Configuration with the rules that apply.
        prepared: Training rows and held-out rows.
        challenger: Version that is judged.
        champion: Version that the record names, or None.
        repository: Repository of the project; None if only predictions are compared.
        user_package: Schema and pipeline of the project; None if only predictions are compared.
        review: Rules that were loosened before this comparison; None if they were not reviewed.
        incomparable: Reason why too few rows are left that neither version was trained on; None if there are enough.
        open_server: Function that returns the request handler of a server for a version with a model and some rows, or
            None if a server cannot answer them; None if only the model itself is measured.
    """

    config: Config
    prepared: PreparedData
    challenger: ScoredVersion
    champion: ScoredVersion | None
    repository: Repository | None = None
    user_package: UserPackage | None = None
    review: Review | None = None
    incomparable: str | None = None
    open_server: "Callable[[ScoredVersion, Any, pd.DataFrame], RequestHandler | None] | None" = None

    @property
    def metric(self) -> str:
        """Name of the metric that decides."""
        return self.config.evaluation.metric

    @property
    def labels(self) -> "np.ndarray[Any, Any]":
        """True values of the held-out rows."""
        labels: np.ndarray[Any, Any] = self.prepared.held_out[self.config.data.target].to_numpy()
        return labels

    @property
    def features(self) -> pd.DataFrame:
        """Features of the held-out rows."""
        return self.features_of(self.prepared.held_out)

    def features_of(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the columns of rows that a model receives.

        Args:
            rows: Rows of the data.
        """
        return select_features(self.config.data, rows)
