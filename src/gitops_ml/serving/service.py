"""One version, opened and ready to answer; it knows nothing of HTTP but the types of a body."""

import gc
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import skops.io  # noqa: F401 (before pandas and the rest: as it comes, it asks every module that is there for its names)

from gitops_ml import contract, library, reasons, run
from gitops_ml.config import Repository
from gitops_ml.predictions import Predictions, predict
from gitops_ml.serving import explain
from gitops_ml.serving.accept import Acceptance
from gitops_ml.serving.refusal import Problem, Refusal
from gitops_ml.serving.score import open_run, replays, table

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline


# What code raises over a value that it did not expect.
YOURS = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError)


@dataclass(frozen=True)
class Named:
    """Which version it is.

    Attributes:
        digest: Of its files.
        version: The registry's number; None where nobody said.
        release: Its semantic version; None where nobody said.
    """

    digest: str
    version: str | None = None
    release: str | None = None

    @property
    def short(self) -> str:
        """The number, or else the beginning of the digest."""
        return self.version or self.digest.removeprefix("sha256:")[:12]


@dataclass(frozen=True)
class Answered:
    """What a request got.

    Attributes:
        rows: As the model was asked about them.
        predictions: What it said.
        reasons: Why, row by row; None where nobody asked.
    """

    rows: "pd.DataFrame"
    predictions: Predictions
    reasons: list[dict[str, Any]] | None = None


@dataclass
class Service:
    """A version that answers.

    Attributes:
        named: Which one.
        described: What it says of itself.
        model: The fitted pipeline.
        folder: Its files.
        acceptance: What a request must keep.
        repository: Whose model.toml has the limits.
        ready: Whether it was heard to say what it said when it was trained.
        failure: Why it never will be.
    """

    named: Named
    described: run.Run
    model: "Pipeline"
    folder: Path
    acceptance: Acceptance
    repository: Repository
    ready: bool = False
    failure: str | None = None

    def rehearse(self) -> bool:
        """Ask it about the recorded rows; only if it says the same again is it ready."""
        try:
            self.ready = replays(self.described, self.model, self.folder)
            self.failure = None if self.ready else "It no longer says of the recorded rows what it said in training."
        except Exception as error:  # whatever your code raises today
            self.failure = f"It cannot answer the recorded rows: {type(error).__name__}."
        return self.ready

    def unready(self) -> Refusal:
        """Why it does not answer: not yet, or, with a code of its own, never."""
        if self.failure:
            return Refusal(503, self.failure, code="unfit")
        return Refusal(503, "The model is being rehearsed; ask again in a moment.")

    def answer(self, kind: str, body: bytes) -> Answered:
        """Predict the rows of a body.

        Raises:
            Refusal: Not ready, or the body cannot be read, or its rows break a rule, or the model refuses them.
        """
        rows = self._rows(kind, body)
        return Answered(rows, self._predicted(rows))

    def explained(self, kind: str, body: bytes) -> Answered:
        """Predict the rows of a body, and say what moved each of them.

        Raises:
            Refusal: As `answer` does; or there are no reasons, or too many rows.
        """
        rows = self._rows(kind, body)
        explain.check_explained(self.basis, len(rows))
        return Answered(rows, self._predicted(rows), explain.reasons(self.model, self.basis, rows))

    def _rows(self, kind: str, body: bytes) -> "pd.DataFrame":
        if not self.ready:
            raise self.unready()
        try:
            return self.acceptance.rows(kind, body, self.repository.config.serving)
        except YOURS as error:  # values so odd that pandas, or a parser of yours, would not even look at them
            rule = "a value cannot be brought to its column's type"
            raise Refusal(422, "The rows cannot be read.", [Problem(None, None, rule)]) from error

    def _predicted(self, rows: "pd.DataFrame") -> Predictions:
        try:
            # A copy, which costs nothing until it is written to: what is counted and kept is what was asked.
            predictions = predict(self.model, rows.copy(deep=False))
        except (MemoryError, OSError):  # other rows would fare no better
            raise
        except Exception as error:  # whatever your code raises when it looks at them
            rule = "the model cannot answer these rows, though they keep the schema"
            raise Refusal(422, "The model refuses these rows.", [Problem(None, None, rule)]) from error
        if predictions.not_finite:
            rule = f"the model has no finite answer for {predictions.not_finite} row(s)"
            raise Refusal(422, "The model has no answer for some rows.", [Problem(None, None, rule)])
        return predictions

    @cached_property
    def basis(self) -> reasons.Basis:
        """What reasons are counted from, or why there are none."""
        return reasons.read(self.folder)

    @cached_property
    def example(self) -> list[dict[str, Any]]:
        """A few rows that it can answer."""
        rows: list[dict[str, Any]] = json.loads((self.folder / run.EXAMPLE).read_bytes())
        return rows

    @cached_property
    def reference(self) -> dict[str, Any]:
        """How the training rows, and the predictions on them, were distributed."""
        described: dict[str, Any] = json.loads((self.folder / run.REFERENCE).read_bytes())
        return described

    @cached_property
    def about(self) -> dict[str, Any]:
        """What /metadata says."""
        told = self.described.model_dump(mode="json")
        named = {"version": self.named.version, "digest": self.named.digest, "release": self.named.release,
                 "library": library.version()}  # fmt: skip
        shown = ("model", "task", "created", "target", "columns", "classes", "parameters", "metrics", "lineage")
        return {**named, **{key: told[key] for key in shown}}


def open_service(repository: Repository, folder: Path, named: Named) -> Service:
    """Verify a version's files and open its model, with the repository's own list of types.

    Raises:
        IntegrityError: A file differs, or a type is not allowed; nothing was opened.
        ConfigError: The schema is not the one that it was trained with.
    """
    schema = contract.load(repository).schema  # first, for a model may hold types of yours
    described, model = open_run(folder, named.digest, repository.config.serving.trusted_types)
    smoke = table(described, json.loads((folder / run.EXPECTED).read_bytes())["rows"])
    acceptance = Acceptance(schema, described, smoke)
    service = Service(named, described, model, folder, acceptance, repository)
    # What is here now stays for ever: the collector need not look at it again, which is felt in the slowest answers.
    # Whoever starts a server switches it off before the imports, which saves a tenth of the time until it is ready.
    gc.freeze()
    gc.enable()
    return service
