"""The issue about an alarm: opened once, updated while the alarm is active, and closed when it ends.

An issue is identified by its exact title and its author. https://docs.github.com/rest/issues/issues
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from gitops_ml.forge import issues
from gitops_ml.forge.github import GitHub
from gitops_ml.forge.markdown import collapse, escape, format_percent, format_table, shorten
from gitops_ml.secrets import redact

# All kinds of findings, as in `monitoring.window.Kind`. "No traffic" is only a warning and opens no issue today; it is
# in the list so that the issues of every kind are closed, also if its verdict becomes an alarm.
KINDS = (
    "Data drift", "Prediction drift", "Performance decay", "Missing values", "Refused requests", "Failed requests",
    "Slow requests", "No traffic",
)  # fmt: skip
GROUP_SUBJECT = "many columns"
LIMIT = 60_000  # characters; GitHub's limit is a little higher
TITLE_LIMIT = 150  # characters of a column's name in a title
MAX_DISTRIBUTIONS = 3  # distributions in the issue; the report shows all
BAR_LENGTH = 20  # characters of the longest bar
MAX_LISTED = 40  # columns in the table
RUNBOOK = "docs/runbook.md#alarms"


@dataclass(frozen=True)
class BinShares:
    """Shares of the rows in one bin of a distribution.

    Attributes:
        name: Range or value of the bin.
        training: Share of the training rows, in [0, 1].
        current: Share of the rows in the window, in [0, 1].
    """

    name: str
    training: float
    current: float


@dataclass(frozen=True)
class AlarmWindow:
    """Result of one monitoring window.

    Attributes:
        until: End of the window.
        verdict: Verdict of this window, without the other windows.
        value: Measured value; None if it could not be measured.
        alarm: Alarm threshold.
        rows: Number of predicted rows.
    """

    until: datetime
    verdict: str
    value: float | None
    alarm: float | None
    rows: int


@dataclass(frozen=True)
class AlarmPart:
    """One column or metric of an alarm.

    Attributes:
        subject: Name of the column or the metric; empty if there is none.
        message: Text of the finding in the newest window.
        windows: Last monitoring windows, newest first.
        bins: Distribution in training and in the window; empty if there is none.
    """

    subject: str
    message: str
    windows: tuple[AlarmWindow, ...]
    bins: tuple[BinShares, ...] = ()


@dataclass(frozen=True)
class AlarmIssue:
    """Content of an issue about an alarm.

    Attributes:
        environment: Environment of the alarm.
        model: Name of the registered model.
        version: Registry version number of the version that serves.
        kind: Kind of the findings, such as "data drift".
        since: Start of the alarm.
        parts: One column or metric; several columns if they drift together.
        is_grouped: True if the issue is about several columns together.
        next_step: Next step, such as a training that was started, as escaped Markdown.
        run_url: URL of the workflow run that evaluated the last window; empty outside of GitHub Actions.
    """

    environment: str
    model: str
    version: str
    kind: str
    since: datetime
    parts: tuple[AlarmPart, ...]
    is_grouped: bool
    next_step: str
    run_url: str

    @property
    def title(self) -> str:
        """Title, which identifies the issue."""
        subject = GROUP_SUBJECT if self.is_grouped else shorten(self.parts[0].subject, TITLE_LIMIT)
        return redact(f"{self.kind.capitalize()} in {self.environment}{f': {subject}' if subject else ''}")

    def render_body(self, repository_url: str) -> str:
        """Return the body in Markdown, within GitHub's limit.

        Args:
            repository_url: URL of the repository's page.
        """
        is_list = len(self.parts) > 1
        subject = f"{len(self.parts)} columns" if is_list else escape(self.parts[0].subject)
        head = [
            f"## 🔔 {self.kind.capitalize()}{f': {subject}' if subject else ''}",
            f"Version {escape(self.version)} of {escape(self.model)} in {escape(self.environment)}. The alarm began at "
            f"{_format_time(self.since)} UTC.",
            _list_parts(self.parts) if is_list else escape(self.parts[0].message),
            f"**What happens next.** {self.next_step}",
        ]
        details = [_render_part(part, is_collapsed=is_list) for part in self.parts[:MAX_DISTRIBUTIONS]]
        run = (
            f"[This workflow run]({self.run_url}) evaluated the last window; its artefact `monitoring` contains the "
            "full report. "
            if self.run_url
            else ""
        )
        foot = (
            f"{run}The [runbook]({repository_url}/blob/main/{RUNBOOK}) says what to do, and `gitops docs monitoring` "
            "explains the values. This issue is updated while the alarm is active, and closed automatically when the "
            "alarm ends or another version serves. If you close it yourself, it is not reopened for this alarm; a new "
            "alarm opens a new issue."
        )
        text = redact("\n\n".join([*head, *details]))
        return f"{text[: LIMIT - len(foot) - 10]}\n\n---\n{foot}\n"


def update_issue(github: GitHub, alarm: AlarmIssue) -> str:
    """Open or update the issue about an alarm; an issue that a person closed since the alarm began stays closed.

    Args:
        github: The repository.
        alarm: Content of the issue.

    Returns:
        A sentence with the issue's URL and the change that was made.
    """
    return issues.keep_open(
        github, alarm.title, alarm.render_body(github.page),
        lambda: issues.find_closed_by_person(github, alarm.title, alarm.since), "this alarm",
    )  # fmt: skip


def close_other_issues(github: GitHub, environment: str, titles: set[str]) -> list[str]:
    """Close the open issues about alarms in an environment, except those with the given titles.

    Args:
        github: The repository.
        environment: Environment whose issues are closed.
        titles: Titles of the issues to keep open: one for each alarm that is active.

    Returns:
        The URLs of the closed issues.
    """
    pattern = re.compile(rf"(?:{'|'.join(KINDS)}) in {re.escape(environment)}(?:: .+)?")
    closed = []
    for issue in issues.list_open(github, pattern):
        if issue["title"] not in titles:
            issues.close(github, issue)
            closed.append(str(issue["html_url"]))
    return closed


def _list_parts(parts: tuple[AlarmPart, ...]) -> str:
    """Return a table of many columns, those with the largest values first."""
    newest = [(part.subject, part.windows[0].value, part.windows[0].alarm) for part in parts if part.windows]
    rows = [(shorten(name), _format_value(value), _format_value(alarm)) for name, value, alarm in newest[:MAX_LISTED]]
    more = f"\n\n… and {len(parts) - MAX_LISTED} more." if len(parts) > MAX_LISTED else ""
    return format_table(["column", "value", "alarm threshold"], rows) + more


def _render_part(part: AlarmPart, *, is_collapsed: bool) -> str:
    """Return the last windows of a part, and its distribution."""
    rows = [
        (_format_time(it.until), it.verdict, _format_value(it.value), _format_value(it.alarm), it.rows)
        for it in part.windows
    ]
    windows = format_table(["window until (UTC)", "verdict", "value", "alarm threshold", "rows"], rows)
    distribution = [_render_chart(part.bins), _render_bars(part.bins)] if part.bins else []
    if not is_collapsed:
        return "\n\n".join([windows, *distribution])
    return collapse(f"{shorten(part.subject)}: {part.message}", windows, *distribution)


def _render_chart(bins: tuple[BinShares, ...]) -> str:
    """Return a Mermaid chart. Its bins are numbered, because their names could contain Mermaid's syntax."""
    numbers = ", ".join(f'"{number}"' for number in range(1, len(bins) + 1))
    training, current = (", ".join(f"{100 * share:.1f}" for share in shares)
                         for shares in ([b.training for b in bins], [b.current for b in bins]))  # fmt: skip
    return (
        "```mermaid\nxychart-beta\n"
        '    title "Bars: this window. Line: training."\n'
        f'    x-axis "bin" [{numbers}]\n'
        '    y-axis "percent of rows"\n'
        f"    bar [{current}]\n    line [{training}]\n```"
    )


def _render_bars(bins: tuple[BinShares, ...]) -> str:
    largest = max((share for b in bins for share in (b.training, b.current)), default=0) or 1
    rows = [
        (number, shorten(b.name, 40), format_percent(b.training), _render_bar(b.training / largest),
         format_percent(b.current), _render_bar(b.current / largest))
        for number, b in enumerate(bins, 1)
    ]  # fmt: skip
    headers = ["bin", "range or value", "training", "", "this window", ""]
    return collapse("Share of rows per bin, in training and in this window", format_table(headers, rows))


def _render_bar(share: float) -> str:
    return "█" * round(BAR_LENGTH * share)


def _format_value(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"
