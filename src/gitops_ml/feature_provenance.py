"""Trace transformed features back to the columns of the data, as far as the transformers name them."""

import copy
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

SEPARATOR = " × "
# Input names that occur in no data, so that the feature "a_b_c" is not taken for one of "a" if it is one of "a_b".
PLACEHOLDER = re.compile(r"⟦(\d+)⟧")


def trace_features(step: Any, names: Sequence[str]) -> list[str] | None:
    """Return the source column of each feature that a fitted transformer makes.

    A feature of several columns has all their names, joined by SEPARATOR; a feature without known columns has its own
    name.

    Args:
        step: A fitted transformer, or a composition of transformers.
        names: Source columns of the inputs of the transformer.

    Returns:
        One name for each feature; None if the number of features is unknown.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    if step is None or step == "passthrough":
        return list(names)
    if isinstance(step, Pipeline):
        return _trace_pipeline(step, names)
    if isinstance(step, ColumnTransformer):
        return _trace_columns(step, names)
    if isinstance(step, FeatureUnion):
        parts = [trace_features(each, names) for _, each in step.transformer_list if each != "drop"]
        return None if any(part is None for part in parts) else [name for part in parts for name in part or ()]
    return _trace_transformer(step, names)


def _trace_pipeline(pipeline: Any, names: Sequence[str]) -> list[str] | None:
    """Trace the steps in their order; after a step without names, the next may know the names of its inputs."""
    sources: list[str] | None = list(names)
    for _, step in pipeline.steps:
        if sources is None:
            sources = [str(name) for name in getattr(step, "feature_names_in_", ())] or None
        sources = None if sources is None else trace_features(step, sources)
    return sources


def _trace_columns(columns: Any, names: Sequence[str]) -> list[str] | None:
    """Trace each transformer of a ColumnTransformer, whose number of features is always known."""
    frame = pd.DataFrame([range(len(names))], columns=list(getattr(columns, "feature_names_in_", names)))
    sources = [""] * max((indices.stop for indices in columns.output_indices_.values()), default=0)
    for name, step, selector in columns.transformers_:
        indices = columns.output_indices_[name]
        count = indices.stop - indices.start
        if not count:
            continue
        inputs = [names[number] for number in _select(frame, selector)]
        traced = trace_features(step, inputs) or []
        if len(traced) != count:
            traced = inputs[:1] * count if len(inputs) == 1 else [str(number) for number in range(count)]
        sources[indices] = [each if _is_source(each, inputs) else f"{name}__{each}" for each in traced]
    return sources


def _select(frame: pd.DataFrame, selector: Any) -> list[int]:
    """Return the indices of the columns that a ColumnTransformer selects by names, numbers, a slice or a mask."""
    selector = [selector] if isinstance(selector, str | int) else selector
    by_name = isinstance(selector.start if isinstance(selector, slice) else next(iter(selector), None), str)
    part = frame.loc[:, selector] if by_name else frame.iloc[:, selector]
    return [int(number) for number in part.to_numpy().ravel()]


def _trace_transformer(step: Any, names: Sequence[str]) -> list[str] | None:
    """Trace a transformer by placeholders: inputs with names that are recognized in the names of its features."""
    renamed = copy.copy(step)
    vars(renamed).pop("feature_names_in_", None)  # with it, the transformer accepts only the names of the fit
    try:
        outputs = [str(name) for name in renamed.get_feature_names_out([f"⟦{n}⟧" for n in range(len(names))])]
    except Exception:  # your own transformer may raise any exception, or have no names
        return None
    return [_source(name, names) for name in outputs]


def _source(name: str, names: Sequence[str]) -> str:
    distinct = set(names)
    sources = [names[int(number)] for number in PLACEHOLDER.findall(name) if int(number) < len(names)]
    if sources:
        return SEPARATOR.join(np.unique(sources))
    return distinct.pop() if len(distinct) == 1 else name


def _is_source(source: str, names: Sequence[str]) -> bool:
    return source in names or set(source.split(SEPARATOR)) <= {part for name in names for part in name.split(SEPARATOR)}
