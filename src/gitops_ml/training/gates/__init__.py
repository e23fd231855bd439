"""The gates, in the order in which people read them: what cannot be trusted at all comes before what is not good."""

from gitops_ml.training.gates.alone import Baseline, Finite, Floor
from gitops_ml.training.gates.champion import Champion as Champion
from gitops_ml.training.gates.champion import Comparable, Jump
from gitops_ml.training.gates.conduct import Behaviour, Determinism, Latency, Robustness, Size
from gitops_ml.training.gates.gate import Gate as Gate
from gitops_ml.training.gates.gate import Outcome as Outcome
from gitops_ml.training.gates.gate import Verdict as Verdict
from gitops_ml.training.gates.origin import Claims, Origin, Rules, Schema
from gitops_ml.training.gates.people import Calibration, Fairness, Flips, Slices
from gitops_ml.training.gates.rows import Duplicates, Holdout, Labels, Leakage

GATES: tuple[Gate, ...] = (
    Finite(), Schema(), Origin(), Claims(), Rules(), Holdout(), Labels(), Duplicates(), Leakage(), Floor(), Baseline(),
    Comparable(), Champion(), Jump(), Slices(), Fairness(), Calibration(), Flips(), Behaviour(), Robustness(),
    Determinism(), Latency(), Size(),
)  # fmt: skip
