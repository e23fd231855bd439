"""Model files: written with skops, loaded only after a check of the digest and with the repository's trusted types.

MLflow's own loader is not used: it takes the types to trust from the file itself.
"""

import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from gitops_ml.errors import ConfigError, IntegrityError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Types of scikit-learn and numpy that skops does not trust by default. They hold numbers, not code. `Tree` does not
# check its indices; the digest, which is verified before a file is opened, protects from a manipulated one.
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


def save_model(model: "Pipeline", file: Path, trusted: Iterable[str]) -> None:
    """Write a fitted pipeline with skops.

    Args:
        model: Fitted pipeline.
        file: Path to write to.
        trusted: `trusted_types` of the repository's model.toml.

    Raises:
        ConfigError: The pipeline contains a type that `load_model` would refuse.
    """
    import skops.io

    skops.io.dump(model, file, compression=zipfile.ZIP_DEFLATED)
    untrusted = _untrusted_types(file, trusted)
    if untrusted:
        raise ConfigError(
            f"The pipeline contains types that a model file may not contain: {', '.join(untrusted)}.",
            "If they are safe, add them to `trusted_types` under [serving] in model.toml.",
        )


def load_model(file: Path, trusted: Iterable[str]) -> "Pipeline":
    """Load a model file whose digest was verified.

    Args:
        file: File that `save_model` wrote.
        trusted: `trusted_types` of the repository's model.toml, never types that the file itself names.

    Returns:
        The fitted pipeline.

    Raises:
        IntegrityError: The file contains a type that is not trusted.
    """
    import skops.io

    trusted = tuple(trusted)
    untrusted = _untrusted_types(file, trusted)
    if untrusted:
        raise IntegrityError(
            f"{file.name} contains types that are not allowed: {', '.join(untrusted)}. It was not loaded.",
            "If they are safe, add them to `trusted_types` under [serving] in model.toml.",
        )
    model: Pipeline = skops.io.load(file, trusted=[*SKLEARN_TYPES, *trusted])
    return model


def _untrusted_types(file: Path, trusted: Iterable[str]) -> list[str]:
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(file=file)) - {*SKLEARN_TYPES, *trusted})
