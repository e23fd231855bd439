"""The path of a request through the server, in this process: the gate LATENCY measures it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from gitops_ml.config import Repository
    from gitops_ml.run import Run
    from gitops_ml.user_package import UserPackage


def open_request_handler(
    repository: "Repository", package: "UserPackage", metadata: "Run", model: Any, folder: Path, rows: "pd.DataFrame"
) -> "Callable[[int], object] | None":
    """Return a function that answers a request of one row as a server of the version does, except for HTTP.

    Args:
        repository: Repository whose schema and settings are used.
        package: Schema of the repository.
        metadata: Metadata of the version whose columns requests have.
        model: Fitted model.
        folder: Folder of the version.
        rows: Rows to send.

    Returns:
        The function; None if the server refuses a row, or the schema does not fit the version.
    """
    from gitops_ml.errors import ConfigError
    from gitops_ml.rows.cell_rules import cell_rules
    from gitops_ml.serving.api_error import ApiError
    from gitops_ml.serving.body import JSON
    from gitops_ml.serving.row_validator import RowValidator
    from gitops_ml.serving.service import Service, VersionId

    objects = rows.astype(object).where(rows.notna(), None).to_dict("records")
    bodies = [json.dumps({"rows": [row]}, default=str).encode() for row in objects]
    try:
        validator = RowValidator(package.schema, metadata, rows, cell_rules(repository.config.data))
        service = Service(VersionId(""), metadata, model, folder, validator, repository, True)
        for body in bodies:
            service.predict(JSON, body)
    except (ApiError, ConfigError):
        return None
    return lambda number: service.predict(JSON, bodies[number % len(bodies)])
