"""Which column of the data each transformed feature stems from, as far as the transformers tell."""

import copy
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

AND = " × "
# Names that no data has, so that a feature called "a_b_c" is not taken for one of "a" where it is one of "a_b".
MARK = re.compile(r"⟦(\d+)⟧")


def origins(step: Any, names: Sequence[str]) -> list[str] | None:
    """The column behind each feature that a fitted transformer makes.

    A feature of several columns has the names of all, joined by AND; one that tells none has its own. None where not
    even their number is known.

    Args:
        step: A transformer, or a composition of such.
        names: What its own inputs stem from.
    """
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import FeatureUnion, Pipeline

    if step is None or step == "passthrough":
        return list(names)
    if isinstance(step, Pipeline):
        return _through(step, names)
    if isinstance(step, ColumnTransformer):
        return _beside(step, names)
    if isinstance(step, FeatureUnion):
        parts = [origins(each, names) for _, each in step.transformer_list if each != "drop"]
        return None if any(part is None for part in parts) else [name for part in parts for name in part or ()]
    return _told(step, names)


def _through(pipeline: Any, names: Sequence[str]) -> list[str] | None:
    """One step after the other; where one does not tell, the next may know the names that it was given."""
    known: list[str] | None = list(names)
    for _, step in pipeline.steps:
        if known is None:
            known = [str(name) for name in getattr(step, "feature_names_in_", ())] or None
        known = None if known is None else origins(step, known)
    return known


def _beside(columns: Any, names: Sequence[str]) -> list[str] | None:
    """Each transformer with its own columns; how many features it makes is known in any case."""
    frame = pd.DataFrame([range(len(names))], columns=list(getattr(columns, "feature_names_in_", names)))
    found = [""] * max((place.stop for place in columns.output_indices_.values()), default=0)
    for name, step, chosen in columns.transformers_:
        place = columns.output_indices_[name]
        if place.stop == place.start:
            continue
        mine = [names[number] for number in _places(frame, chosen)]
        told = origins(step, mine) or []
        if len(told) != place.stop - place.start:
            told = mine[:1] * (place.stop - place.start) if len(mine) == 1 else [
                str(number) for number in range(place.stop - place.start)]  # fmt: skip
        found[place] = [one if _known(one, mine) else f"{name}__{one}" for one in told]
    return found


def _places(frame: pd.DataFrame, chosen: Any) -> list[int]:
    """What a ColumnTransformer was told to choose: names, numbers, a slice or a mask."""
    chosen = [chosen] if isinstance(chosen, str | int) else chosen
    named = isinstance(chosen.start if isinstance(chosen, slice) else next(iter(chosen), None), str)
    part = frame.loc[:, chosen] if named else frame.iloc[:, chosen]
    return [int(number) for number in part.to_numpy().ravel()]


def _told(step: Any, names: Sequence[str]) -> list[str] | None:
    """What a transformer says when its inputs have names that can be found again in those of its features."""
    asked = copy.copy(step)
    vars(asked).pop("feature_names_in_", None)  # it would insist on the names that it has seen
    try:
        said = [str(name) for name in asked.get_feature_names_out([f"⟦{n}⟧" for n in range(len(names))])]
    except Exception:  # yours, or one that has no names to give
        return None
    return [_origin(name, names) for name in said]


def _origin(name: str, names: Sequence[str]) -> str:
    several = set(names)
    found = [names[int(number)] for number in MARK.findall(name) if int(number) < len(names)]
    if found:
        return AND.join(np.unique(found))
    return several.pop() if len(several) == 1 else name


def _known(origin: str, names: Sequence[str]) -> bool:
    return origin in names or set(origin.split(AND)) <= {part for name in names for part in name.split(AND)}
