"""The HTML report of a validation: the verdict, the violated rules, and every column of the schema."""

from typing import TYPE_CHECKING

from gitops_ml.forge.html_page import Markup, render_badge, render_page, render_table
from gitops_ml.forge.markdown import escape_html, format_count, format_percent

if TYPE_CHECKING:
    import pandera.pandas as pa

    from gitops_ml.config import DataConfig
    from gitops_ml.training.validate import Validation

VIOLATIONS = ["column", "rule", "failing rows", "examples"]
COLUMNS = ["column", "role", "type", "rules", "may be missing", "missing"]


def render_validation_page(
    validation: "Validation", schema: "pa.DataFrameSchema", data: "DataConfig", schema_file: str
) -> str:
    """Return the whole HTML page.

    Args:
        validation: Result of the validation.
        schema: Your schema.
        data: Table [data] of model.toml.
        schema_file: Path of schema.py, relative to the repository.
    """
    title = headline(validation)
    body = "\n".join([
        f"<h2>{escape_html(title)} {render_badge('failure' if validation.problems else 'ok')}</h2>",
        _render_source(validation, data, schema_file), _render_violations(validation),
        "<h3>Columns</h3>", render_table(COLUMNS, [_row(name, validation, schema, data) for name in schema.columns]),
    ])  # fmt: skip
    return render_page(title, body)


def headline(validation: "Validation") -> str:
    """Return the verdict in one line.

    Args:
        validation: Result of the validation.
    """
    rows = format_count(validation.rows, "row")
    if validation.problems:
        return f"{format_count(len(validation.problems), 'rule')} violated in {rows}"
    return f"{rows} accepted"


def _render_source(validation: "Validation", data: "DataConfig", schema_file: str) -> str:
    source = f"<code>{escape_html(data.path)}</code>" if data.path else "the query in <code>model.toml</code>"
    return (
        f"<p>Rows of {source}, checked against <code>{escape_html(schema_file)}</code>. Digest of the data: "
        f"<code>{escape_html(validation.digest)}</code></p>"
    )


def _render_violations(validation: "Validation") -> str:
    rows = [[each.column, each.check, each.failing or "", "; ".join(each.examples)] for each in validation.problems]
    return f"<h3>Violated rules</h3>\n{render_table(VIOLATIONS, rows)}" if rows else ""


def _row(name: str, validation: "Validation", schema: "pa.DataFrameSchema", data: "DataConfig") -> list[object]:
    column = schema.columns[name]
    rules = [str(check.error or check.name) for check in column.checks] + ["unique"] * column.unique
    present = validation.present.get(name)
    missing: object = Markup("&ndash;")
    if present is not None and validation.rows:
        missing = f"{validation.rows - present} ({format_percent(1 - present / validation.rows)})"
    return [name, _role(name, data), column.dtype, "; ".join(rules), "yes" if column.nullable else "no", missing]


def _role(name: str, data: "DataConfig") -> str:
    roles = {data.key: "key", data.target: "target"} | dict.fromkeys(data.known_later, "known later")
    return roles.get(name, "feature")
