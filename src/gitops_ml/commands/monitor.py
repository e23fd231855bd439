"""`gitops monitor`"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitops_ml import console
from gitops_ml.commands import champion, find, where
from gitops_ml.errors import AlarmRaised, GitopsError

if TYPE_CHECKING:
    from gitops_ml.commands.site import Site
    from gitops_ml.monitoring.alarms import Turn
    from gitops_ml.monitoring.look import Look, Question
    from gitops_ml.monitoring.memory import Memory
    from gitops_ml.monitoring.window import Finding, Window
    from gitops_ml.registry.observed import Observed
    from gitops_ml.registry.record import Record

# Schedules come late, some more than others: a window is through when this share of it is.
THROUGH = 0.9
WORST = ("alarm", "warning", "insufficient data", "ok")


@click.command()
@click.option("--environment", envvar="GITOPS_ENVIRONMENT", help="Where.  [default: the last one in model.toml]")
@click.option("--now", is_flag=True, envvar="GITOPS_NOW", help="Judge what came since the last window, however little.")
@click.option(
    "--output", "out", type=click.Path(path_type=Path), help="The folder to write.  [default: .gitops/monitoring]"
)
@click.option("--exit-code", is_flag=True, help="Exit with 6 while there is an alarm.")
@click.pass_obj
def command(project: Path, environment: str | None, now: bool, out: Path | None, exit_code: bool) -> None:
    """Judge what production has seen since the last time.

    An alarm keeps one issue, and asks for a training where that may help.
    """
    repository = find(project)
    environment = where(repository, environment or None)
    from gitops_ml.commands.alarms import over, settle
    from gitops_ml.commands.site import open_site

    site = open_site(repository, environment)
    if repository.config.monitoring.source == "none":
        console.say("Nothing is watched: choose a `source` under [monitoring] (`gitops docs monitoring`).")
        over(site)
        return
    site.refresh()
    record = champion(repository, environment, site.store)
    if record is None:
        site.say(f"Nothing serves in {environment} yet, so there is nothing to watch.")
        over(site)
        return
    reference = _reference(site, record)
    turn, stopped = _watch(site, record, reference, insist=now)
    console.output("verdict", _show(turn.memory, record, reference, out or repository.scratch / "monitoring"))
    settle(site, record, turn, reference)
    if stopped:
        raise stopped
    if exit_code and turn.memory.state.alarms:
        raise AlarmRaised(
            f"{environment} is in alarm: {'; '.join(turn.memory.state.alarms)}.", "The issue says what happens next."
        )


def _reference(site: "Site", record: "Record") -> dict[str, Any]:
    """What the version was trained on, out of its verified files; the model among them is not opened."""
    from gitops_ml import run
    from gitops_ml.registry.versions import fetch, place

    folder = place(site.repository, record.version, record.digest)
    fetch(site.store, site.repository.config.project.name, record.version, record.digest, folder)
    found: dict[str, Any] = json.loads((folder / run.REFERENCE).read_bytes())
    return found


def _watch(
    site: "Site", record: "Record", reference: Mapping[str, Any], *, insist: bool
) -> "tuple[Turn, GitopsError | None]":
    """Judge a window, unless the last one has hardly ended; what is remembered now, and why nothing could be seen."""
    from gitops_ml.monitoring.alarms import Turn
    from gitops_ml.monitoring.look import Question

    monitoring, until = site.repository.config.monitoring, datetime.now(UTC)
    if monitoring.source == "log":  # what came last is on its way to the sink
        until -= timedelta(seconds=2 * site.repository.config.log.flush_seconds)
    over = _turn_over(site, record, until)
    last, hours = over.memory.state.until, monitoring.window_hours
    if last and not insist and until - last < timedelta(hours=THROUGH * hours):
        after = last + timedelta(hours=THROUGH * hours)
        site.say(
            f"Judged until {_time(last)} already; the next window is judged from {_time(after)} on, or with --now."
        )
        return over, None
    question = Question(record.version, reference, last, until, hours)
    try:
        look = _look(site, question, over.memory)
    except GitopsError as error:
        return over, error
    for note in look.notes:
        console.warn(note)
    turn = _remember(site, record, question, look, over.memory)
    return Turn(turn.memory, turn.begun, (*over.ended, *turn.ended)), None


def _look(site: "Site", question: "Question", memory: "Memory") -> "Look":
    """Ask the source that model.toml names."""
    monitoring, log = site.repository.config.monitoring, site.repository.config.log
    if monitoring.source == "metrics":
        from gitops_ml.monitoring.sources import metrics

        return metrics.look(monitoring.urls, question, memory.state.servers)
    if monitoring.source == "prometheus":
        from gitops_ml.monitoring.sources import prometheus

        return prometheus.look(monitoring.prometheus or "", monitoring.selector, question)
    from gitops_ml.monitoring.sources.log import Sink
    from gitops_ml.monitoring.sources.log import look as look_into

    return look_into(Sink(log.sink, site.repository.root), question, log.hashed)


def _turn_over(site: "Site", record: "Record", at: datetime) -> "Turn":
    """What is remembered at this time; another version than before starts anew."""
    from gitops_ml.monitoring import alarms, memory
    from gitops_ml.registry import observed
    from gitops_ml.registry.reconcile import ledger_of

    branch, environment, ended = ledger_of(site.repository, site.store), site.environment, tuple[str, ...]()
    there = observed.read(branch, environment)
    known = memory.parse(there.windows, there.state, environment)
    if known.state.digest in ("", record.digest):
        return alarms.another(known, record.digest, at)

    def start(newest: "Observed") -> "Observed | None":
        nonlocal ended
        turn = alarms.another(memory.parse(newest.windows, newest.state, environment), record.digest, at)
        ended = turn.ended
        return observed.Observed(newest.windows, turn.memory.state.model_dump(mode="json"))

    observed.change(branch, environment, f"Monitoring: version {record.version} serves in {environment}", start)
    return alarms.Turn(known.of(record.digest, at), ended=ended)


def _remember(site: "Site", record: "Record", question: "Question", look: "Look", before: "Memory") -> "Turn":
    """Judge the window and write it down, unless somebody else has judged meanwhile."""
    from gitops_ml.commands.decay import promise
    from gitops_ml.forge.checks import run_page
    from gitops_ml.monitoring import alarms, memory
    from gitops_ml.monitoring.judge import judge
    from gitops_ml.registry import observed
    from gitops_ml.registry.reconcile import ledger_of

    monitoring, named = site.repository.config.monitoring, (site.environment, record.version, record.digest)
    window = judge(
        monitoring, named, question.reference, look, question.until, before.served, promise(site.repository, record)
    )
    page = run_page(site.github) if site.github else ""
    state = memory.State(digest=record.digest, until=question.until, servers=dict(look.servers), run=page)
    turn: Turn | None = None

    def add(newest: "Observed") -> "Observed | None":
        nonlocal turn
        known = memory.parse(newest.windows, newest.state, site.environment).of(record.digest, question.until)
        if known.state.until != before.state.until:
            turn = alarms.Turn(known)
            return None
        turn = alarms.turn(monitoring, known, window, state)
        lines = [*newest.windows, window.model_dump(mode="json")][-monitoring.keep_windows :]
        return observed.Observed(lines, turn.memory.state.model_dump(mode="json"))

    message = f"Monitoring: {window.verdict} in {site.environment}, version {record.version}"
    if observed.change(ledger_of(site.repository, site.store), site.environment, message, add) is None:
        site.say("Somebody else judged this window meanwhile.")
    assert turn is not None  # noqa: S101 (`add` was called)
    return turn


def _show(memory: "Memory", record: "Record", reference: Mapping[str, Any], out: Path) -> str:
    """Print the last window, and leave what a page is made of; the verdict."""
    from gitops_ml.forge.report import escape, number
    from gitops_ml.forge.report import table as markdown
    from gitops_ml.forge.watch_page import watch_page
    from gitops_ml.manifest import write_atomically

    if not memory.served:
        return "insufficient data"
    last = memory.served[-1]
    rows = [_row(finding, last) for finding in sorted(last.findings, key=lambda it: WORST.index(it.verdict))]
    headers = ["what", "verdict", "value", "alarm from", ""]
    title = f"Version {last.version} in {last.environment}, {_time(last.start)} to {_time(last.until)}: {last.verdict}"
    loud = [[what, said, number(value), number(alarm), w] for what, said, value, alarm, w in rows if said != "ok"]
    quiet = f"{len(rows) - len(loud)} of {len(rows)} findings are as in training."
    if loud:
        console.table(title, headers, loud)
    console.say(quiet if loud else f"{title}. {quiet}")
    console.summarise(f"### {escape(title)}\n\n{markdown(headers, loud) if loud else ''}\n\n{quiet}")
    write_atomically(out / "window.json", last.to_json())
    listed = [window.model_dump(mode="json") for window in memory.windows]
    write_atomically(out / "windows.json", json.dumps(listed, ensure_ascii=False) + "\n")
    write_atomically(out / "reference.json", json.dumps(reference, ensure_ascii=False) + "\n")
    found = {
        "windows": listed, "alarms": list(memory.state.alarms), "reference": reference,
        "environment": last.environment, "version": record.version, "digest": record.digest, "release": record.release,
    }  # fmt: skip
    write_atomically(out / "report.html", watch_page(found))
    console.say(f"Verdict: {last.verdict}. What it rests on is in {console.near(out)}.")
    return last.verdict


def _row(finding: "Finding", window: "Window") -> tuple[str, str, float | None, float | None, str]:
    """One line; an alarm of this window alone is called what it is."""
    once = finding.verdict == "alarm" and finding.key not in window.alarms
    return finding.key, "alarm, not yet" if once else finding.verdict, finding.value, finding.alarm, finding.words


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
