"""Model files: written with skops, loaded only after a check of the digest and with the repository's trusted types.

MLflow's own loader is not used: it takes the types to trust from the file itself.
"""

import io
import json
import sys
import zipfile
from collections.abc import Iterable
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gitops_ml.errors import ConfigError, IntegrityError
from gitops_ml.modelling.archive_size import find_bomb
from gitops_ml.modelling.trusted_types import SKLEARN_TYPES

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# With a type of these modules, a model file could call any function by its name.
UNSAFE_MODULES = frozenset({"builtins", "functools", "importlib", "nt", "operator", "os", "posix", "subprocess", "sys"})
SHOWN = 5
MAX_REASON = 300
WRITE_AGAIN = (
    "Train again. If an installed scikit-learn or skops is not the one of requirements/train.txt, run `make setup`."
)


def save_model(model: "Pipeline", file: Path, trusted: Iterable[str]) -> None:
    """Write a fitted pipeline with skops.

    Args:
        model: Fitted pipeline.
        file: Path to write to.
        trusted: `trusted_types` of the repository's model.toml.

    Raises:
        ConfigError: The pipeline contains a type that `load_model` would refuse, or that skops cannot write; or the
            file would unpack to much more than its size.
    """
    content = _dump(model)
    _check_types(content, tuple(trusted))
    if problem := find_bomb(io.BytesIO(content)):
        raise ConfigError(
            f"The model file {problem}, so it would not be loaded.",
            "Most of the model's arrays hold the same value again and again: let the estimator keep sparse arrays, or "
            "none of them.",
        )
    file.write_bytes(content)


def check_savable(pipeline: "Pipeline", trusted: Iterable[str]) -> None:
    """Check that a pipeline, fitted or not, can be written and loaded again, in memory.

    Args:
        pipeline: Pipeline of the user's code.
        trusted: `trusted_types` of the repository's model.toml.

    Raises:
        ConfigError: The pipeline contains a type that is not trusted, or that skops cannot write or load.
    """
    import skops.io

    trusted = tuple(trusted)
    content = _dump(pipeline)
    _check_types(content, trusted)
    try:
        skops.io.loads(content, trusted=[*SKLEARN_TYPES, *trusted])
    except Exception as error:  # constructors and __setstate__ of the user's types can raise any exception
        raise ConfigError(
            f"A model file with this pipeline cannot be loaded again: {type(error).__name__}: {error}",
            "A type in it does not restore its state. Let it keep its state in attributes, as scikit-learn's "
            "estimators do.",
        ) from error


def load_model(file: Path, trusted: Iterable[str]) -> "Pipeline":
    """Load a model file whose digest was verified.

    Args:
        file: File that `save_model` wrote.
        trusted: `trusted_types` of the repository's model.toml, never types that the file itself names.

    Returns:
        The fitted pipeline.

    Raises:
        IntegrityError: The file contains a type that is not trusted, unpacks to much more than its size, or is no model
            file.
    """
    import skops.io
    from sklearn.pipeline import Pipeline

    trusted = tuple(trusted)
    if problem := find_bomb(file):
        raise IntegrityError(
            f"{file.name} {problem}. It was not loaded.",
            "No estimator writes such a file. Find out where it is from, and train again to replace it.",
        )
    try:
        untrusted = _untrusted_types(trusted, file=file)
    except Exception as error:  # skops expects the files that it writes; others end in any exception
        raise _unreadable(file, error) from error
    if untrusted:
        raise IntegrityError(
            f"{file.name} contains types that are not allowed: {', '.join(untrusted)}. It was not loaded.",
            "If they are safe, add them to `trusted_types` under [serving] in model.toml.",
        )
    try:
        model = skops.io.load(file, trusted=[*SKLEARN_TYPES, *trusted])
    except Exception as error:  # as above, and code of the user's types
        raise _unreadable(file, error) from error
    if not isinstance(model, Pipeline) or not getattr(model, "steps", None):
        raise IntegrityError(
            f"{file.name} holds an object of the type {type(model).__name__}, not a scikit-learn Pipeline with steps.",
            WRITE_AGAIN,
        )
    return model


def _unreadable(file: Path, error: Exception) -> IntegrityError:
    """Return the error for a file that skops cannot read; only the first line of its message is short."""
    reason = " ".join([type(error).__name__, *str(error).splitlines()[:1]])
    return IntegrityError(f"{file.name} is not a model file that skops can read ({reason[:MAX_REASON]}).", WRITE_AGAIN)


def _dump(model: "Pipeline") -> bytes:
    """Return the content of a model file.

    Raises:
        ConfigError: skops cannot write the model.
    """
    import skops.io

    try:
        content: bytes = skops.io.dumps(model, compression=zipfile.ZIP_DEFLATED)
    except Exception as error:  # __getstate__ and __reduce__ of the user's types can raise any exception
        reason = (
            "an object in it holds one of its own methods, as histogram gradient boosting does with `scoring`"
            if isinstance(error, RecursionError)
            else f"{type(error).__name__}: {error}"
        )
        raise ConfigError(
            f"The pipeline cannot be written to a model file: {reason}.",
            "Model files are written with skops, never with pickle. Use another estimator or other parameters in "
            "estimator.py or features.py.",
        ) from error
    return content


def _check_types(content: bytes, trusted: tuple[str, ...]) -> None:
    """Refuse types that are not trusted, with the entries of `trusted_types` to add."""
    untrusted = _untrusted_types(trusted, data=content)
    if untrusted:
        raise ConfigError(
            f"The pipeline contains types that a model file may not contain: {', '.join(untrusted)}.",
            _advise(untrusted, trusted),
        )


def _advise(untrusted: list[str], trusted: tuple[str, ...]) -> str:
    """Return how each type can be allowed or replaced."""
    unsafe = [name for name in untrusted if name.split(".")[0] in UNSAFE_MODULES]
    nameless = [name for name in untrusted if name not in unsafe and not _is_importable(name)]
    safe = [name for name in untrusted if name not in {*unsafe, *nameless}]
    sentences = []
    if safe:
        sentences.append(
            "If they are safe, add them to `trusted_types` under [serving] in model.toml: "
            f"trusted_types = {json.dumps([*trusted, *safe])}"
        )
    if nameless:
        sentences.append(
            f"{', '.join(nameless[:SHOWN])}: a lambda, or a function or class inside a function, cannot be loaded "
            "again. Write it with `def` or `class` at the top level of features.py."
        )
    if unsafe:
        sentences.append(
            f"{', '.join(unsafe[:SHOWN])}: do not trust these, because a model file could call any function with them. "
            "Write a function of your own in features.py instead."
        )
    return "\n".join(sentences)


def _is_importable(name: str) -> bool:
    """Return whether a name belongs to an object of an imported module, so that a file can be loaded with it."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        module = sys.modules.get(".".join(parts[:end]))
        if module is not None:
            try:
                attrgetter(".".join(parts[end:]))(module)
            except AttributeError:
                return False
            return True
    return False


def _untrusted_types(trusted: tuple[str, ...], **source: Any) -> list[str]:
    """Return the types in a model `file`, or in its `data`, that are neither scikit-learn's nor trusted; sorted."""
    import skops.io

    return sorted(set(skops.io.get_untrusted_types(**source)) - {*SKLEARN_TYPES, *trusted})
