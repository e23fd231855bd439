"""The model card: purpose, data, performance and lineage of a version, under the usual headings.

The headings follow "Model Cards for Model Reporting" (Mitchell et al., 2019) and the model cards of Hugging Face.
Figures come from the record in registry/, which names the promoted version, and from the comparison. Texts that only
people can write come from `[card]` in model.toml.
"""

import json
from typing import Any

from gitops_ml.config import LOWER_IS_BETTER, CardConfig
from gitops_ml.forge.comparison_details import SLICE_DEFINITION
from gitops_ml.forge.comparison_text import VERDICTS, explain_metrics
from gitops_ml.forge.markdown import escape, format_count, format_number, format_percent, format_table, shorten

MISSING = "*Not filled in: write `{key}` under `[card]` in model.toml.*"
MAX_SLICES = 8
# An example value for each kind of column, by the prefix of the name of pandas' dtype.
EXAMPLES: dict[str, Any] = {
    "float": 1.5, "int": 1, "uint": 1, "Int": 1, "UInt": 1, "bool": True, "datetime": "2026-01-31",
}  # fmt: skip


def find_empty_keys(card: CardConfig) -> list[str]:
    """Return the keys of `[card]` that are empty, in the order of the file.

    Args:
        card: The table `[card]` of model.toml.
    """
    return [key for key, text in card.model_dump().items() if not text.strip()]


def render_model_card(record: dict[str, Any], comparison: dict[str, Any], card: CardConfig) -> str:
    """Return the model card in Markdown.

    Args:
        record: JSON document of the record in registry/, which names the promoted version.
        comparison: JSON document of the comparison that led to the promotion.
        card: The table `[card]` of model.toml.
    """
    title = f"# Model card: {escape(record['model'])} {record['release']}"
    note = "`gitops promote` overwrites this file at each promotion; edit `[card]` in model.toml instead."
    sections = {
        "Model details": _render_details(record, card),
        "Intended use": _card_text(card, "intended_use"),
        "Limitations": "\n\n".join(filter(None, [_card_text(card, "limitations"), _weakest_slice(comparison)])),
        "Ethical considerations": _card_text(card, "ethical_considerations"),
        "Data": _render_data(record),
        "Metrics": _render_metrics(comparison),
        "Slices": _render_slices(comparison),
        "Gates": _render_gates(comparison),
        "Lineage": _render_lineage(record["lineage"]),
        "How to call the model": _render_request(record),
    }
    return "\n\n".join([title, note, *(f"## {name}\n\n{text}" for name, text in sections.items())]) + "\n"


def _card_text(card: CardConfig, key: str) -> str:
    text: str = getattr(card, key)
    return text.strip() or MISSING.format(key=key)


def _render_details(record: dict[str, Any], card: CardConfig) -> str:
    classes = ", ".join(str(label) for label in record["classes"])
    rows = [
        ["model", record["model"]],
        ["version", f"{record['version']}, release {record['release']}"],
        ["environment", record["environment"]],
        ["predictions", f"one of {classes}, with the probability of each" if classes else "a number"],
    ]
    lines = [
        f"- **Digest of the model version**: `{record['digest']}`",
        f"- **Image**: `{record['image']}`" if record["image"] else "- **Image**: none",
        f"- **Owner**: {_card_text(card, 'owner')}",
        f"- **Licence**: {_card_text(card, 'licence')}",
    ]
    return "\n\n".join([format_table(["field", "value"], rows), "\n".join(lines)])


def _weakest_slice(comparison: dict[str, Any]) -> str:
    """Return a sentence about the slice with the worst metric, among the slices of the comparison."""
    slices = [it for it in comparison["slices"] if it["challenger"] is not None]
    if not slices:
        return ""
    metric = comparison["metric"]
    worst_of = max if metric in LOWER_IS_BETTER else min
    worst = worst_of(slices, key=lambda it: it["challenger"])
    where = f"{escape(shorten(worst['name']))} ({worst['rows']} held-out rows)"
    return f"The weakest of the slices below is {where}: {escape(metric)} is {format_number(worst['challenger'])}."


def _render_data(record: dict[str, Any]) -> str:
    lineage = record["lineage"]
    training_rows = lineage["rows"] - lineage["holdout_rows"]
    sentence = (
        f"{lineage['rows']} rows with {len(record['columns'])} columns: {training_rows} for training, "
        f"{lineage['holdout_rows']} held out. {_describe_split(lineage)} Digest of the data: "
        f"`{lineage['data']}`. Digest of the holdout: `{lineage['holdout']}`."
    )
    return "\n\n".join([sentence, format_table(["column", "type"], [*record["columns"].items()])])


def _describe_split(lineage: dict[str, Any]) -> str:
    split = lineage["split"]
    column = escape(split["column"])
    if split["method"] == "time":
        newest = "" if split["holdout"] is None else f"the newest {format_percent(split['holdout'])} of the rows, "
        cutoff = escape(lineage.get("cutoff") or split["cutoff"])
        return f"Held out are {newest}all rows from {cutoff} on, by the column {column}."
    groups = (
        f" Rows with the same {column} are either all held out or all for training."
        if split["method"] == "group"
        else ""
    )
    return (
        f"A hash of {column} decides whether a row is held out. The hash of a row never changes, so no version is "
        f"trained on a held-out row.{groups}"
    )


def _render_metrics(comparison: dict[str, Any]) -> str:
    """Return the metrics of this version with their intervals, of the previous champion, and of the baseline."""
    metrics, intervals = comparison["challenger"]["metrics"], comparison["intervals"]
    columns = {"this version": _format_metrics(metrics)}
    if intervals:
        columns["confidence interval"] = {
            name: f"[{format_number(low)}, {format_number(high)}]" for name, (low, high) in intervals.items()
        }
    if comparison["champion"]:
        columns["previous champion"] = _format_metrics(comparison["champion"]["metrics"])
    columns["baseline"] = _format_metrics(comparison["baseline"])
    rows = [[name, *(column.get(name, format_number(None)) for column in columns.values())] for name in metrics]
    sentence = (
        f"Measured on {comparison['rows']} held-out rows. {escape(comparison['metric'])} is the primary metric, which "
        "decides between versions."
    )
    sentence += f" {explain_metrics(metrics)}"
    if intervals:
        sentence += " The intervals are bootstrap intervals at the level `confidence` of `[gates]` in model.toml."
    return f"{sentence}\n\n{format_table(['metric', *columns], rows)}"


def _format_metrics(metrics: dict[str, float | None]) -> dict[str, str]:
    return {name: format_number(value) for name, value in metrics.items()}


def _render_slices(comparison: dict[str, Any]) -> str:
    if not comparison["slices"]:
        return "No slice is large enough: a slice needs at least 30 held-out rows."
    rows = [[shorten(it["name"]), it["rows"], format_number(it["challenger"])]
            for it in comparison["slices"][:MAX_SLICES]]  # fmt: skip
    metric = escape(comparison["metric"])
    shown = f"those with the worst {metric}"
    if comparison["champion"]:
        shown = f"those where {metric} is worst compared with the previous champion"
    sentence = (
        f"{format_count(comparison['slices_measured'], 'slice')} measured. {SLICE_DEFINITION} The table shows {shown}. "
        "Among many slices, some are bad by chance alone."
    )
    return f"{sentence}\n\n{format_table(['slice', 'rows', comparison['metric']], rows)}"


def _render_gates(comparison: dict[str, Any]) -> str:
    """Return the gates with their messages; a gate with a confidence interval also shows its gain and the interval."""
    rows = [
        [VERDICTS[gate["verdict"]], gate["id"], gate["title"], _format_gain(gate), gate["message"]]
        for gate in comparison["gates"]
    ]
    return format_table(["", "gate", "requirement", "gain", "message"], rows)


def _format_gain(gate: dict[str, Any]) -> str:
    return "" if gate["low"] is None else f"{gate['value']:.4f}, in [{gate['low']:.4f}, {gate['high']:.4f}]"


def _render_lineage(lineage: dict[str, Any]) -> str:
    rows = [["commit", lineage["commit"] or "none"], ["lock file", lineage["lock"] or "none"],
            ["Python", lineage["python"]], *lineage["libraries"].items(),
            ["training digest (all inputs)", lineage["training"]]]  # fmt: skip
    sentence = "`gitops reproduce` trains the version again from these inputs, and compares the result."
    return f"{sentence}\n\n{format_table(['input', 'value'], rows)}"


def _render_request(record: dict[str, Any]) -> str:
    row = {name: _example_value(dtype) for name, dtype in record["columns"].items()}
    # A backtick in a column's name must not end the code block.
    body = json.dumps({"rows": [row]}, indent=2).replace("`", "\\u0060")
    sentence = (
        "Send rows to `POST /predict` as JSON, CSV, Parquet or Arrow. The server's page `/docs` shows real rows and "
        "the rules of the schema; the values here only show the types."
    )
    return f"{sentence}\n\n```json\n{body}\n```"


def _example_value(dtype: str) -> Any:
    return next((value for prefix, value in EXAMPLES.items() if dtype.startswith(prefix)), "text")
