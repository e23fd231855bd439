"""A service: one model version, loaded in this process; it predicts rows once its smoke test has passed."""

import gc
import json
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import skops.io  # noqa: F401 (first, to save time: on import, it searches all loaded modules)

from gitops_ml import explanations, library, run, user_package
from gitops_ml.config import Repository
from gitops_ml.predictions import Predictions, predict
from gitops_ml.rows.cell_rules import cell_rules
from gitops_ml.serving.api_error import ApiError, RequestProblem
from gitops_ml.serving.explain_rows import check_explainable, explain_rows
from gitops_ml.serving.refused_rows import locate_problem
from gitops_ml.serving.row_validator import RowValidator
from gitops_ml.serving.score import open_run, reproduces_predictions, to_typed_rows
from gitops_ml.serving.workers import check_caller

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


# Errors that pandas, or a parser declared in your schema.py, raises for an unexpected value.
VALUE_ERRORS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


@dataclass(frozen=True)
class VersionId:
    """The identity of a version.

    Attributes:
        digest: Digest of its files.
        version: Version number in MLflow's model registry; None if unknown.
        release: Semantic version; None if unknown.
    """

    digest: str
    version: str | None = None
    release: str | None = None

    @property
    def short(self) -> str:
        """The version number, or the beginning of the digest if the number is unknown."""
        return self.version or self.digest.removeprefix("sha256:")[:12]


@dataclass(frozen=True)
class PredictionResult:
    """The result of a request.

    Attributes:
        rows: Rows as the model received them.
        predictions: Predictions of the rows.
        explanations: Explanation of each prediction; None if the caller did not ask for explanations.
    """

    rows: "pd.DataFrame"
    predictions: Predictions
    explanations: list[dict[str, Any]] | None = None


@dataclass
class Service:
    """A model version that predicts the rows of requests.

    Attributes:
        version_id: Identity of the version.
        metadata: Metadata of its training run.
        model: Fitted pipeline.
        folder: Folder of its files.
        validator: Validator of requests.
        repository: Repository whose model.toml configures the server, such as the maximum size of a request.
        ready: True if the smoke test has passed.
        failure: Reason why the smoke test failed; None while it has not run, and after it has passed.
        is_ending: True if the server ends: requests are still answered, and new callers should go elsewhere.
    """

    version_id: VersionId
    metadata: run.Run
    model: "Pipeline"
    folder: Path
    validator: RowValidator
    repository: Repository
    ready: bool = False
    failure: str | None = None
    is_ending: bool = False

    def run_smoke_test(self) -> bool:
        """Predict the rows that training recorded with their predictions (expected.json), and compare the predictions.

        The service is ready if they are the same.

        Returns:
            True if the service is ready.
        """
        try:
            self.ready = reproduces_predictions(self.metadata, partial(predict, self.model), self.folder)
            self.failure = None if self.ready else (
                "The smoke test failed: the model's predictions of the recorded rows differ from those in training."
            )  # fmt: skip
        except Exception as error:  # user code may raise errors of any type
            self.failure = f"The smoke test failed: the model cannot predict the recorded rows: {type(error).__name__}."
        return self.ready

    def begin_ending(self) -> None:
        """Note that the server ends, so that its readiness sends new callers elsewhere."""
        self.is_ending = True

    def not_ready_error(self) -> ApiError:
        """Return the error 503 of a service that is not ready; its code is `unfit` if the smoke test has failed."""
        if self.failure:
            return ApiError(503, self.failure, code="unfit")
        return ApiError(503, "The smoke test of the model is running. Retry in a few seconds.")

    def predict(self, content_type: str, body: bytes) -> PredictionResult:
        """Predict the rows of a body.

        Args:
            content_type: Content type of the body.
            body: Body of the request.

        Returns:
            The rows and their predictions.

        Raises:
            ApiError: The service is not ready, the body cannot be read, its rows break a rule, or the model cannot
                predict them.
        """
        rows = self._read_rows(content_type, body)
        check_caller()
        return PredictionResult(rows, self._predict_rows(rows))

    def predict_and_explain(self, content_type: str, body: bytes) -> PredictionResult:
        """Predict the rows of a body, and explain each prediction.

        Args:
            content_type: Content type of the body.
            body: Body of the request.

        Returns:
            The rows, their predictions and explanations.

        Raises:
            ApiError: As in `predict`; or the predictions cannot be explained, or there are too many rows.
        """
        rows = self._read_rows(content_type, body)
        check_explainable(self.attribution_baseline, len(rows))
        check_caller()
        predictions = self._predict_rows(rows)
        check_caller()
        return PredictionResult(rows, predictions, explain_rows(self.model, self.attribution_baseline, rows))

    def _read_rows(self, content_type: str, body: bytes) -> "pd.DataFrame":
        if not self.ready:
            raise self.not_ready_error()
        try:
            return self.validator.read_rows(content_type, body, self.repository.config.serving)
        except VALUE_ERRORS as error:
            problem = RequestProblem(None, None, "a value cannot be converted to the type of its column")
            raise ApiError(422, "The rows cannot be read.", [problem]) from error

    def _predict_rows(self, rows: "pd.DataFrame") -> Predictions:
        try:
            # A shallow copy, which is copied on write: a model that changes its rows does not change what is logged.
            predictions = predict(self.model, rows.copy(deep=False))
        except (MemoryError, OSError):  # not caused by the rows
            raise
        except Exception as error:  # user code may raise errors of any type
            problem = locate_problem(self._predict_part, rows, self.example_rows[0])
            raise ApiError(422, "The model cannot predict these rows.", [problem]) from error
        if predictions.not_finite_count:
            problem = RequestProblem(
                None, None, f"the predictions of {predictions.not_finite_count} row(s) are not finite"
            )
            raise ApiError(422, "The predictions of some rows are not finite.", [problem])
        return predictions

    def _predict_part(self, rows: "pd.DataFrame") -> Predictions:
        check_caller()
        return predict(self.model, rows)

    @cached_property
    def attribution_baseline(self) -> explanations.AttributionBaseline:
        """The data that explanations are computed from, or the reason why there are none."""
        return explanations.read_attribution_baseline(self.folder)

    @cached_property
    def example_rows(self) -> list[dict[str, Any]]:
        """A few rows that the model can predict."""
        rows: list[dict[str, Any]] = json.loads((self.folder / run.EXAMPLE).read_bytes())
        return rows

    @cached_property
    def reference(self) -> dict[str, Any]:
        """The histograms of the training rows, and of the predictions for the held-out rows."""
        reference: dict[str, Any] = json.loads((self.folder / run.REFERENCE).read_bytes())
        return reference

    @cached_property
    def metadata_document(self) -> dict[str, Any]:
        """The response of /metadata."""
        metadata = self.metadata.model_dump(mode="json")
        identity = {"version": self.version_id.version, "digest": self.version_id.digest,
                    "release": self.version_id.release, "library": library.version()}  # fmt: skip
        shown = ("model", "task", "created", "target", "columns", "classes", "parameters", "metrics", "lineage")
        return {**identity, **{key: metadata[key] for key in shown}}


def open_service(repository: Repository, folder: Path, version_id: VersionId) -> Service:
    """Verify the files of a version and load its model, with the repository's own list of trusted types.

    This freezes and enables the garbage collector of the process. Callers disable it before the imports, which saves a
    tenth of the startup time.

    Args:
        repository: Repository whose code and configuration are used.
        folder: Folder of the version.
        version_id: Identity of the version.

    Returns:
        The service, not ready before its smoke test.

    Raises:
        IntegrityError: A file differs, or a type is not trusted; the model was not loaded.
        ConfigError: The schema is not the one that the version was trained with.
    """
    schema = user_package.load_user_package(repository).schema  # first, because a model may contain types of this code
    metadata, model = open_run(folder, version_id.digest, repository.config.serving.trusted_types)
    smoke_rows = to_typed_rows(metadata, json.loads((folder / run.EXPECTED).read_bytes())["rows"])
    # The validator tries the schema's checks of whole rows on these rows: some need the target, which requests lack.
    validator = RowValidator(schema, metadata, smoke_rows, cell_rules(repository.config.data))
    service = Service(version_id, metadata, model, folder, validator, repository)
    # All objects so far live as long as the process, so the garbage collector can skip them; this shortens the slowest
    # responses.
    gc.freeze()
    gc.enable()
    return service
