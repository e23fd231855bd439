"""A user's code in the process of the test, where the judging process has it in confined ones."""

import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa
from sklearn.pipeline import Pipeline

from gitops_ml.confinement.channel import UserCodeError
from gitops_ml.explanations import AttributionBaseline, Explanations, explain
from gitops_ml.predictions import Predictions, predict
from gitops_ml.training.findings.behaviour import FILE, BehaviourTest, run_tests
from gitops_ml.training.findings.request_times import TimedRequests

Answer = Callable[[int], object]


@dataclass(frozen=True)
class LocalModel:
    """A fitted pipeline."""

    pipeline: Pipeline

    def predict(self, rows: pd.DataFrame) -> Predictions:
        """Return predictions; an exception has its type in its text."""
        try:
            return predict(self.pipeline, rows)
        except Exception as error:
            raise UserCodeError(type(error).__name__, str(error), "") from error

    def explain(self, baseline: AttributionBaseline, rows: pd.DataFrame) -> Explanations:
        """Return the contributions of columns."""
        return explain(self.pipeline, baseline, rows)

    def measure_memory(self) -> int:
        """Return the length of the pickle."""
        return len(pickle.dumps(self.pipeline))


@dataclass(frozen=True)
class LocalCode:
    """A schema, a pipeline, and behaviour tests."""

    schema: pa.DataFrameSchema
    build: Callable[[], Pipeline]
    root: Path
    target: str = "label"
    features: tuple[str, ...] = ("x", "y")
    served: Callable[[str], Answer | None] | None = None
    opened: list[str] = field(default_factory=list)

    def find_nullable_columns(self) -> frozenset[str]:
        """Return the columns that may have missing values."""
        return frozenset(name for name, column in self.schema.columns.items() if column.nullable)

    def train_again(self, rows: pd.DataFrame, classes: tuple[Any, ...]) -> LocalModel:
        """Fit the pipeline."""
        return LocalModel(self.build().fit(rows[list(self.features)], rows[self.target].to_numpy()))

    def run_behaviour_tests(self, model: LocalModel, rows: pd.DataFrame) -> tuple[BehaviourTest, ...] | None:
        """Run the tests."""
        return run_tests(self.root, model.pipeline, rows) if (self.root / FILE).is_file() else None

    def open_requests(
        self, folder: Path, digest: str, rows: pd.DataFrame, *, is_baseline: bool
    ) -> tuple[TimedRequests, bool]:
        """Return requests that the test answers; without `served`, each takes a moment of the processor."""
        name = "baseline" if is_baseline else digest
        answer = self.served(name) if self.served else None
        return TimedRequests(answer or (lambda number: np.linalg.svd(np.ones((20, 20))))), answer is not None
