"""Decision on retraining: whether alarms start a training, given the limits and the new data."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from gitops_ml.monitoring.monitoring_history import MonitoringState, RetrainRequest
from gitops_ml.monitoring_config import RetrainConfig

# Kinds of findings that a training can fix. It cannot fix a broken data pipeline, or a slow or failing server.
TRAINABLE = ("data drift", "prediction drift", "performance decay")
MONTH = timedelta(days=30)
NEEDS_FEATURES = "**The model needs new labels or features.**"


@dataclass(frozen=True)
class RetrainContext:
    """The facts that decide whether a training is useful now.

    Attributes:
        version: Version number of the champion.
        trained_on: Digest of the data that the champion was trained on.
        data: Digest of the data that a training would read; None if it is unknown without reading the data.
        proposed_version: Version that an open promotion pull request proposes; None if there is none.
        last_run: Result of the last requested training; None if no run of it is known, because the request failed.
    """

    version: str
    trained_on: str
    data: str | None
    proposed_version: str | None = None
    last_run: Literal["running", "red", "green"] | None = None


@dataclass(frozen=True)
class RetrainDecision:
    """The decision for the active alarms.

    Attributes:
        keys: Keys of the alarms that request a training now; empty if none is requested.
        text: Next step for the user, in Markdown.
    """

    keys: tuple[str, ...]
    text: str


def decide_retraining(
    retrain: RetrainConfig, state: MonitoringState, now: datetime, context: RetrainContext
) -> RetrainDecision | None:
    """Return the decision whether to request a training; None if a training can fix none of the alarms.

    Args:
        retrain: Limits on trainings.
        state: Active alarms and earlier requests.
        now: Current time.
        context: Facts about champion, data and the last training.
    """
    keys = tuple(key for key in state.alarms if key.startswith(TRAINABLE))
    if not keys:
        return None
    attempts = {key: _attempts(state, key) for key in keys}
    remaining = tuple(key for key in keys if attempts[key] < retrain.attempts)
    unknown_run = f"{_no_run_known(state.asked[-1])}. " if state.asked and context.last_run is None else ""
    stop = _reason_not_to_train(retrain, state, now, context, remaining)
    return stop or RetrainDecision(remaining, unknown_run + requested_text(now, retrain))


def requested_text(at: datetime, retrain: RetrainConfig) -> str:
    """Return the text about a requested training, in Markdown.

    Args:
        at: Time of the request.
        retrain: Limits on trainings.
    """
    after = at + timedelta(hours=retrain.cooldown_hours)
    return (
        f"A training was requested at {_time(at)}. Its version is compared with the champion as usual, and proposed in "
        f"a pull request if it is better. No other training is requested before {_time(after)}."
    )


def _reason_not_to_train(
    retrain: RetrainConfig, state: MonitoringState, now: datetime, context: RetrainContext, remaining: tuple[str, ...]
) -> RetrainDecision | None:
    """Return the decision against a training; None if a training is allowed."""
    last = state.asked[-1] if state.asked else None
    if not retrain.enabled:
        return RetrainDecision(
            (), "Trainings are not requested, because `enabled` is false under `[monitoring.retrain]`. To train, run "
                "the workflow Train under Actions."
        )  # fmt: skip
    if context.proposed_version:
        return RetrainDecision(
            (), f"Version {context.proposed_version} is proposed in a pull request: merge it, or close it."
        )
    if last and now - last.at < timedelta(hours=retrain.cooldown_hours):
        text = requested_text(last.at, retrain) if context.last_run else _wait_for_run(last, retrain)
        return RetrainDecision((), text)
    if context.data is not None and context.data == context.trained_on:
        return RetrainDecision((), _needs_labels(context))
    if not remaining:
        return RetrainDecision(
            (), f"{NEEDS_FEATURES} {retrain.attempts} trainings were requested, and the alarm is still active. No more "
                "are requested. A person who knows the data must find the cause."
        )  # fmt: skip
    answered = context.last_run in ("running", "green")
    if last and last.data == context.data is not None and last.digest == state.digest and answered:
        return RetrainDecision((), _same_data(last, context))
    recent = [request for request in state.asked if now - request.at < MONTH]
    if len(recent) >= retrain.monthly:
        after = recent[-retrain.monthly].at + MONTH
        limit = f"{len(recent)} trainings were requested in 30 days, and `monthly` allows {retrain.monthly}"
        return RetrainDecision((), f"{limit}. No other is requested before {_time(after)}.")
    return None


def _needs_labels(context: RetrainContext) -> str:
    return (
        f"**The model needs labels.** There are no new labelled rows since version {context.version} was trained, so a "
        "training would change nothing. Add rows with `gitops ingest` (the workflow Ingest), with a pull request that "
        "adds rows to the data, or send outcomes to the servers (`POST /outcomes`)."
    )


def _same_data(last: RetrainRequest, context: RetrainContext) -> str:
    if context.last_run == "running":
        return f"The training that was requested at {_time(last.at)} is running."
    return (
        f"{NEEDS_FEATURES} The training that was requested at {_time(last.at)} did not beat version "
        f"{context.version}, and the data has not changed since then. The summary of the workflow Train names the gate "
        "that refused it. No other training is requested until the data changes."
    )


def _no_run_known(last: RetrainRequest) -> str:
    return f"A training was requested at {_time(last.at)}, and no run of Train has started since then"


def _wait_for_run(last: RetrainRequest, retrain: RetrainConfig) -> str:
    after = last.at + timedelta(hours=retrain.cooldown_hours)
    return f"{_no_run_known(last)}. If none starts, it is requested again after {_time(after)}."


def _attempts(state: MonitoringState, key: str) -> int:
    """Return the number of trainings that were requested since this alarm started."""
    return sum(key in request.keys and request.at >= state.alarms[key].since for request in state.asked)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
