"""What gitops asks of your package, and the one place where it looks for it."""

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    import pandera.pandas as pa
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class Yours:
    """What only you can know.

    Attributes:
        schema: One row of data; from `Schema` in schema.py.
        pipeline: The unfitted scikit-learn Pipeline for a seed; `pipeline` in estimator.py.
    """

    schema: "pa.DataFrameSchema"
    pipeline: "Callable[[int], Pipeline]"


def load(repository: Repository) -> Yours:
    """Import your package and check that it keeps the contract.

    Raises:
        ConfigError: It cannot be imported, or a name is missing or of another kind.
    """
    import pandera.pandas as pa

    model = find(repository, "schema", "Schema")
    if not (isinstance(model, type) and issubclass(model, pa.DataFrameModel)):
        raise _broken(repository, "Schema in schema.py is not a pandera DataFrameModel")
    schema = model.to_schema()
    for name in (repository.config.data.key, repository.config.data.target):
        if name not in schema.columns:
            raise ConfigError(
                f"model.toml: [data] names the column {name!r}, but Schema in schema.py has no such column.",
                f"Perhaps one of these: {', '.join(schema.columns)}.",
            )
    return Yours(schema, find(repository, "estimator", "pipeline"))


def find(repository: Repository, module: str, name: str) -> Any:
    """One name out of one module of your package."""
    package = repository.config.project.package
    source = str(repository.root / "src")
    if source not in sys.path:
        sys.path.insert(0, source)
    try:
        return getattr(importlib.import_module(f"{package}.{module}"), name)
    except Exception as error:  # whatever your code raises while it is imported
        raise _broken(repository, f"{name} in {module}.py cannot be had: {type(error).__name__}: {error}") from error


def _broken(repository: Repository, why: str) -> ConfigError:
    return ConfigError(
        f"src/{repository.config.project.package}: {why}.",
        "It must hold `Schema` in schema.py and `pipeline(seed)` in estimator.py.",
    )
