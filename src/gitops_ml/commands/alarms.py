"""What alarms bring about: a word to people when they begin or end, a training, and one issue each."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gitops_ml import console
from gitops_ml.bins import bins, counted
from gitops_ml.errors import GitopsError
from gitops_ml.forge import alarm as issues
from gitops_ml.forge import pull_request, trains
from gitops_ml.forge.report import escape
from gitops_ml.monitoring import memory as memories
from gitops_ml.monitoring.retrain import Chance, Decision, decide
from gitops_ml.monitoring.webhook import post
from gitops_ml.registry import observed
from gitops_ml.registry.propose import branch_name, proposed
from gitops_ml.registry.reconcile import ledger_of

if TYPE_CHECKING:
    from gitops_ml.commands.site import Site
    from gitops_ml.forge.github import GitHub
    from gitops_ml.monitoring.alarms import Turn
    from gitops_ml.monitoring.memory import Memory
    from gitops_ml.monitoring.window import Finding, Window
    from gitops_ml.registry.record import Record

LISTED = 10  # windows in an issue
# What follows an alarm that no training can end.
BY_HAND = {
    "missing values": "A training would only learn the gap, so none is asked for: find what fills this column, and "
                      "mend it there.",
    "refused requests": "Callers send what `schema.py` refuses. The answers name column and rule: find who changed "
                        "what they send, or change the schema by pull request.",
    "failed requests": "The servers' logs say why. `gitops rollback --now --why ...` brings the version before back at "
                       "once.",
    "slow requests": "Look at load and replicas; `gitops rollback --now --why ...` brings a faster version back at "
                     "once.",
}  # fmt: skip


def settle(site: "Site", record: "Record", turn: "Turn", reference: Mapping[str, Any]) -> None:
    """Make the world say what is remembered; what it says already is left alone.

    Args:
        site: The environment.
        record: What serves.
        turn: What is remembered, and what began and ended just now.
        reference: Of the version that serves.

    Raises:
        GitopsError: The training could not be asked for, or nobody knows whether it should be; the issues were kept all
            the same.
    """
    _tell(site, turn)
    memory, decision, stopped = _train(site, record, turn.memory)
    if decision:
        site.say(decision.words)
    if site.github:
        site.again(_issues, site, site.github, record, memory, reference, decision)
    if stopped:
        raise stopped


def over(site: "Site") -> None:
    """Where nothing is watched, or nothing serves, no alarm stands."""
    if site.github:
        site.again(_close, site, site.github, set())


def _train(site: "Site", record: "Record", memory: "Memory") -> "tuple[Memory, Decision | None, GitopsError | None]":
    """Ask for a training where that may help; what hinders that must not hide the alarm."""
    if not memory.state.alarms:
        return memory, None, None
    try:
        decision = _decision(site, record, memory)
        return _ask(site, record, memory, decision) if decision and decision.keys else (memory, decision, None)
    except GitopsError as error:
        words = f"Whether a training would help, this run could not find out: {escape(error.what)}"
        return memory, Decision((), words), error


def _tell(site: "Site", turn: "Turn") -> None:
    """The webhook, once for each beginning and each end."""
    variable, name = site.repository.config.monitoring.webhook_env, site.repository.config.project.name
    for keys, word in ((turn.begun, "began"), (turn.ended, "ended")):
        if keys:
            run = f" {turn.memory.state.run}" if turn.memory.state.run else ""
            wrong = post(variable, f"{name} in {site.environment}: {word}: {'; '.join(keys)}.{run}")
            site.say(f"{'Alarm' if word == 'began' else 'Over'}: {'; '.join(keys)}.")
            if wrong:
                console.warn(wrong)


def _decision(site: "Site", record: "Record", memory: "Memory") -> Decision | None:
    return _decide(site, memory, _chance(site, record, memory))


def _decide(site: "Site", memory: "Memory", chance: Chance) -> Decision | None:
    return decide(site.repository.config.monitoring.retrain, memory.state, datetime.now(UTC), chance)


def _chance(site: "Site", record: "Record", memory: "Memory") -> Chance:
    """What a training of main would find."""
    root, github, last = site.repository.root, site.github, memory.state.asked
    open_now = pull_request.find(github, branch_name(site.environment)) if github else None
    offered = proposed(root, site.environment) if open_now else None
    ended = trains.dispatched_since(github, last[-1].at) if github and last else None
    return Chance(record.version, record.lineage.data, _data(site), offered.version if offered else None, ended)


def _data(site: "Site") -> str | None:
    """The digest of the data that a training would read; of a query nobody knows it without asking the database."""
    from gitops_ml.training.data import digest_files

    return digest_files(site.repository) if site.repository.config.data.path else None


def _ask(
    site: "Site", record: "Record", memory: "Memory", decision: Decision
) -> "tuple[Memory, Decision | None, GitopsError | None]":
    """Ask for a training, noted first: killed in between, the next run waits for the cool-down, and asks once."""
    if site.github is None:
        why = f"{'; '.join(decision.keys)}: here is no GitHub to ask for a training (GITHUB_TOKEN). Train by hand: "
        return memory, Decision((), f"{why}`gitops train`."), None
    chance, environment = _chance(site, record, memory), site.environment

    def note(there: observed.Observed) -> observed.Observed | None:
        newest = memories.parse(there.windows, there.state, environment)
        found = _decide(site, newest, chance)
        if not found or not found.keys or newest.state.digest != record.digest:
            return None
        asked = memories.Retraining(
            at=datetime.now(UTC), keys=list(found.keys), digest=record.digest, data=chance.data, by=site.who
        )
        state = newest.state.model_copy(update={"asked": [*newest.state.asked, asked]})
        return observed.Observed(there.windows, state.model_dump(mode="json"))

    branch, message = ledger_of(site.repository, site.store), f"Monitoring: {environment} asks for a training"
    noted = observed.change(branch, environment, message, note)
    newest = noted or observed.read(branch, environment)
    memory = memories.parse(newest.windows, newest.state, environment)
    if not noted:
        return memory, _decision(site, record, memory), None
    try:
        trains.ask(site.github, _payload(site, record, memory.state.asked[-1].keys))
    except GitopsError as error:
        return memory, _decision(site, record, memory), error
    # GitHub lists a run a moment after it was asked for.
    return memory, _decide(site, memory, replace(chance, last="running")), None


def _payload(site: "Site", record: "Record", keys: list[str]) -> dict[str, str]:
    """Why, and where new rows come from, for whoever looks at the run."""
    config = site.repository.config
    return {
        "alarm": "; ".join(keys)[:500], "environment": site.environment, "version": record.version,
        "data": config.data.path or "query", "source": config.ingest.source, "run": site.who,
    }  # fmt: skip


def _issues(
    site: "Site", github: "GitHub", record: "Record", memory: "Memory", reference: Mapping[str, Any],
    decision: Decision | None,
) -> None:  # fmt: skip
    """Keep one issue for each alarm, or for many columns together, and close the others."""
    wanted = _wanted(site, record, memory, reference, decision)
    for one in wanted:
        site.say(issues.keep(github, one))
    _close(site, github, {one.title for one in wanted})


def _close(site: "Site", github: "GitHub", but: set[str]) -> None:
    for page in issues.clear(github, site.environment, but):
        site.say(f"Closed {page}: it is over.")


def _wanted(
    site: "Site", record: "Record", memory: "Memory", reference: Mapping[str, Any], decision: Decision | None
) -> list[issues.Alarm]:
    windows = [window for window in memory.windows if window.digest == record.digest][-LISTED:][::-1]
    groups: dict[tuple[str, str], list[str]] = {}
    for key, begun in memory.state.alarms.items():
        kind, _, _ = key.partition(": ")
        groups.setdefault((kind, "" if begun.together else key), []).append(key)
    return [
        issues.Alarm(
            environment=site.environment, model=record.model, version=record.version, kind=kind,
            since=min(memory.state.alarms[key].since for key in keys), parts=_parts(keys, windows, reference),
            together=not only, next=BY_HAND.get(kind) or (decision.words if decision else ""),
            run=memory.state.run,
        )
        for (kind, only), keys in groups.items()
    ]  # fmt: skip


def _parts(keys: list[str], windows: "list[Window]", reference: Mapping[str, Any]) -> tuple[issues.Part, ...]:
    """The furthest first."""
    parts = [_part(key, windows, reference) for key in keys]
    return tuple(sorted(parts, key=lambda part: -(part.windows[0].value or 0) if part.windows else 0))


def _part(key: str, windows: "list[Window]", reference: Mapping[str, Any]) -> issues.Part:
    found = [(window, finding) for window in windows for finding in window.findings if finding.key == key]
    before = tuple(
        issues.Before(window.until, finding.verdict, finding.value, finding.alarm, window.seen.rows)
        for window, finding in found
    )
    if not found:
        return issues.Part(key.partition(": ")[2], "The last windows say nothing of it.", ())
    window, finding = found[0]
    return issues.Part(finding.subject or "", finding.words, before, _bins(window, finding, reference))


def _bins(window: "Window", finding: "Finding", reference: Mapping[str, Any]) -> tuple[issues.Bin, ...]:
    """Then and now, of what has a distribution."""
    if finding.kind == "prediction drift":
        described, now = reference["prediction"], window.seen.prediction
    elif finding.subject in window.seen.columns and finding.kind in ("data drift", "missing values"):
        described, now = reference["columns"][finding.subject], window.seen.columns[finding.subject]
    else:
        return ()
    then = counted(described)
    if not sum(then) or not sum(now) or len(then) != len(now):
        return ()
    rows = zip(bins(described), then, now, strict=True)
    return tuple(issues.Bin(name, before / sum(then), after / sum(now)) for name, before, after in rows)
