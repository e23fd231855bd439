"""Import the schema and the pipeline of your package."""

import difflib
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError

if TYPE_CHECKING:
    import pandera.pandas as pa
    from sklearn.pipeline import Pipeline


@dataclass(frozen=True)
class UserPackage:
    """The schema and the pipeline of your package.

    Attributes:
        schema: Schema of a row of data; from `Schema` in schema.py.
        pipeline: Function that returns the unfitted scikit-learn Pipeline for a seed; `pipeline` in estimator.py.
    """

    schema: "pa.DataFrameSchema"
    pipeline: "Callable[[int], Pipeline]"


def load_user_package(repository: Repository) -> UserPackage:
    """Import your package and check that it has a schema and a pipeline.

    Args:
        repository: Repository with the package.

    Returns:
        The schema and the pipeline.

    Raises:
        ConfigError: The package cannot be imported, or an object is missing or has another type.
    """
    import pandera.pandas as pa

    schema_class = import_attribute(repository, "schema", "Schema")
    if not (isinstance(schema_class, type) and issubclass(schema_class, pa.DataFrameModel)):
        raise _package_error(repository, "Schema in schema.py is not a pandera DataFrameModel")
    schema = schema_class.to_schema()
    data = repository.config.data
    for name in (data.key, data.target, *data.known_later):
        if name not in schema.columns:
            raise ConfigError(
                f"model.toml: [data] names the column {name!r}, but Schema in schema.py has no such column.",
                f"Use one of these: {', '.join(schema.columns)}.",
            )
    return UserPackage(schema, import_attribute(repository, "estimator", "pipeline"))


def load_schema_of_categories(repository: Repository, columns: Mapping[str, str]) -> "pa.DataFrameSchema | None":
    """Return the schema if a version has columns of categories, because a run does not record the lists; else None.

    Args:
        repository: Repository with the package.
        columns: Columns of the version, with their dtypes.

    Raises:
        ConfigError: The package cannot be imported, or an object is missing or has another type.
    """
    return load_user_package(repository).schema if "category" in columns.values() else None


def check_monitored_columns(repository: Repository, package: UserPackage) -> None:
    """Check that the columns under [monitoring] exist; serving a model needs no such check.

    Args:
        repository: Repository with model.toml.
        package: User's package with the schema.

    Raises:
        ConfigError: `left_out` names a column that the schema does not have.
    """
    for name in repository.config.monitoring.left_out:
        if name not in package.schema.columns:
            close = difflib.get_close_matches(name, package.schema.columns, 1)
            hint = f"Perhaps you meant {close[0]!r}. " if close else ""
            raise ConfigError(
                f"model.toml: [monitoring] left_out names the column {name!r}, but Schema in schema.py has no such "
                "column, so its drift would still raise alarms.",
                f"{hint}Use some of these: {', '.join(package.schema.columns)}.",
            )


def import_attribute(repository: Repository, module: str, name: str) -> Any:
    """Import an object from a module of your package.

    Args:
        repository: Repository with the package.
        module: Name of the module in the package.
        name: Name of the object in the module.

    Returns:
        The object.

    Raises:
        ConfigError: The module cannot be imported, or has no such name.
    """
    package = repository.config.project.package
    add_source_folder(repository)
    try:
        return getattr(importlib.import_module(f"{package}.{module}"), name)
    except Exception as error:  # your code may raise any exception during import
        raise _package_error(
            repository, f"{name} in {module}.py cannot be imported: {type(error).__name__}: {error}"
        ) from error


def add_source_folder(repository: Repository) -> None:
    """Let this process import your package, as a model with types of its own needs.

    Args:
        repository: Repository with the package.
    """
    source = str(repository.root / "src")
    if source not in sys.path:
        sys.path.insert(0, source)


def _package_error(repository: Repository, reason: str) -> ConfigError:
    return ConfigError(
        f"src/{repository.config.project.package}: {reason}.",
        "The package needs `Schema` in schema.py and `pipeline(seed)` in estimator.py.",
    )
