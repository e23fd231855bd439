"""What an MLflow model of ours names as its loader: a refusal.

MLflow would take the types to trust from the model's own files, which is no check. `gitops score` verifies the digest
that the record pins and loads with the repository's own list of types.
"""

from gitops_ml.errors import IntegrityError


def _load_pyfunc(path: str) -> object:
    raise IntegrityError(
        f"MLflow was asked to load {path}, which would trust whatever that folder says of itself.",
        "Use `gitops score`, which checks the digest first.",
    )
