"""The servers themselves: what each has counted since it started, less what it had at the last look."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime

import requests
from prometheus_client.parser import text_string_to_metric_families

from gitops_ml.counters import ROWS
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.counts import TOTAL, Tally, since, together
from gitops_ml.monitoring.look import Look, Question
from gitops_ml.monitoring.window import Seen

TIMEOUT = (5, 30)
TOKEN = "GITOPS_TOKEN"  # noqa: S105 (the variable's name)


class _Silent(Exception):
    """A server has no answer that counts, with the reason."""


def look(urls: tuple[str, ...], question: Question, before: Mapping[str, Seen]) -> Look:
    """Ask each server; those that do not answer are named, and the others count.

    Args:
        urls: Each server's address.
        question: What to count.
        before: What each server had counted at the last look at this version.

    Raises:
        MonitoringError: No server answers with this version.
    """
    now, started, notes = dict[str, Seen](), list[datetime](), list[str]()
    for url in urls:
        try:
            now[url], start = _read(url, _fetch(url), question)
        except _Silent as error:
            notes.append(f"{url} was not counted: {error}.")
        else:
            started += [start] if start else []
    if not now:
        raise MonitoringError(
            f"No server answers with version {question.version}. {' '.join(notes)}",
            "Check `urls` under [monitoring] in model.toml from where this runs (MONITOR_RUNNER in workflows), or wait "
            "for Deploy. Nothing was judged.",
        )
    start = question.last or min([question.until, *started])
    # A server that is silent today is counted from where it stood when it answers again.
    return Look(
        min(start, question.until), together(since(seen, before.get(url)) for url, seen in now.items()),
        {**{url: seen for url, seen in before.items() if url in urls}, **now}, notes=tuple(notes),
    )  # fmt: skip


def _fetch(url: str) -> str:
    """The text of its /metrics."""
    token = os.environ.get(TOKEN)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        answer = requests.get(f"{url.rstrip('/')}/metrics", headers=headers, timeout=TIMEOUT)
    except requests.RequestException as error:
        raise _Silent(f"it gives no answer ({type(error).__name__})") from error
    if answer.status_code == 401:
        raise _Silent(f"it asks for the token that {TOKEN} must hold")
    if not answer.ok:
        raise _Silent(f"it answers {answer.status_code}")
    return answer.text


def _read(url: str, text: str, question: Question) -> tuple[Seen, datetime | None]:
    """What a server has counted of the version, and since when."""
    tally, versions, started = Tally(question), set[str](), None
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                version = sample.labels.get("version")
                if sample.name == ROWS + TOTAL and version:
                    versions.add(version)
                if version == question.version:
                    tally.put(sample.name, sample.labels, sample.value)
                    if sample.name == f"{ROWS}_created":
                        started = datetime.fromtimestamp(sample.value, UTC)
    except (ValueError, KeyError) as error:
        raise _Silent("what it says at /metrics is not what gitops says there") from error
    if question.version not in versions:
        others = ", ".join(sorted(versions))
        raise _Silent(f"it serves version {others}" if others else "it does not count")
    return tally.seen, started
