"""The versions that are compared, with everything that was loaded for the comparison."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd

from gitops_ml.config import Config, Repository
from gitops_ml.explanations import AttributionBaseline, Explanations
from gitops_ml.predictions import Predictions
from gitops_ml.run import Run
from gitops_ml.training.features import select_features
from gitops_ml.training.review import Review
from gitops_ml.training.row_fingerprints import RowFingerprints
from gitops_ml.training.train import PreparedData

if TYPE_CHECKING:
    from gitops_ml.training.findings.behaviour import BehaviourTest
    from gitops_ml.training.findings.request_times import TimedRequests


class Model(Protocol):
    """A fitted model, wherever its code runs. A method raises what your code raises there."""

    def predict(self, rows: pd.DataFrame) -> Predictions:
        """Return predictions of rows.

        Args:
            rows: Features of n rows.
        """

    def explain(self, baseline: AttributionBaseline, rows: pd.DataFrame) -> Explanations:
        """Return the contributions of columns to the predictions of rows.

        Args:
            baseline: Average terms of the version.
            rows: Features of n rows.

        Raises:
            NotExplainable: The predictions cannot be explained.
        """

    def measure_memory(self) -> int:
        """Return the size in memory, in bytes."""


class UserCode(Protocol):
    """Your package and your tests, wherever they run."""

    def find_nullable_columns(self) -> frozenset[str]:
        """Return the columns that may have missing values, as schema.py says."""

    def train_again(self, rows: pd.DataFrame, classes: tuple[Any, ...]) -> Model:
        """Fit your pipeline.

        Args:
            rows: Training rows with key and target.
            classes: Classes that the model must have; empty for a regression.

        Returns:
            The fitted model.

        Raises:
            ConfigError: The rows cannot be fitted.
        """

    def run_behaviour_tests(self, model: Any, rows: pd.DataFrame) -> "tuple[BehaviourTest, ...] | None":
        """Run the tests in tests/behaviour.py.

        Args:
            model: Model of a version.
            rows: Held-out rows, without key and target.

        Returns:
            The results; None if there are no tests.

        Raises:
            ConfigError: The file cannot be imported.
        """

    def open_requests(
        self, folder: Path, digest: str, rows: pd.DataFrame, *, is_baseline: bool
    ) -> "tuple[TimedRequests, bool]":
        """Return requests of one row to a version, and whether a server answers them.

        Args:
            folder: Verified folder of the version.
            digest: Digest of its manifest.
            rows: Rows to send.
            is_baseline: True for a baseline estimator with the version's columns instead of its model.
        """


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
    model: Model | None = None
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
        code: Your package and tests; None if only predictions are compared.
        review: Rules that were loosened before this comparison; None if they were not reviewed.
        incomparable: Reason why too few rows are left that neither version was trained on; None if there are enough.
    """

    config: Config
    prepared: PreparedData
    challenger: ScoredVersion
    champion: ScoredVersion | None
    repository: Repository | None = None
    code: UserCode | None = None
    review: Review | None = None
    incomparable: str | None = None

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
