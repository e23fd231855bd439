"""Every saboteur, with the gate that is meant for it and a part of what that gate must say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from . import changes

Change = Callable[[Path], None]
NO_NUMBER = "a metric that is no number reaches nothing and beats nobody"


@dataclass(frozen=True)
class Saboteur:
    """Somebody who pushes a small change.

    Attributes:
        id: For people.
        does: The change, to a clone.
        gate: What must refuse it; None for one that must pass.
        says: What the gate's message must hold.
        also: Gates that must refuse it too, each with the reason why they cannot but do so.
        owner: What the owner of the repository pushed just before, if anything.
        start: Whether there is a champion, and how its holdout was chosen.
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
        """For files."""
        return self.id.replace(" ", "-")

    def complaints(self, refused: Mapping[str, str]) -> list[str]:
        """What is wrong if these gates refuse it, and no others, with these messages."""
        wanted = {self.gate, *self.also} - {None}
        found = [f"{gate} passed {self.id!r}" for gate in sorted(map(str, wanted - set(refused)))]
        found += [f"{gate} refused {self.id!r}: {refused[gate]}" for gate in sorted(set(refused) - wanted)]
        said = refused.get(self.gate) if self.gate else None
        if said is not None and self.says not in said:
            found.append(f"{self.gate} does not say {self.says!r} of {self.id!r}: {said}")
        return found


HONEST = Saboteur("a better model", changes.better, None)
SABOTEURS = (
    Saboteur("shuffled labels", changes.shuffled_labels, "BASELINE", "always giving the most common answer 0.5000",
             start="empty"),
    Saboteur("a constant model", changes.constant, "BASELINE", "the gain lies in [0.0000, 0.0000]", start="empty"),
    Saboteur("answers that are no numbers", changes.not_a_number, "FINITE", "2 of the challenger's 933 predictions",
             also=dict.fromkeys(("FLOOR", "BASELINE", "CHAMPION"), NO_NUMBER)),
    Saboteur("another signature", changes.another_signature, "SCHEMA", "Column 'x8' is new"),
    Saboteur("a dirty tree", changes.dirty_tree, "PROVENANCE", "It was trained from files that are not committed"),
    Saboteur("a faked metric", changes.faked_metric, "CLAIMS", "roc_auc was said to be 0.9900"),
    Saboteur("a gate loosened in the same push", changes.looser_gate, "RULES", "floor.roc_auc: 0.7 → 0.6"),
    Saboteur("a holdout edited", changes.holdout_edited, "HOLDOUT", "30 have changed and 0 are gone"),
    Saboteur("a future with earlier dates", changes.backdated, "HOLDOUT", "have changed", start="dated"),
    Saboteur("labels of known rows flipped", changes.labels_flipped, "LABELS", "have another target now"),
    Saboteur("held-out rows again under other keys", changes.duplicates, "DUPLICATES", "200 held-out rows"),
    Saboteur("the target in a column", changes.leak, "LEAKAGE", "'x6' predicts the target alone"),
    Saboteur("not good enough", changes.better, "FLOOR", "must be at least 0.9", owner=changes.high_floor),
    Saboteur("another split", changes.another_split, "COMPARABLE", "The split changed from hash of 'id'"),
    Saboteur("a future that is learnt from", changes.split_at_random, "COMPARABLE", "The split changed from time of",
             start="dated"),
    Saboteur("a worse model", changes.worse, "CHAMPION", "Policy improve fails: the whole interval"),
    Saboteur("a tie", changes.another_seed, "CHAMPION", "a tie; the champion stays"),
    Saboteur("too few rows", changes.better, "CHAMPION", "Not enough evidence: 933 rows are held out, 5000 are needed",
             owner=changes.many_rows_needed),
    Saboteur("answers looked up", changes.implausible, "JUMP", "of the champion's distance to perfection vanishes"),
    Saboteur("one slice ruined", changes.one_slice_ruined, "SLICES", "Where group = isle"),
    Saboteur("a group harmed", changes.a_group_harmed, "FAIRNESS", "Demographic_parity of sex differs"),
    Saboteur("over-confident", changes.over_confident, "CALIBRATION", "The expected calibration error is"),
    Saboteur("right answers turned wrong", changes.flips, "FLIPS", "the champion's label was right"),
    Saboteur("an expectation broken", changes.misbehaves, "BEHAVIOUR", "a broken device: x7 changes an answer"),
    Saboteur("columns by their place", changes.fragile, "ROBUSTNESS", "With the columns in another order"),
    Saboteur("training that is not repeatable", changes.not_deterministic, "DETERMINISM", "of a second training"),
    Saboteur("a slow model", changes.slow, "LATENCY", "100 ms are allowed"),
    Saboteur("a model of 200 MB", changes.large, "SIZE", "in memory it takes 190"),
)  # fmt: skip
