"""The loader module that logged MLflow models name; it refuses to load them.

MLflow would take the list of trusted types from the model's own files, which verifies nothing. `gitops score` verifies
the digest that the record pins, and loads the model with the repository's own list of types.
"""

from gitops_ml.errors import IntegrityError


def _load_pyfunc(path: str) -> object:
    raise IntegrityError(
        f"MLflow cannot load {path} safely: it would trust the list of types in that folder.",
        "Use `gitops score`, which verifies the digest first.",
    )
