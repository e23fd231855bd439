"""The gates, in the order of the report: gates about trust come before gates about quality.

The docstring of a gate's class is text for users: its title, its message template, and its advice (see `gate.py`).
"""

from gitops_ml.training.gates.absolute import BaselineGate, FiniteGate, FloorGate
from gitops_ml.training.gates.champion import ChampionGate as ChampionGate
from gitops_ml.training.gates.champion import ComparableGate, JumpGate
from gitops_ml.training.gates.gate import Gate as Gate
from gitops_ml.training.gates.gate import Outcome as Outcome
from gitops_ml.training.gates.gate import Verdict as Verdict
from gitops_ml.training.gates.model_checks import (
    BehaviourGate,
    ContaminationGate,
    DeterminismGate,
    LatencyGate,
    RobustnessGate,
    SizeGate,
)
from gitops_ml.training.gates.row_checks import DuplicatesGate, HoldoutGate, LabelsGate, LeakageGate
from gitops_ml.training.gates.subgroups import CalibrationGate, FairnessGate, FlipsGate, SlicesGate
from gitops_ml.training.gates.version_checks import ClaimsGate, ProvenanceGate, RulesGate, SchemaGate

GATES: tuple[Gate, ...] = (
    FiniteGate(), SchemaGate(), ProvenanceGate(), ClaimsGate(), RulesGate(), HoldoutGate(), LabelsGate(),
    DuplicatesGate(), LeakageGate(), FloorGate(), BaselineGate(), ComparableGate(), ChampionGate(), JumpGate(),
    SlicesGate(), FairnessGate(), CalibrationGate(), FlipsGate(), BehaviourGate(), RobustnessGate(), DeterminismGate(),
    ContaminationGate(), LatencyGate(), SizeGate(),
)  # fmt: skip
