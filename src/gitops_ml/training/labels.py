"""Checks of the labels of a classification, before anything is fitted."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from gitops_ml.config import Config
from gitops_ml.errors import ConfigError, DataRefused

SHOWN = 10


def count_labels(target: pd.Series) -> dict[Any, int]:
    """Return the number of rows of each label; missing values are not counted.

    Args:
        target: Values of the target; shape (n,).
    """
    counts = target.dropna().astype(object).value_counts()
    return dict(sorted(zip(counts.index.tolist(), counts.tolist(), strict=True), key=lambda item: str(item[0])))


def check_labels(config: Config, labels: Mapping[Any, int], missing: int) -> None:
    """Check the target of a classification against model.toml.

    Args:
        config: Configuration with target and positive label.
        labels: Number of rows of each label.
        missing: Number of rows whose target is missing.

    Raises:
        ConfigError: `positive` is no label of the target, or there are not two labels.
        DataRefused: The target of some rows is missing.
    """
    target, positive = config.data.target, config.data.positive
    if missing:
        raise DataRefused(
            f"The target {target!r} is missing in {missing} row(s), and a model cannot learn from them.",
            "Remove these rows from the data, or write their label.",
        )
    if config.project.task != "classification":
        return
    if len(labels) < 2:
        only = ", ".join(map(toml_label, labels))
        raise ConfigError(
            f"The target {target!r} has only the label {only}, and a classification needs two.",
            "Add rows with another label, or set `target` under [data] in model.toml to another column.",
        )
    fractions = [label for label in labels if isinstance(label, float) and not label.is_integer()]
    if fractions:
        raise ConfigError(
            f"The target {target!r} has numbers with decimals, such as {fractions[0]}, which are no labels.",
            'Set `task = "regression"` under [project] in model.toml, or `target` to another column.',
        )
    if positive is None or any(_is_same_label(positive, label) for label in labels):
        return
    shown = ", ".join(toml_label(label) for label in list(labels)[:SHOWN])
    more = f" ({len(labels) - SHOWN} more)" if len(labels) > SHOWN else ""
    raise ConfigError(
        f"model.toml: [data] positive is {toml_label(positive)}, which is not a label of the target {target!r}.",
        f"Set it to one of these: {shown}{more}.",
    )


def check_sides(config: Config, training: pd.Series, held_out: pd.Series) -> tuple[str, ...]:
    """Check the labels on both sides of the split.

    Args:
        config: Configuration with target, split and metric.
        training: Target of the training rows.
        held_out: Target of the held-out rows.

    Returns:
        Sentences about labels that one side lacks; a comparison is possible without them.

    Raises:
        ConfigError: One side has fewer than two labels, so that nothing can be learned or measured.
    """
    if config.project.task != "classification":
        return ()
    sides = {"training": count_labels(training), "held-out": count_labels(held_out)}
    for name, found in sides.items():
        if len(found) < 2:
            labels = ", ".join(map(toml_label, found))
            purpose = "learn a second one" if name == "training" else f"measure {config.evaluation.metric}"
            raise ConfigError(
                f"All {sum(found.values())} {name} rows have the label {labels} in {config.data.target!r}, "
                f"which is not enough to {purpose}.",
                "Change [split] in model.toml, or add rows with other labels.",
            )
    return tuple(_describe_missing(sides))


def _is_same_label(positive: object, label: object) -> bool:
    """Return whether a label of model.toml is one of the data: `true` is not 1, but 1 is the 1.0 of a float column."""
    return positive == label and isinstance(positive, bool) == isinstance(label, bool)


def _describe_missing(sides: Mapping[str, Mapping[Any, int]]) -> list[str]:
    training, held_out = sides["training"], sides["held-out"]
    sentences = []
    if unseen := [label for label in training if label not in held_out]:
        sentences.append(
            f"No held-out row has the label {_list(unseen, training)}: metrics say nothing about it. "
            "Change [split], or add rows."
        )
    if unknown := [label for label in held_out if label not in training]:
        sentences.append(
            f"No training row has the label {_list(unknown, held_out)}: the model cannot predict it. "
            "Change [split], or add rows."
        )
    return sentences


def _list(labels: list[Any], counts: Mapping[Any, int]) -> str:
    """Return labels with their number of rows on the other side."""
    shown = [f"{toml_label(label)} ({counts[label]} rows)" for label in labels[:SHOWN]]
    return ", ".join(shown) + (f", and {len(labels) - SHOWN} more" if len(labels) > SHOWN else "")


def toml_label(label: Any) -> str:
    """Return a label as model.toml has it: "text", 1, true.

    Args:
        label: Label of the target.
    """
    return json.dumps(label.item() if isinstance(label, np.generic) else label, ensure_ascii=False, default=str)
