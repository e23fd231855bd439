"""Every saboteur, with the gate that must refuse it and a part of that gate's message."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from . import changes

Change = Callable[[Path], None]
READS = "a fit that reads the data file fails where the data is not"
NO_NUMBER = "a metric that is NaN reaches no floor and is not better than any other"


@dataclass(frozen=True)
class Saboteur:
    """A user who pushes a small change.

    Attributes:
        id: Name for reports.
        does: Change of a clone.
        gate: Gate that must refuse it; None for a change that must pass.
        says: Text that the gate's message must contain.
        also: Further gates that must refuse it, each with the reason.
        owner: Change that the owner of the repository pushed just before, if any.
        start: Start state: with or without a champion, and the split.
    """

    id: str
    does: Change
    gate: str | None
    says: str = ""
    also: Mapping[str, str] = field(default_factory=dict)
    owner: Change | None = None
    start: Literal["champion", "dated", "empty"] = "champion"

    @property
    def slug(self) -> str:
        """Name for files."""
        return self.id.replace(" ", "-")

    def complaints(self, refused: Mapping[str, str]) -> list[str]:
        """List the errors if exactly these gates refuse it, with these messages."""
        wanted = {self.gate, *self.also} - {None}
        found = [f"{gate} passed {self.id!r}" for gate in sorted(map(str, wanted - set(refused)))]
        found += [f"{gate} refused {self.id!r}: {refused[gate]}" for gate in sorted(set(refused) - wanted)]
        message = refused.get(self.gate) if self.gate else None
        if message is not None and self.says not in message:
            found.append(f"{self.gate} does not say {self.says!r} of {self.id!r}: {message}")
        return found


HONEST = Saboteur("a better model", changes.better, None)
# By what they attack. The first of each family is pushed through the workflows; `make sabotage` pushes all of them.
FAMILIES: dict[str, tuple[Saboteur, ...]] = {
    "first version": (
        Saboteur("shuffled labels", changes.shuffled_labels, "BASELINE",
                 "always predicts the most common label has 0.5000",
                 start="empty"),
        Saboteur("a constant model", changes.constant, "BASELINE",
                 "confidence interval [+0.0000, +0.0000]", start="empty"),
    ),
    "record": (
        Saboteur("a dirty tree", changes.dirty_tree, "PROVENANCE", "It was trained from files that are not committed"),
        Saboteur("a faked metric", changes.faked_metric, "CLAIMS", "roc_auc was recorded as 0.9900"),
    ),
    "rules": (
        Saboteur("a gate loosened in the same push", changes.looser_gate, "RULES", "floor.roc_auc: 0.7 → 0.6"),
        Saboteur("another split", changes.another_split, "COMPARABLE", "The split changed from hash of 'id'"),
        Saboteur("training on the future", changes.split_at_random, "COMPARABLE", "The split changed from time of",
                 start="dated"),
    ),
    "data": (
        Saboteur("a holdout edited", changes.holdout_edited, "HOLDOUT", "30 have changed and 0 are gone"),
        Saboteur("late rows with earlier dates", changes.backdated, "HOLDOUT", "have changed", start="dated"),
        Saboteur("labels of known rows flipped", changes.labels_flipped, "LABELS", "have another target now"),
        Saboteur("held-out rows again under other keys", changes.duplicates, "DUPLICATES", "200 held-out rows"),
        Saboteur("the target in a column", changes.leak, "LEAKAGE", "The column 'x6' alone predicts the target"),
        Saboteur("the target plus noise in a column", changes.noisy_leak, "LEAKAGE", "'x8'",
                 owner=changes.other_columns_allowed),
    ),
    "metrics": (
        Saboteur("a worse model", changes.worse, "CHAMPION", "Policy improve fails: the lower end of"),
        Saboteur("not good enough", changes.better, "FLOOR", "must be at least 0.9", owner=changes.high_floor),
        Saboteur("a tie", changes.another_seed, "CHAMPION", "a tie; the champion stays"),
        Saboteur("too few rows", changes.better, "CHAMPION",
                 "Not enough evidence: 933 rows are held out, 5000 are needed",
                 owner=changes.many_rows_needed),
        Saboteur("labels looked up", changes.implausible, "JUMP", "of the champion's distance to a perfect score",
                 also={"CONTAMINATION": READS}),
        Saboteur("one label in eight looked up", changes.plausible, "CONTAMINATION", "No such file or directory"),
        Saboteur("predictions that are NaN", changes.not_a_number, "FINITE", "2 of the challenger's 933 predictions",
                 also=dict.fromkeys(("FLOOR", "BASELINE", "CHAMPION"), NO_NUMBER)),
    ),
    "parts of the rows": (
        Saboteur("one slice ruined", changes.one_slice_ruined, "SLICES", "On the slice group = isle"),
        Saboteur("a group harmed", changes.a_group_harmed, "FAIRNESS", "differ in demographic_parity by"),
        Saboteur("over-confident", changes.over_confident, "CALIBRATION", "The expected calibration error is"),
        Saboteur("right predictions turned wrong", changes.flips, "FLIPS", "the champion's label is right"),
    ),
    "behaviour": (
        Saboteur("an expectation broken", changes.misbehaves, "BEHAVIOUR", "a broken device: x7 changes a prediction"),
        Saboteur("columns by their place", changes.fragile, "ROBUSTNESS", "With the columns in another order"),
        Saboteur("training that is not repeatable", changes.not_deterministic, "DETERMINISM",
                 "after a second training"),
        Saboteur("another signature", changes.another_signature, "SCHEMA", "Column 'x8' is new"),
    ),
    "cost": (
        Saboteur("a slow model", changes.slow, "LATENCY", "; 400 ms are allowed.", owner=changes.latency_limit),
        Saboteur("a model of 200 MB", changes.large, "SIZE", "in memory, the model takes 190"),
    ),
}  # fmt: skip
SABOTEURS = tuple(saboteur for family in FAMILIES.values() for saboteur in family)
REPRESENTATIVES = tuple(family[0] for family in FAMILIES.values())
