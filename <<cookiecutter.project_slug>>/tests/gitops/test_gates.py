# machinery
"""The gates, in pairs: what each lets pass, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import MODEL_TOML

from gitops.config import Config, Split, parse
from gitops.manifest import digest_json
from gitops.predictions import Predictions
from gitops.run import Lineage, Run
from gitops.training.compare import Comparison, compare
from gitops.training.evidence import Evidence, Scored, gather
from gitops.training.gates import GATES, Outcome
from gitops.training.train import Prepared

ROWS = 300
CONFIG = parse(MODEL_TOML)
Make = Callable[[], Evidence]
OTHER_SPLIT = Split(method="hash", column="id", holdout=0.2)


def configured(old: str = "", new: str = "", **champion: Any) -> Config:
    """The sample's configuration with a change, and with other rules about the champion."""
    config = parse(MODEL_TOML.replace(old, new) if old else MODEL_TOML)
    rules = config.gates.champion.model_copy(update=champion)
    return config.model_copy(update={"gates": config.gates.model_copy(update={"champion": rules})})


def lineage(split: Split = CONFIG.split) -> Lineage:
    """Of a training that never was."""
    return Lineage(
        commit=None, dirty=False, data="sha256:d", rows=2 * ROWS, holdout="sha256:h", holdout_rows=ROWS, split=split,
        training="sha256:t", configuration="sha256:c", lock=None, python="3.11", libraries={},
    )  # fmt: skip


def prepared(positives: float = 0.5) -> Prepared:
    """Rows whose target alone matters here; a share of them is "yes"."""
    labels = np.where(np.arange(ROWS) < round(ROWS * positives), "yes", "no")
    frame = pd.DataFrame({"id": [f"r{n}" for n in range(ROWS)], "label": labels})
    return Prepared(frame, frame, frame["id"], lineage())


def says(strength: float, positives: float = 0.5, seed: int = 0) -> Predictions:
    """What a model says that knows the truth with this strength, beside its noise."""
    truth = prepared(positives).held_out["label"].to_numpy() == "yes"
    noise = np.random.default_rng(seed).normal(size=ROWS)
    yes = 1 / (1 + np.exp(-strength * (2 * truth - 1) - noise))
    return Predictions(np.where(yes > 0.5, "yes", "no"), np.column_stack([1 - yes, yes]), ("no", "yes"))


def spoilt(value: float) -> Predictions:
    """A perfect model, but for one row."""
    said = says(20)
    assert said.probabilities is not None
    said.probabilities[3, 1] = value
    return said


def scored(number: str, predictions: Predictions, split: Split, sketch: list[int]) -> Scored:
    """A version that says this."""
    run = Run(
        model="sample", task="classification", created="2026-01-01", forced=False, key="id", target="label", columns={},
        classes=predictions.classes, parameters={}, metrics={}, lineage=lineage(split),
    )  # fmt: skip
    return Scored(number, digest_json(number), run, sketch, {"columns": {}}, predictions, own_code=False)


def gathered(
    challenger: Predictions, champion: Predictions | None = None, *, config: Config = CONFIG, positives: float = 0.5,
    new: float = 0.0, champion_split: Split = CONFIG.split,
) -> Evidence:  # fmt: skip
    """Evidence about what two models say; a share of the challenger's data is new to the champion."""
    ours = scored("2", challenger, config.split, list(range(100)))
    theirs = scored("1", champion, champion_split, list(range(round(100 * new), 100))) if champion else None
    return gather(config, prepared(positives=positives), ours, theirs)


@cache
def measured(challenger: float, champion: float | None, metric: str) -> Evidence:
    """Evidence about two models of some strength; measured once, whatever the rules."""
    config = configured('metric = "roc_auc"', f'metric = "{metric}"')
    return gathered(says(challenger), says(champion) if champion is not None else None, config=config)


def evidence(
    challenger: float = 2, champion: float | None = None, *, config: Config = CONFIG, rows: int = ROWS, new: float = 0.0
) -> Evidence:
    """The same under other rules, with other rows, on newer data."""
    found = measured(challenger, champion, config.evaluation.metric)
    return replace(found, config=config, rows=rows, share_new=None if champion is None else new)


def given(*strengths: float, **rules: Any) -> Make:
    """The same, made when it is asked for."""
    return partial(evidence, *strengths, **rules)


def judged(gate: str, found: Evidence) -> Outcome:
    """What one gate says."""
    return next(each for each in GATES if each.id == gate).judge(found)


# for each gate, evidence that it passes and evidence that it refuses, and the figure that its message names
PAIRS: dict[str, tuple[Make, Make, str]] = {
    "FINITE": (given(2), partial(gathered, spoilt(np.nan)), "1 of the challenger's 300 predictions"),
    "FLOOR": (
        given(2),
        given(config=configured("roc_auc = 0.6", "roc_auc = 0.999")),
        "must be at least 0.999.",
    ),
    "BASELINE": (
        given(2),
        given(0, config=configured("roc_auc = 0.6", "roc_auc = 0.3\n[gates.baseline]\nmargin = 0.1")),
        "that of always giving the most common answer 0.5000; the gain lies in [",
    ),
    "COMPARABLE": (
        given(2, 1),
        partial(gathered, says(2), says(1), champion_split=OTHER_SPLIT),
        "The split changed from hash of 'id' (0.2 of the rows) to hash of 'id' (0.4 of the rows)",
    ),
    "CHAMPION": (
        given(2, 1),
        given(1, 2),
        "Policy improve fails: the whole interval must lie above 0.",
    ),
}


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_each_gate_passes(gate: str) -> None:
    """A gate without a pair above fails here."""
    assert judged(gate, PAIRS[gate][0]()).verdict == "passed"


@pytest.mark.parametrize("gate", [gate.id for gate in GATES])
def test_each_gate_refuses(gate: str) -> None:
    """With the figures that it judged by."""
    outcome = judged(gate, PAIRS[gate][1]())
    assert outcome.verdict == "refused"
    assert PAIRS[gate][2] in outcome.message


@pytest.mark.parametrize("gate", [gate.id for gate in GATES if gate.id != "FINITE"])
def test_what_a_gate_refuses_passes_all_others(gate: str) -> None:
    """So the pair is about this gate; a NaN alone fails all that measure."""
    assert compare(PAIRS[gate][1](), "sha256:h").refused == (gate,)


def test_no_pair_is_about_a_gate_that_is_gone() -> None:
    """The table names the gates there are, in their order."""
    assert list(PAIRS) == [gate.id for gate in GATES]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_nan_never_wins(value: float) -> None:
    """One NaN or infinite number among 300, and neither floor nor baseline nor champion passes."""
    found = compare(gathered(spoilt(value), says(1)), "sha256:h")
    assert found.verdict == "refuse"
    assert found.refused == ("FINITE", "FLOOR", "BASELINE", "CHAMPION")


def test_without_a_champion_the_others_decide() -> None:
    """And the gates about the champion say why they do not apply."""
    found = compare(evidence(2), "sha256:h")
    assert found.verdict == "promote"
    assert [gate.id for gate in found.gates if gate.verdict == "not applicable"] == ["COMPARABLE", "CHAMPION"]
    assert judged("CHAMPION", evidence(2)).message == "There is no champion yet; the other gates decide alone."


def test_without_a_floor_the_gate_says_so() -> None:
    """It hinders nothing."""
    outcome = judged("FLOOR", evidence(config=configured("[gates.floor]\nroc_auc = 0.6", "")))
    assert outcome.verdict == "not applicable"
    assert "No floor is set" in outcome.message


@pytest.mark.parametrize(("floor", "verdict"), [(0.6, "passed"), (0.01, "refused")])
def test_a_loss_must_be_at_most_its_floor(floor: float, verdict: str) -> None:
    """Less is better there, and the sentence says so."""
    outcome = judged("FLOOR", evidence(config=configured("roc_auc = 0.6", f"log_loss = {floor}")))
    assert outcome.verdict == verdict
    assert f"must be at most {floor}" in outcome.message


def test_every_floor_must_be_reached() -> None:
    """One that is not is enough."""
    config = configured("roc_auc = 0.6", "roc_auc = 0.6\naccuracy = 0.9999")
    assert judged("FLOOR", evidence(config=config)).verdict == "refused"


def improve_only(**rules: Any) -> Config:
    """Nothing but a better version will do."""
    return configured(policies=("improve",), **rules)


def refresh_only(**rules: Any) -> Config:
    """Newer data will do."""
    return configured(policies=("refresh",), **rules)


# the evidence, whether the challenger may replace the champion, and what the message says
CHAMPIONS: dict[str, tuple[Make, bool, str]] = {
    "better": (given(2, 1), True, "Policy improve holds"),
    "better, improve alone": (given(2, 1, config=improve_only()), True, "Policy improve holds"),
    "better, but not by the margin": (given(2, 1, config=improve_only(margin=0.5)), False, "must lie above 0.5."),
    "a little better, within chance": (partial(gathered, says(1.05, seed=1), says(1)), False, "Policy improve fails"),
    "worse": (given(1, 2), False, "Policy improve fails"),
    "worse on newer data": (given(1, 2, new=0.9), False, "90% is."),
    "a tie": (given(2, 2), False, "Policy improve fails: a tie; the champion stays."),
    "a tie on newer data": (given(2, 2, new=0.2), True, "Policy refresh holds"),
    "a tie on newer data, improve alone": (given(2, 2, new=0.2, config=improve_only()), False, "a tie"),
    "a tie on data with too little new": (given(2, 2, new=0.05), False, "10% of the data must be new; 5% is."),
    "a tie on exactly the share": (given(2, 2, new=0.1), True, "Policy refresh holds"),
    "slightly worse on newer data": (
        given(1.99, 2, new=0.2, config=refresh_only(refresh_margin=0.05)), True, "must lie above -0.05",
    ),
    "too few rows": (
        given(20, 1, rows=99), False, "Not enough evidence: 99 rows are held out, 100 are needed.",
    ),
    "just enough rows": (given(20, 1, rows=100), True, "Policy improve holds"),
    "too few rows on newer data": (given(2, 2, rows=99, new=0.9), False, "Not enough evidence"),
    "the champion says NaN": (partial(gathered, says(2), spoilt(np.nan)), False, "Policy improve fails"),
    "less is better": (
        given(2, 1, config=configured('metric = "roc_auc"', 'metric = "log_loss"')), True, "Policy improve holds",
    ),
    "less is better, and it is more": (
        given(1, 2, config=configured('metric = "roc_auc"', 'metric = "log_loss"')), False, "Policy improve fails",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "wins", "sentence"), CHAMPIONS.values(), ids=CHAMPIONS)
def test_who_replaces_the_champion(make: Make, wins: bool, sentence: str) -> None:
    """Improve, or refresh; a tie, chance or too few rows leave the champion in place."""
    outcome = judged("CHAMPION", make())
    assert (outcome.verdict == "passed") is wins
    assert sentence in outcome.message


def test_the_interval_does_not_depend_on_how_many_are_measured_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large holdout is resampled one by one, for the sake of memory; a small one a thousand times at once."""
    together = gathered(says(1.2), says(1)).champion_gain
    monkeypatch.setattr("gitops.training.gain.AT_ONCE", 1)
    assert gathered(says(1.2), says(1)).champion_gain == together


def test_the_interval_is_about_the_gain() -> None:
    """It holds the gain, is the same for the same seed, and a higher confidence widens it."""
    first, again = (gathered(says(1.2), says(1)).champion_gain for _ in range(2))
    wide = gathered(says(1.2), says(1), config=configured("= 100", "= 100\nconfidence = 0.999")).champion_gain
    assert first is not None
    assert wide is not None
    assert first == again
    assert wide.low < first.low < first.point < first.high < wide.high


def test_the_interval_is_paired() -> None:
    """Both are measured on the same resampled rows, so what is hard for both widens nothing."""
    near, far = says(1.05), says(1.05, seed=1)
    gains = [gathered(each, says(1)).champion_gain for each in (near, far)]
    widths = [gain.high - gain.low for gain in gains if gain]
    assert widths[0] < widths[1] / 5


def test_a_rare_class_leaves_an_interval() -> None:
    """Many resamples of 300 rows hold none of three positives; the others speak."""
    gain = gathered(says(4, 0.01), says(0, 0.01), positives=0.01).champion_gain
    assert gain is not None
    assert np.isfinite([gain.low, gain.high]).all()


def test_the_champion_against_itself_is_no_promotion() -> None:
    """The same digest is the champion already, whatever the gates say."""
    found = evidence(2, 2)
    assert compare(replace(found, champion=found.challenger), "sha256:h").verdict == "champion"


def test_evidence_says_what_is_new_to_the_champion() -> None:
    """And nothing of that kind where there is none."""
    assert gathered(says(2), says(1), new=0.25).share_new == 0.25
    assert gathered(says(2)).share_new is None


def test_a_comparison_survives_its_own_json() -> None:
    """A NaN becomes null, for JSON has none."""
    found = compare(gathered(spoilt(np.nan), says(1)), "sha256:h")
    assert ": NaN" not in found.to_json()
    assert Comparison.model_validate_json(found.to_json()) == found


def test_every_gates_docstring_is_a_title_and_a_message() -> None:
    """They are what people read."""
    for gate in GATES:
        title, _, message = str(type(gate).__doc__).partition("\n")
        assert title, gate.id
        assert "{" in message, gate.id
