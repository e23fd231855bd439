"""Model files: saved with skops, opened only after a digest check and only with the repository's own types.

`gitops` is the only loader: MLflow's reads the types to trust from the file itself, which is no check at all.
"""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Types of scikit-learn and numpy that skops does not trust by itself. They hold numbers, not code; `Tree` does not
# check its indices, so what protects is the digest, which is verified before anything is opened.
SKLEARN_TYPES = (
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogLink",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss._loss.CyAbsoluteError",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.metrics._dist_metrics.EuclideanDistance64",
    "sklearn.neighbors._kd_tree.KDTree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
)


def save(model: "Pipeline", file: Path, trusted: Iterable[str]) -> None:
    """Write a fitted pipeline with skops.

    Raises:
        ConfigError: It holds a type that no reader would accept; better known now than at deployment.
    """
    import skops.io

    skops.io.dump(model, file, compression=zipfile.ZIP_DEFLATED)
    strangers = _strangers(file, trusted)
    if strangers:
        raise ConfigError(
            f"The pipeline holds types that a model file may not contain: {', '.join(strangers)}.",
            "If they are safe, name them in `trusted_types` under [serving] in model.toml.",
        )


def load(file: Path, trusted: Iterable[str]) -> "Pipeline":
    """Open a model file whose digest was verified.

    Args:
        file: Written by `save`.
        trusted: `trusted_types` of the repository's model.toml; never what the file itself claims.

    Raises:
        IntegrityError: It holds a type that is not allowed.
    """
    import skops.io

    trusted = tuple(trusted)
    strangers = _strangers(file, trusted)
    if strangers:
        raise IntegrityError(
            f"{file.name} holds types that are not allowed: {', '.join(strangers)}. It was not opened.",
            "If they are safe, name them in `trusted_types` under [serving] in model.toml.",
        )
    model: Pipeline = skops.io.load(file, trusted=[*SKLEARN_TYPES, *trusted])
    return model


def _strangers(file: Path, trusted: Iterable[str]) -> list[str]:
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(file=file)) - {*SKLEARN_TYPES, *trusted})
