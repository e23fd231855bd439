"""Load a version in a notebook or a script: the same verified files, and the same predictions, as in production.

    from gitops_ml.notebook import load_version
    version = load_version()

The stable interface of the library includes this module.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd
    import pandera.pandas as pa
    from sklearn.pipeline import Pipeline

    from gitops_ml.config import Repository
    from gitops_ml.rows.cell_rules import CellRules
    from gitops_ml.run import Run


@dataclass(frozen=True)
class LoadedVersion:
    """A version of the model.

    Attributes:
        number: Version number in the registry.
        digest: Digest of its files.
        pipeline: The fitted scikit-learn Pipeline.
        run: Metadata of its training: columns, classes, metrics, parameters, lineage.
    """

    number: str
    digest: str
    pipeline: "Pipeline"
    run: "Run"
    _rules: "CellRules"
    _schema: "pa.DataFrameSchema | None"

    @property
    def metrics(self) -> Mapping[str, float]:
        """Metrics of the version on the held-out rows, by name."""
        return self.run.metrics

    def predict(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        """Predict rows. Cells are read as the server reads them; the schema's other rules are not checked.

        Args:
            rows: Rows with the columns of the version, in any order; other columns are ignored. Shape (n, columns).

        Returns:
            A column with the predictions, and one with the probability of each class if the model has probabilities;
            with the index of the rows. Shape (n, 1 + classes).

        Raises:
            DataUnreadable: A column is missing, or a cell is no value of its column.
        """
        from gitops_ml.predictions import predict, to_frame
        from gitops_ml.serving.score import select_columns

        typed = select_columns(rows, self.run, self._rules, "The table", self._schema)
        return to_frame(predict(self.pipeline, typed)).set_axis(rows.index)


def load_version(number: str | int | None = None, *, environment: str | None = None) -> LoadedVersion:
    """Download a version, verify its files, and load its model.

    Args:
        number: Version number in the registry; None for the champion.
        environment: Environment of the champion; None for the last one in model.toml.

    Returns:
        The version.

    Raises:
        ConfigError: There is no champion, or no such version; or this folder is in no repository with model.toml.
        IntegrityError: The files do not match the digest of record or registry, or a type in the model is not trusted.
        StoreError: The store cannot be read.
    """
    from gitops_ml.commands import find_repository, resolve_environment
    from gitops_ml.commands.score import fetch_champion, fetch_version
    from gitops_ml.rows.cell_rules import cell_rules
    from gitops_ml.serving.score import open_run
    from gitops_ml.user_package import add_source_folder, load_schema_of_categories

    repository = find_repository(Path.cwd())
    add_source_folder(repository)
    if number is None:
        champion, folder = fetch_champion(repository, resolve_environment(repository, environment))
        name, digest = champion.version, champion.digest
    else:
        name, digest = str(number), _find_digest(repository, str(number))
        folder = fetch_version(repository, name, digest)
    run, pipeline = open_run(folder, digest, repository.config.serving.trusted_types)
    schema = load_schema_of_categories(repository, run.columns)
    return LoadedVersion(name, digest, pipeline, run, cell_rules(repository.config.data), schema)


def load_training_rows() -> "pd.DataFrame":
    """Read, validate and split the data of this repository, and return the rows that models are trained on.

    Held-out rows decide about versions: a model that was chosen by looking at them would make that decision worthless.

    Returns:
        All columns, with the types of the schema. Shape (n, columns).

    Raises:
        DataRefused: Rows break the schema.
        DataUnreadable: The data cannot be read.
        ConfigError: model.toml or your package is not valid.
    """
    from gitops_ml.commands import find_repository
    from gitops_ml.errors import DataRefused
    from gitops_ml.training.train import prepare
    from gitops_ml.training.validate import validate
    from gitops_ml.user_package import load_user_package

    repository = find_repository(Path.cwd())
    validation = validate(repository, load_user_package(repository), keep_rows=True)
    if validation.frame is None:
        raise DataRefused("The data breaks the schema.", "`gitops validate` lists each problem with its rows.")
    return prepare(repository, validation.frame, validation.digest).rows


def _find_digest(repository: "Repository", number: str) -> str:
    """Return the digest that the registry has for a version; that of the champion is in the record."""
    from gitops_ml.errors import ConfigError
    from gitops_ml.registry.store import connect
    from gitops_ml.registry.versions import list_versions

    digests = {each.number: each.digest for each in list_versions(connect(repository), repository.config.project.name)}
    if number not in digests:
        raise ConfigError(
            f"The registry has no version {number}.", f"It has: {', '.join(sorted(digests, key=int)) or 'none yet'}."
        )
    return digests[number]
