"""The HTML report of a validation: the verdict, the violated rules, and every column of the schema."""

from collections.abc import Sequence
from dataclasses import dataclass

from gitops_ml.forge.html_page import render_badge, render_page, render_table
from gitops_ml.forge.markdown import escape_html, format_count, format_percent

VIOLATIONS = ("column", "rule", "failing rows", "examples")
COLUMNS = ("column", "role", "type", "rules", "may be missing", "missing")


@dataclass(frozen=True)
class ValidationReport:
    """Content of the report.

    Attributes:
        rows: Number of rows that were read.
        digest: Digest of the data.
        source: Path of the data; None for a query.
        schema: Path of schema.py, relative to the repository.
        violations: Violated rules: the cells of VIOLATIONS.
        columns: Columns of the schema: the cells of COLUMNS but the last.
        present: Number of rows with a value in each column of the data.
    """

    rows: int
    digest: str
    source: str | None
    schema: str
    violations: Sequence[Sequence[object]]
    columns: Sequence[Sequence[object]]
    present: dict[str, int]


def render_validation_page(report: ValidationReport) -> str:
    """Return the whole HTML page.

    Args:
        report: Content of the report.
    """
    title = headline(report)
    source = f"<code>{escape_html(report.source)}</code>" if report.source else "the query in <code>model.toml</code>"
    violations = f"<h3>Violated rules</h3>\n{render_table(VIOLATIONS, report.violations)}" if report.violations else ""
    body = "\n".join([
        f"<h2>{escape_html(title)} {render_badge('failure' if report.violations else 'ok')}</h2>",
        f"<p>Rows of {source}, checked against <code>{escape_html(report.schema)}</code>. Digest of the data: "
        f"<code>{escape_html(report.digest)}</code></p>",
        violations,
        "<h3>Columns</h3>",
        render_table(COLUMNS, [[*cells, _describe_missing(str(cells[0]), report)] for cells in report.columns]),
    ])  # fmt: skip
    return render_page(title, body)


def headline(report: ValidationReport) -> str:
    """Return the verdict in one line.

    Args:
        report: Content of the report.
    """
    rows = format_count(report.rows, "row")
    if report.violations:
        return f"{format_count(len(report.violations), 'rule')} violated in {rows}"
    return f"{rows} accepted"


def _describe_missing(name: str, report: ValidationReport) -> str:
    if name not in report.present or not report.rows:
        return ""
    missing = report.rows - report.present[name]
    return f"{missing} ({format_percent(missing / report.rows)})"
