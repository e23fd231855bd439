"""The rows that no compared version was trained on, if the split moves with time.

With method "time", each version was trained on the rows before its own cutoff, which its lineage records. A comparison
uses the held-out rows from the latest of these cutoffs on.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from gitops_ml.config import SplitConfig
from gitops_ml.run import Lineage
from gitops_ml.training.comparison_input import ComparisonInput, ScoredVersion
from gitops_ml.training.split import holdout_digest, row_times


def keep_comparable_rows(inputs: ComparisonInput) -> ComparisonInput:
    """Return the input with the held-out rows that neither version was trained on; the others are set aside.

    If fewer rows than `minimum_rows` under [gates] are left, all rows stay, and the versions are incomparable.

    Args:
        inputs: Versions, with their predictions for all held-out rows of the current split.
    """
    split, prepared = inputs.config.split, inputs.prepared
    versions = {"the challenger": inputs.challenger, "the champion": inputs.champion}
    cutoffs = {
        subject: cutoff for subject, version in versions.items()
        if version and (cutoff := _moving_cutoff(version.run.lineage, split)) is not None
    }  # fmt: skip
    own = training_cutoff(prepared.lineage)
    subject = max(cutoffs, key=lambda each: cutoffs[each], default="")
    if own is None or not subject or cutoffs[subject] <= own:
        return inputs
    latest, minimum = cutoffs[subject], inputs.config.gates.minimum_rows
    keep = (row_times(inputs.config, prepared.held_out) >= latest).to_numpy()
    if keep.sum() < minimum:
        return replace(inputs, incomparable=(
            f"{subject} was trained on rows from before {latest.isoformat()}, and of the rows from then on, "
            f"{keep.sum()} are held out; at least {minimum} are needed. Add newer rows"
        ))  # fmt: skip
    held_out = prepared.held_out[keep].reset_index(drop=True)
    lineage = prepared.lineage.model_copy(
        update={"holdout": holdout_digest(held_out), "holdout_rows": len(held_out), "cutoff": latest.isoformat()}
    )
    return replace(
        inputs,
        prepared=replace(prepared, held_out=held_out, set_aside=prepared.held_out[~keep], lineage=lineage),
        challenger=_take(inputs.challenger, keep),
        champion=_take(inputs.champion, keep) if inputs.champion else None,
    )


def training_cutoff(lineage: Lineage) -> pd.Timestamp | None:
    """Return the time from which on a version was trained on no row; None if it was not split by time.

    Args:
        lineage: Lineage of the version.
    """
    if lineage.split.method != "time":
        return None
    # A run of an older library has a fixed cutoff, and records it in its split alone.
    cutoff = pd.Timestamp(lineage.cutoff or str(lineage.split.cutoff))
    return cutoff.tz_localize("UTC") if cutoff.tz is None else cutoff


def explain_later_cutoff(subject: str, lineage: Lineage, current: Lineage) -> str | None:
    """Return why a version cannot be compared on the held-out rows of a comparison; None if it can.

    Args:
        subject: Name of the version.
        lineage: Lineage of the version.
        current: Lineage of the comparison, with its cutoff.
    """
    cutoff, compared = training_cutoff(lineage), training_cutoff(current)
    if cutoff is None or compared is None or lineage.split.column != current.split.column or cutoff <= compared:
        return None
    return f"{subject} was trained on rows from before {cutoff.isoformat()}, of which some are held out now"


def _moving_cutoff(lineage: Lineage, split: SplitConfig) -> pd.Timestamp | None:
    """Return the cutoff of a version that was split by the same dates; None if the split itself is incomparable."""
    same = lineage.split.method == split.method == "time" and lineage.split.column == split.column
    is_fixed = lineage.split.cutoff is not None and split.cutoff is not None
    return training_cutoff(lineage) if same and not is_fixed else None


def _take(version: ScoredVersion, keep: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> ScoredVersion:
    return replace(version, predictions=version.predictions.take(keep))
