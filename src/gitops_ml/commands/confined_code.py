"""Your code as the judging process sees it: every question goes to a confined process, and the answer is checked."""

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gitops_ml.confinement.barriers import MAX_FILE_BYTES, describe_doors
from gitops_ml.confinement.channel import ConfinedError, UserCodeError
from gitops_ml.confinement.files import take_file
from gitops_ml.confinement.judge import ConfinedProcess, Confinement, Surroundings, confine
from gitops_ml.confinement.rows_in_bytes import predictions_from_bytes, predictions_size, rows_to_bytes
from gitops_ml.errors import ConfigError, IntegrityError, NotConfined
from gitops_ml.explanations import AttributionBaseline, Explanations, NotExplainable
from gitops_ml.rows.cell_rules import cell_rules

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.commands.confined_checker import ConfinedChecker
    from gitops_ml.config import Repository
    from gitops_ml.predictions import Predictions
    from gitops_ml.run import Run
    from gitops_ml.training.findings.behaviour import BehaviourTest
    from gitops_ml.training.findings.request_times import TimedRequests
    from gitops_ml.training.train import TrainedModel

OPERATIONS = "gitops_ml.commands.confined_operations"
ROWS, PREDICTIONS = "rows.parquet", "predictions.parquet"
MODEL, BASELINE = "model.skops", "attribution_baseline.json"
BEHAVIOUR = "tests/behaviour.py"
MAX_TESTS = 1000


@dataclass
class ConfinedModel:
    """A fitted model in a confined process.

    Attributes:
        process: The process.
        classes: Classes of the version; empty for a regression.
        has_probabilities: True if it has a probability for each class.
    """

    process: ConfinedProcess
    classes: tuple[Any, ...]
    has_probabilities: bool

    def predict(self, rows: "pd.DataFrame") -> "Predictions":
        """Return predictions.

        Args:
            rows: Features of n rows.

        Raises:
            UserCodeError: The model raised an exception.
            ConfinedError: The process gave no answer of the agreed form.
        """
        size = predictions_size(len(rows), len(self.classes), self.has_probabilities)
        content = self.process.ask("predict", data=rows_to_bytes(rows), size=size)
        try:
            return predictions_from_bytes(content, len(rows), self.classes, self.has_probabilities)
        except ValueError as error:
            raise ConfinedError(str(error)) from error

    def explain(self, baseline: AttributionBaseline, rows: "pd.DataFrame") -> Explanations:
        """Return the contributions of columns to the predictions of a few rows.

        Args:
            baseline: Average terms of the version.
            rows: Features of the rows.

        Raises:
            NotExplainable: The predictions cannot be explained.
        """
        if baseline.unavailable:
            raise NotExplainable(baseline.unavailable)
        try:
            found = self.process.ask("explain", {"baseline": baseline.model_dump(mode="json")}, rows_to_bytes(rows))
            return _read_explanations(found, len(rows))
        except (UserCodeError, ValueError, TypeError, KeyError) as error:
            raise NotExplainable(str(error)) from error

    def measure_memory(self) -> int:
        """Return the model's size in memory in bytes, as its own process reports it: the length of a pickle of it."""
        reported = self.process.ask("measure memory")["bytes"]
        return int(reported) if isinstance(reported, int) and reported >= 0 else 0


def _read_explanations(found: Any, rows: int) -> Explanations:
    columns = tuple(map(str, found["columns"]))
    base, contributions = (np.array(found[name], dtype=float) for name in ("base", "contributions"))
    if base.shape != (rows,) or contributions.shape != (rows, len(columns)) or len(found["classes"]) != rows:
        raise ValueError("the explanations have another shape than the rows")
    return Explanations(str(found["unit"]), tuple(found["classes"]), base, columns, contributions)


class ConfinedCode:
    """Your package, your models and your tests, none of which the judging process imports.

    Attributes:
        repository: The repository.
    """

    def __init__(self, repository: "Repository", confinement: Confinement) -> None:
        """Create the object; no process is opened yet.

        Args:
            repository: The repository.
            confinement: Source of the confined processes.
        """
        self.repository = repository
        self._confinement = confinement
        self._doors: tuple[str, ...] | None = None

    @property
    def open_doors(self) -> tuple[str, ...]:
        """Names, of MEANINGS, of what the barriers did not stop."""
        return self._doors or ()

    def open(self, *readable: Path) -> ConfinedProcess:
        """Open a confined process with your package.

        Args:
            *readable: Further files and folders that it may read.

        Returns:
            The process.

        Raises:
            NotConfined: In GitHub Actions, the barriers do not hold.
        """
        root = self.repository.root
        inside = (root / "model.toml", root / "src", root / BEHAVIOUR, *readable)
        surroundings = Surroundings((root / "src",), inside, _data_file(self.repository), self.repository.scratch)
        self.repository.scratch.mkdir(exist_ok=True)
        process = self._confinement.open(surroundings, OPERATIONS)
        self._doors = tuple(dict.fromkeys((*self.open_doors, *process.open_doors)))
        _demand_barriers(process.open_doors)
        process.ask("open repository", {"root": str(root)})
        return process

    def load(self, folder: Path, digest: str, metadata: "Run") -> ConfinedModel | None:
        """Load the model of a version; None if the present code or libraries cannot.

        Args:
            folder: Verified folder of the version.
            digest: Digest of its manifest.
            metadata: Metadata of the version.

        Returns:
            The model; None if it cannot be loaded.

        Raises:
            IntegrityError: The model contains a type that is not trusted; it was not loaded.
        """
        process = self.open(folder.resolve())
        try:
            answer = process.ask("load version", {"folder": str(folder.resolve()), "digest": digest})
        except UserCodeError as error:
            if error.kind == IntegrityError.__name__:
                raise IntegrityError(error.problem, error.next_step) from error
            return None
        return ConfinedModel(process, tuple(metadata.classes), answer.get("probabilities") is True)

    def train_again(self, rows: "pd.DataFrame", classes: tuple[Any, ...]) -> ConfinedModel:
        """Fit your pipeline on rows, in a process that can read no other rows.

        Args:
            rows: Training rows with key and target.
            classes: Classes that the model must have; empty for a regression.

        Returns:
            The fitted model.

        Raises:
            ConfigError: Your code raised an exception.
        """
        process = self.open()
        answer = _ask_about_rows(process, "fit", {"classes": list(classes)}, rows)
        return ConfinedModel(process, classes, answer.get("probabilities") is True)

    def check(self, rows: "pd.DataFrame") -> None:
        """Check that a model file can hold your pipeline, before it is fitted on all rows.

        Args:
            rows: Training rows with key and target.

        Raises:
            ConfigError: The pipeline contains a type that is not trusted, or that cannot be written or loaded.
        """
        with self._asking() as process:
            _ask_about_rows(process, "check", {}, rows)

    def fit(self, rows: "pd.DataFrame") -> "TrainedModel":
        """Fit your pipeline on the training rows.

        Args:
            rows: Training rows with key and target.

        Returns:
            The fitted model, whose files `save` returns.

        Raises:
            ConfigError: Your code raised an exception.
        """
        from gitops_ml.training.train import TrainedModel

        process = self.open()
        answer = _ask_about_rows(process, "fit", {"classes": None}, rows)
        classes = _read_classes(answer["classes"], self.repository.config.project.task)
        parameters = {str(name)[:200]: str(value)[:500] for name, value in answer["parameters"].items()}
        model = ConfinedModel(process, classes, answer.get("probabilities") is True)
        return TrainedModel(model, classes, parameters, dict(answer["chosen"]))

    def fit_fold(self, rows: "pd.DataFrame", trained: "TrainedModel") -> ConfinedModel:
        """Fit your pipeline on a part of the training rows, with the parameters that a search has chosen.

        Args:
            rows: Training rows of a fold, with key and target.
            trained: Model of all training rows.

        Returns:
            The fitted model.

        Raises:
            ConfigError: Your code raised an exception.
        """
        process = self.open()
        answer = _ask_about_rows(process, "fit", {"classes": list(trained.classes), "chosen": trained.chosen}, rows)
        return ConfinedModel(process, trained.classes, answer.get("probabilities") is True)

    def save(self, trained: "TrainedModel") -> tuple[bytes, bytes]:
        """Return the content of the model file, and the averages that explanations need; all processes have ended then.

        Args:
            trained: Model of all training rows.

        Returns:
            The model file, and a JSON document.

        Raises:
            ConfigError: A model file cannot hold the model.
        """
        process = trained.model.process
        try:
            process.ask("save", {"model": MODEL, "baseline": BASELINE})
        except UserCodeError as error:
            raise ConfigError(error.problem, error.next_step or "Fix estimator.py or features.py.") from error
        self._confinement.end_all()
        model, baseline = (take_file(process.folder / name, MAX_FILE_BYTES) for name in (MODEL, BASELINE))
        return model, baseline

    def score_at_commit(self, metadata: "Run", folder: Path, digest: str, rows: "pd.DataFrame") -> "Predictions":
        """Predict rows with the code and the packages of the version's own commit.

        Args:
            metadata: Metadata of the version.
            folder: Verified folder of the version.
            digest: Digest of its manifest.
            rows: Features of n rows.

        Returns:
            The predictions.

        Raises:
            ConfigError: The commit is unknown, was not complete, or cannot predict the rows.
        """
        from gitops_ml.training.commit_scoring import check_out_version, not_scorable

        checkout = check_out_version(self.repository, metadata)
        folder, classes = folder.resolve(), tuple(metadata.classes)
        command = checkout.gitops("score", "--run", folder, "--digest", digest, "--rows", ROWS, "--out", PREDICTIONS)
        process = self.open(folder, checkout.tree, checkout.python.parents[1])
        request = {"command": command, "environment": checkout.environment, "classes": list(classes)}
        try:
            answer = process.ask("score by command", request, rows_to_bytes(rows))
        except UserCodeError as error:
            raise not_scorable(metadata, error.problem.rstrip(".")) from error
        has_probabilities = answer.get("probabilities") is True
        content = process.ask("scored", size=predictions_size(len(rows), len(classes), has_probabilities))
        return predictions_from_bytes(content, len(rows), classes, has_probabilities)

    def open_checker(self) -> "ConfinedChecker":
        """Return your schema, which checks rows that this process has read.

        Raises:
            ConfigError: Your package cannot be imported.
        """
        from gitops_ml.commands.confined_checker import ConfinedChecker

        data = self.repository.config.data
        return ConfinedChecker(self.open(), data.target, cell_rules(data))

    def find_nullable_columns(self) -> frozenset[str]:
        """Return the columns that may have missing values, as schema.py says."""
        with self._asking() as process:
            return frozenset(map(str, process.ask("describe schema")["nullable"]))

    def run_behaviour_tests(self, model: ConfinedModel, rows: "pd.DataFrame") -> "tuple[BehaviourTest, ...] | None":
        """Run the tests in tests/behaviour.py on a model.

        Args:
            model: Loaded model.
            rows: Held-out rows, without key and target.

        Returns:
            The results; None if there are no tests.

        Raises:
            ConfigError: The file cannot be imported.
        """
        from gitops_ml.training.findings.behaviour import BehaviourTest

        if not (self.repository.root / BEHAVIOUR).is_file():
            return None
        try:
            found = model.process.ask("run behaviour tests", data=rows_to_bytes(rows))["tests"]
        except UserCodeError as error:
            raise ConfigError(error.problem, error.next_step or f"Fix {BEHAVIOUR}.") from error
        return tuple(BehaviourTest.model_validate(each) for each in found[:MAX_TESTS])

    def open_requests(
        self, folder: Path, digest: str, rows: "pd.DataFrame", *, is_baseline: bool
    ) -> "tuple[TimedRequests, bool]":
        """Return requests of one row to a version, whose time this process measures, and whether a server answers them.

        Args:
            folder: Verified folder of the version.
            digest: Digest of its manifest.
            rows: Rows to send.
            is_baseline: True for a baseline estimator with the version's columns instead of its model.
        """
        from gitops_ml.training.findings.request_times import TimedRequests

        process = self.open(folder.resolve())
        process.ask("load version", {"folder": str(folder.resolve()), "digest": digest})
        answer = process.ask("open requests", {"baseline": is_baseline}, rows_to_bytes(rows))

        def request(number: int) -> None:
            process.ask("request", {"number": number}, size=0)

        return TimedRequests(request, _processor_clock(process.process)), answer.get("served") is True

    def find_loosened_checks(self, before: str, after: str) -> dict[str, str] | None:
        """Return the rules of schema.py that are looser in a later text; None if the texts cannot be compared.

        Args:
            before: Earlier text of schema.py.
            after: Later text.
        """
        with self._asking() as process:
            try:
                found = process.ask("find loosened checks", {"before": before, "after": after})
            except UserCodeError:
                return None
        return {str(name): str(text) for name, text in found["loosened"].items()} if "loosened" in found else None

    @contextmanager
    def _asking(self) -> Iterator[ConfinedProcess]:
        process = self.open()
        try:
            yield process
        finally:
            process.close()


@contextmanager
def confined_code(repository: "Repository") -> Iterator[ConfinedCode]:
    """Yield your code in confined processes, all of which have ended afterwards.

    Args:
        repository: The repository.

    Raises:
        NotConfined: A confined process gave no answer of the agreed form, or could not be ended.
    """
    try:
        with confine() as confinement:
            yield ConfinedCode(repository, confinement)
    except UserCodeError as error:
        raise ConfigError(
            f"Your code raised {error.kind}: {error.problem}", error.next_step or "Fix features.py or estimator.py."
        ) from error
    except ConfinedError as error:
        raise NotConfined(
            f"A process that runs your code gave no usable answer: {error}.",
            "Look at what estimator.py, features.py and schema.py do while they are imported, fitted, and predict.",
        ) from error


def _demand_barriers(doors: Sequence[str]) -> None:
    """Refuse to judge in GitHub Actions without barriers: its runners have them."""
    if doors and os.environ.get("GITHUB_ACTIONS") == "true":
        raise NotConfined(
            f"On this runner, a process that runs your code could {describe_doors(doors)}; so nothing is judged.",
            "Use a runner with Linux 5.13 or newer and Landlock, such as GitHub's.",
        )


def _ask_about_rows(process: ConfinedProcess, operation: str, request: dict[str, Any], rows: "pd.DataFrame") -> Any:
    try:
        return process.ask(operation, request, rows_to_bytes(rows))
    except UserCodeError as error:
        raise ConfigError(error.problem, error.next_step or "Fix features.py or estimator.py.") from error


def _read_classes(found: Any, task: str) -> tuple[Any, ...]:
    """Return the classes of a model: labels that JSON has, each once; none for a regression."""
    is_plain = isinstance(found, list) and all(isinstance(each, str | int | bool) for each in found)
    if not is_plain or len(set(map(repr, found))) != len(found) or bool(found) != (task == "classification"):
        raise ConfinedError("its model has no usable classes")
    return tuple(found)


def _data_file(repository: "Repository") -> Path | None:
    from gitops_ml.training.data import data_files

    return next(iter(data_files(repository)), None)


def _processor_clock(process: int) -> "Any":
    """Return a function that returns the processor time of another process in seconds.

    The clock's id is that of clock_getcpuclockid(3): the complement of the process id, shifted by three, and 2 for the
    scheduler's clock.
    """
    if sys.platform != "linux":
        return time.process_time
    clock = (~process << 3) | 2
    return lambda: time.clock_gettime(clock)
