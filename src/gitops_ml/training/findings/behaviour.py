"""Results of the user's behaviour tests in tests/behaviour.py."""

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gitops_ml.errors import ConfigError
from gitops_ml.predictions import predict, to_frame
from gitops_ml.run import Document
from gitops_ml.training.comparison_input import ComparisonInput

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

FILE = "tests/behaviour.py"
LONGEST = 400


class BehaviourTest(Document):
    """Result of one test.

    Attributes:
        name: Name of the test function.
        promise: First line of the test's docstring.
        broken: Message of the failure; None if the test passes.
    """

    name: str
    promise: str
    broken: str | None


def run_behaviour_tests(inputs: ComparisonInput) -> tuple[BehaviourTest, ...] | None:
    """Run every behaviour test on the challenger.

    Args:
        inputs: Versions to compare.

    Returns:
        The results; None if there are no tests, or if the model is not loaded.

    Raises:
        ConfigError: The file cannot be imported.
    """
    model = inputs.challenger.model
    if model is None or inputs.code is None:
        return None
    return inputs.code.run_behaviour_tests(model, inputs.prepared.held_out[list(inputs.challenger.run.columns)])


def run_tests(root: Path, model: "Pipeline", rows: pd.DataFrame) -> tuple[BehaviourTest, ...]:
    """Run every behaviour test on a model, in this process.

    Args:
        root: Root of the repository.
        model: Fitted pipeline.
        rows: Held-out rows, without key and target.

    Returns:
        The result of each test.

    Raises:
        ConfigError: The file cannot be imported.
    """

    def predict_rows(rows: pd.DataFrame) -> pd.DataFrame:
        return to_frame(predict(model, rows)).set_axis(rows.index)

    return tuple(_run_test(name, test, rows.copy(), predict_rows) for name, test in _load_tests(root / FILE))


def _load_tests(file: Path) -> list[tuple[str, Callable[..., object]]]:
    """Return the functions whose names begin with `test_`, in the order of the file."""
    spec = importlib.util.spec_from_file_location("behaviour", file)
    assert spec is not None  # noqa: S101 (a .py file has a loader)
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # user code can raise any exception
        raise ConfigError(f"{FILE} cannot be imported: {type(error).__name__}: {error}", f"Fix {FILE}.") from error
    return [(name, each) for name, each in vars(module).items() if name.startswith("test_") and callable(each)]


def _run_test(name: str, test: Callable[..., object], rows: pd.DataFrame, predict_rows: Any) -> BehaviourTest:
    promise = (inspect.getdoc(test) or name.removeprefix("test_").replace("_", " ")).splitlines()[0]
    try:
        test(rows, predict_rows)
    except Exception as error:  # a failed assertion or an error in the test: neither may pass
        message = " ".join(str(error).split()) or "the assertion fails"
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return BehaviourTest(name=name, promise=promise, broken=f"{kind}{message}"[:LONGEST])
    return BehaviourTest(name=name, promise=promise, broken=None)
