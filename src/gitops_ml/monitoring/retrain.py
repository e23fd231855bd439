"""Whether an alarm starts a training: limits, and whether there is anything new to learn from."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from gitops_ml.monitoring.memory import Retraining, State
from gitops_ml.watch import Retrain

# What a training can change; a broken pipe, a slow or a failing server it cannot.
LEARNABLE = ("data drift", "prediction drift", "performance decay")
MONTH = timedelta(days=30)
FEATURES = "**It needs new labels or features.**"


@dataclass(frozen=True)
class Chance:
    """What a training would find.

    Attributes:
        version: The champion.
        trained_on: Digest of the data behind it.
        data: Digest of the data that a training would read; None where it cannot be known without reading it.
        offered: The version that an open proposal offers; None where there is none.
        last: How the last training ended that was asked for; None where no run of it is known: asking failed.
    """

    version: str
    trained_on: str
    data: str | None
    offered: str | None = None
    last: Literal["running", "red", "green"] | None = None


@dataclass(frozen=True)
class Decision:
    """What becomes of the alarms.

    Attributes:
        keys: For which a training is asked for now; none, where it is not.
        words: What happens next, for people, in Markdown.
    """

    keys: tuple[str, ...]
    words: str


def decide(retrain: Retrain, state: State, now: datetime, chance: Chance) -> Decision | None:
    """Whether a training is to be asked for; None where no alarm is of a kind that it could mend."""
    keys = tuple(key for key in state.alarms if key.startswith(LEARNABLE))
    if not keys:
        return None
    tried = {key: _attempts(state, key) for key in keys}
    left = tuple(key for key in keys if tried[key] < retrain.attempts)
    lost = f"{_lost(state.asked[-1])}. " if state.asked and chance.last is None else ""
    return _stopped(retrain, state, now, chance, left) or Decision(left, lost + asked_for(now, retrain))


def asked_for(at: datetime, retrain: Retrain) -> str:
    """What is said of a training that was asked for."""
    after = at + timedelta(hours=retrain.cooldown_hours)
    return (
        f"A training was asked for at {_time(at)}; what it makes is compared with the champion as ever, and offered in "
        f"a pull request if it is better. No other is asked for before {_time(after)}."
    )


def _stopped(retrain: Retrain, state: State, now: datetime, chance: Chance, left: tuple[str, ...]) -> Decision | None:
    """Why nothing is asked for; None where nothing stands in the way."""
    last = state.asked[-1] if state.asked else None
    if not retrain.enabled:
        return Decision((), "People decide, for `enabled` is false under `[monitoring.retrain]`: Actions > Train.")
    if chance.offered:
        return Decision((), f"Version {chance.offered} is offered in a pull request: merge it, or close it.")
    if last and now - last.at < timedelta(hours=retrain.cooldown_hours):
        return Decision((), asked_for(last.at, retrain) if chance.last else _may_begin(last, retrain))
    if chance.data is not None and chance.data == chance.trained_on:
        return Decision((), _labels(chance))
    if not left:
        return Decision((), f"{FEATURES} {retrain.attempts} trainings were asked for, and the alarm is still there. No "
                            "more are asked for; whoever knows the data must look.")  # fmt: skip
    answered = chance.last in ("running", "green")
    if last and last.data == chance.data is not None and last.digest == state.digest and answered:
        return Decision((), _in_vain(last, chance))
    recent = [each for each in state.asked if now - each.at < MONTH]
    if len(recent) >= retrain.monthly:
        after = recent[-retrain.monthly].at + MONTH
        many = f"{len(recent)} trainings were asked for in 30 days, and `monthly` allows {retrain.monthly}"
        return Decision((), f"{many}: none is asked for before {_time(after)}.")
    return None


def _labels(chance: Chance) -> str:
    return (
        f"**It needs labels**: there are no new labelled rows since version {chance.version} was trained, so a "
        "training would learn nothing. Bring them with `gitops ingest` (the workflow Ingest), by a pull request that "
        "adds rows to the data, or tell the servers the truth (`POST /outcomes`)."
    )


def _in_vain(last: Retraining, chance: Chance) -> str:
    if chance.last == "running":
        return f"The training that was asked for at {_time(last.at)} is under way."
    return (
        f"{FEATURES} The training that was asked for at {_time(last.at)} did not beat version "
        f"{chance.version}, and there are no other rows since. Train's summary says which gate refused. No "
        "more is asked for before the data changes."
    )


def _lost(last: Retraining) -> str:
    return f"A training was asked for at {_time(last.at)}, and no run of Train is known since"


def _may_begin(last: Retraining, retrain: Retrain) -> str:
    after = last.at + timedelta(hours=retrain.cooldown_hours)
    return f"{_lost(last)}: if none begins, it is asked for again after {_time(after)}."


def _attempts(state: State, key: str) -> int:
    """Trainings that were asked for since this alarm began."""
    return sum(key in each.keys and each.at >= state.alarms[key].since for each in state.asked)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
