"""What its owner expects of the model whatever its metrics are: the tests in tests/behaviour.py."""

import importlib.util
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from gitops_ml.errors import ConfigError
from gitops_ml.predictions import predict, to_frame
from gitops_ml.run import Document
from gitops_ml.training.trial import Trial

FILE = "tests/behaviour.py"
LONGEST = 400


class Behaviour(Document):
    """One test.

    Attributes:
        name: Of its function.
        promise: The first line of its docstring.
        broken: What it says is wrong; None where nothing is.
    """

    name: str
    promise: str
    broken: str | None


def behaviour(trial: Trial) -> tuple[Behaviour, ...] | None:
    """Ask every test about the challenger; None where there are none, or in a trial of predictions alone.

    Raises:
        ConfigError: The file cannot be imported.
    """
    model, repository = trial.challenger.model, trial.repository
    if model is None or repository is None or not (repository.root / FILE).is_file():
        return None

    def answer(rows: pd.DataFrame) -> pd.DataFrame:
        return to_frame(predict(model, rows)).set_axis(rows.index)

    rows = trial.inputs[list(trial.challenger.run.columns)]
    return tuple(_ask(name, test, rows.copy(), answer) for name, test in _tests(repository.root / FILE))


def _tests(file: Path) -> list[tuple[str, Callable[..., object]]]:
    """Its functions whose names begin with `test_`, in the order in which they stand."""
    spec = importlib.util.spec_from_file_location("behaviour", file)
    assert spec is not None  # noqa: S101 (a .py file has a loader)
    assert spec.loader is not None  # noqa: S101
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever your code raises
        raise ConfigError(f"{FILE} cannot be imported: {type(error).__name__}: {error}", "Mend it.") from error
    return [(name, each) for name, each in vars(module).items() if name.startswith("test_") and callable(each)]


def _ask(name: str, test: Callable[..., object], rows: pd.DataFrame, answer: Any) -> Behaviour:
    promise = (inspect.getdoc(test) or name.removeprefix("test_").replace("_", " ")).splitlines()[0]
    try:
        test(rows, answer)
    except Exception as error:  # a broken promise, or a broken test; neither may pass
        said = " ".join(str(error).split()) or "it is not so"
        kind = "" if isinstance(error, AssertionError) else f"{type(error).__name__}: "
        return Behaviour(name=name, promise=promise, broken=f"{kind}{said}"[:LONGEST])
    return Behaviour(name=name, promise=promise, broken=None)
