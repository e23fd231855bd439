"""The one issue about an alarm: opened once, rewritten when it has something new to say, closed when it is over.

It is known by its exact title, and by who opened it. https://docs.github.com/rest/issues/issues
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from gitops_ml.forge import issues
from gitops_ml.forge.github import GitHub
from gitops_ml.forge.report import escape, folded, percent, short, table
from gitops_ml.private import redacted

KINDS = (
    "Data drift", "Prediction drift", "Performance decay", "Missing values", "Refused requests", "Failed requests",
    "Slow requests", "No traffic",
)  # fmt: skip
TOGETHER = "many columns"
LIMIT = 60_000  # GitHub takes a little more
LONGEST = 150  # characters of a column's name in a title
PICTURES = 3  # distributions that are drawn; of more, the report shows all
BAR = 20  # characters of the longest bar
SHOWN = 40  # parts that are listed
RUNBOOK = "docs/runbook.md#alarms"


@dataclass(frozen=True)
class Bin:
    """One bin of a distribution.

    Attributes:
        name: What it holds, in words.
        then: Its share in training.
        now: Its share in the window.
    """

    name: str
    then: float
    now: float


@dataclass(frozen=True)
class Before:
    """What one of the last windows said.

    Attributes:
        until: Its end.
        verdict: Of that window alone.
        value: What was measured; None where nothing could be.
        alarm: From where it was an alarm.
        rows: Predicted in it.
    """

    until: datetime
    verdict: str
    value: float | None
    alarm: float | None
    rows: int


@dataclass(frozen=True)
class Part:
    """One thing that is an alarm: a column, or the whole of it.

    Attributes:
        subject: The column or the metric; empty where there is none.
        words: What the newest window says of it.
        windows: The last ones, newest first.
        bins: Then and now; none where it is no distribution.
    """

    subject: str
    words: str
    windows: tuple[Before, ...]
    bins: tuple[Bin, ...] = ()


@dataclass(frozen=True)
class Alarm:
    """What one issue speaks of.

    Attributes:
        environment: Where.
        model: The registered model's name.
        version: That serves.
        kind: As findings name it.
        since: When it was raised.
        parts: One, or the columns that drift together.
        together: Whether its title names many columns.
        next: What happens next, in Markdown of ours.
        run: The page of the run that judged; empty outside of one.
    """

    environment: str
    model: str
    version: str
    kind: str
    since: datetime
    parts: tuple[Part, ...]
    together: bool
    next: str
    run: str

    @property
    def title(self) -> str:
        """By which it is found again."""
        subject = TOGETHER if self.together else short(self.parts[0].subject, LONGEST)
        return redacted(f"{self.kind.capitalize()} in {self.environment}{f': {subject}' if subject else ''}")

    def body(self, page: str) -> str:
        """All that a person needs, within GitHub's limit.

        Args:
            page: Of the repository.
        """
        many = len(self.parts) > 1
        subject = f"{len(self.parts)} columns" if many else escape(self.parts[0].subject)
        head = [
            f"## 🔔 {self.kind.capitalize()}{f': {subject}' if subject else ''}",
            f"Version {escape(self.version)} of {escape(self.model)} in {escape(self.environment)}, since "
            f"{_time(self.since)} UTC.",
            _listed(self.parts) if many else escape(self.parts[0].words),
            f"**What happens next.** {self.next}",
        ]
        drawn = [_part(part, name=many) for part in self.parts[:PICTURES]]
        report = (
            f"[This run]({self.run}) judged it; its artefact `monitoring` holds the whole report. " if self.run else ""
        )
        foot = (
            f"{report}[The runbook]({page}/blob/main/{RUNBOOK}) says what to do, `gitops docs monitoring` what the "
            "figures mean. This issue is rewritten as long as the alarm lasts, and closes itself once it is over or "
            "another version serves. Close it yourself, and it stays closed until then."
        )
        text = redacted("\n\n".join([*head, *drawn]))
        return f"{text[: LIMIT - len(foot) - 10]}\n\n---\n{foot}\n"


def keep(github: GitHub, alarm: Alarm) -> str:
    """Have one issue say this, unless a person closed it since the alarm began; its page, and what was done."""
    body, there = alarm.body(github.page), issues.find(github, alarm.title)
    if there is None:
        refused = issues.closed_by_a_person(github, alarm.title, alarm.since)
        if refused:
            return f"{refused['html_url']} was closed by a person, and stays so until the alarm is over."
        made = github.send("POST", "/issues", {"title": alarm.title, "body": body})
        return f"Opened {made['html_url']}: {alarm.title}."
    # GitHub may give back other line ends than it was given.
    if (there["body"] or "").replace("\r\n", "\n").strip() != body.strip():
        github.send("PATCH", f"/issues/{there['number']}", {"body": body})
        return f"Refreshed {there['html_url']}: {alarm.title}."
    return f"{there['html_url']} says it already."


def clear(github: GitHub, environment: str, titles: set[str]) -> list[str]:
    """Close every open issue about an alarm of this environment but these; their pages."""
    ours = re.compile(rf"(?:{'|'.join(KINDS)}) in {re.escape(environment)}(?:: .+)?")
    closed = []
    for issue in issues.opened(github, ours):
        if issue["title"] not in titles:
            issues.close(github, issue)
            closed.append(str(issue["html_url"]))
    return closed


def _listed(parts: tuple[Part, ...]) -> str:
    """Many columns, the furthest first, as one table."""
    found = [(part.subject, part.windows[0].value, part.windows[0].alarm) for part in parts if part.windows]
    rows = [(short(name), _number(value), _number(alarm)) for name, value, alarm in found[:SHOWN]]
    more = f"\n\n… and {len(parts) - SHOWN} more." if len(parts) > SHOWN else ""
    return table(["column", "index", "alarm from"], rows) + more


def _part(part: Part, *, name: bool) -> str:
    """Its last windows, and how it is distributed."""
    rows = [(_time(it.until), it.verdict, _number(it.value), _number(it.alarm), it.rows) for it in part.windows]
    windows = table(["window until (UTC)", "verdict", "value", "alarm from", "rows"], rows)
    pictures = [_chart(part.bins), _bars(part.bins)] if part.bins else []
    if not name:
        return "\n\n".join([windows, *pictures])
    return folded(f"{short(part.subject)}: {part.words}", windows, *pictures)


def _chart(bins: tuple[Bin, ...]) -> str:
    """As GitHub draws it. Bins are numbered, for their names come from data and this is a language of its own."""
    places = ", ".join(f'"{place}"' for place in range(1, len(bins) + 1))
    then, now = (", ".join(f"{100 * share:.1f}" for share in shares)
                 for shares in ([b.then for b in bins], [b.now for b in bins]))  # fmt: skip
    return (
        "```mermaid\nxychart-beta\n"
        '    title "Bars: this window. Line: training."\n'
        f'    x-axis "bin" [{places}]\n'
        '    y-axis "percent of rows"\n'
        f"    bar [{now}]\n    line [{then}]\n```"
    )


def _bars(bins: tuple[Bin, ...]) -> str:
    longest = max((share for b in bins for share in (b.then, b.now)), default=0) or 1
    rows = [
        (place, short(b.name, 40), percent(b.then), _bar(b.then / longest), percent(b.now), _bar(b.now / longest))
        for place, b in enumerate(bins, 1)
    ]
    return folded("The bins, then and now", table(["bin", "holds", "in training", "", "in this window", ""], rows))


def _bar(share: float) -> str:
    return "█" * round(BAR * share)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"
