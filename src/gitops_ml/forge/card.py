"""The model card: what a version is, what it is for, how good it is and on what, in the usual headings.

They follow "Model Cards for Model Reporting" (Mitchell et al., 2019) and the cards of Hugging Face. Figures come from
the record and the comparison; what only people know comes from `[card]` in model.toml.
"""

import json
from typing import Any

from gitops_ml.config import Card
from gitops_ml.forge.comparison import SIGNS
from gitops_ml.forge.report import escape, number, short, table

NOBODY = "*Nobody has said so yet: write `{key}` under `[card]` in model.toml.*"
SLICES = 8
# A value of each kind, by the beginning of pandas' name of a column's type.
EXAMPLES: dict[str, Any] = {
    "float": 1.5, "int": 1, "uint": 1, "Int": 1, "UInt": 1, "bool": True, "datetime": "2026-01-31",
}  # fmt: skip


def missing(card: Card) -> list[str]:
    """The keys of `[card]` that are still empty, in the order of the file."""
    return [key for key, text in card.model_dump().items() if not text.strip()]


def render(record: dict[str, Any], comparison: dict[str, Any], card: Card) -> str:
    """The whole card in Markdown.

    Args:
        record: What is promoted, as its JSON document says.
        comparison: What earned it the place, the same.
        card: What people say of it.
    """
    title = f"# Model card: {escape(record['model'])} {record['release']}"
    origin = (
        "`gitops promote` writes this page with each promotion; what people say in it stands under `[card]` in "
        "model.toml. Whatever is changed here is lost with the next promotion."
    )
    sections = {
        "Model details": _details(record, card),
        "Intended use": _people(card, "intended_use"),
        "Limitations": "\n\n".join(filter(None, [_people(card, "limitations"), _weakest(comparison)])),
        "Ethical considerations": _people(card, "ethical_considerations"),
        "Data": _data(record),
        "Metrics": _metrics(comparison),
        "Slices": _slices(comparison),
        "Gates": _gates(comparison),
        "Lineage": _lineage(record["lineage"]),
        "How to call it": _call(record),
    }
    return "\n\n".join([title, origin, *(f"## {name}\n\n{text}" for name, text in sections.items())]) + "\n"


def _people(card: Card, key: str) -> str:
    text: str = getattr(card, key)
    return text.strip() or NOBODY.format(key=key)


def _details(record: dict[str, Any], card: Card) -> str:
    classes = ", ".join(str(label) for label in record["classes"])
    rows = [
        ["model", record["model"]],
        ["version", f"{record['version']}, release {record['release']}"],
        ["environment", record["environment"]],
        ["answers", f"one of {classes}, with the probability of each" if classes else "a number"],
    ]
    lines = [
        f"- **Files**: `{record['digest']}`",
        f"- **Image**: `{record['image']}`" if record["image"] else "- **Image**: none",
        f"- **Owner**: {_people(card, 'owner')}",
        f"- **Licence**: {_people(card, 'licence')}",
    ]
    return "\n\n".join([table(["what", "which"], rows), "\n".join(lines)])


def _weakest(comparison: dict[str, Any]) -> str:
    """Where it is worst, of the slices that the comparison kept."""
    known = [each for each in comparison["slices"] if each["challenger"] is not None]
    if not known:
        return ""
    metric = comparison["metric"]
    best = max if metric in {"log_loss", "brier", "rmse", "mae"} else min
    worst = best(known, key=lambda each: each["challenger"])
    where = f"where {escape(short(worst['name']))} ({worst['rows']} held-out rows)"
    return f"Of the slices below, it is weakest {where}: {escape(metric)} is {number(worst['challenger'])} there."


def _data(record: dict[str, Any]) -> str:
    lineage = record["lineage"]
    trained = lineage["rows"] - lineage["holdout_rows"]
    sentence = (
        f"{lineage['rows']} rows with {len(record['columns'])} columns: {trained} were trained on, "
        f"{lineage['holdout_rows']} held out, {_split(lineage['split'])}. Digest of the data: `{lineage['data']}`, of "
        f"the holdout: `{lineage['holdout']}`."
    )
    return "\n\n".join([sentence, table(["column", "type"], [*record["columns"].items()])])


def _split(split: dict[str, Any]) -> str:
    column = escape(split["column"])
    if split["method"] == "time":
        return f"all from {split['cutoff']} on by {column}"
    whole = f"rows that share {column} stay together" if split["method"] == "group" else f"by a hash of {column}"
    return f"{whole}, so that no version ever trains on them"


def _metrics(comparison: dict[str, Any]) -> str:
    """Of this version, with the interval of each, of the champion that it replaces, and of a trivial estimator."""
    ours, known = comparison["challenger"]["metrics"], comparison["intervals"]
    sides = {"this version": {name: number(value) for name, value in ours.items()}}
    if known:
        sides["interval"] = {name: f"[{number(low)}, {number(high)}]" for name, (low, high) in known.items()}
    if comparison["champion"]:
        sides["champion before"] = {name: number(value) for name, value in comparison["champion"]["metrics"].items()}
    sides["baseline"] = {name: number(value) for name, value in comparison["baseline"].items()}
    rows = [[name, *(side.get(name, number(None)) for side in sides.values())] for name in ours]
    sentence = f"Measured on {comparison['rows']} held-out rows; {escape(comparison['metric'])} decides."
    if known:
        sentence += " Intervals are of resamples of these rows, at the `confidence` of `[gates]` in model.toml."
    return f"{sentence}\n\n{table(['metric', *sides], rows)}"


def _slices(comparison: dict[str, Any]) -> str:
    if not comparison["slices"]:
        return "None is large enough to be measured: a slice needs at least 30 held-out rows."
    rows = [[short(each["name"]), each["rows"], number(each["challenger"])] for each in comparison["slices"][:SLICES]]
    sentence = (
        f"{comparison['slices_measured']} were measured, by the values of each column or by its quartiles. Among so "
        "many, some are bad by chance alone."
    )
    return f"{sentence}\n\n{table(['slice', 'rows', comparison['metric']], rows)}"


def _gates(comparison: dict[str, Any]) -> str:
    """What it had to pass; where a gain decides, with its interval."""
    rows = [
        [SIGNS[gate["verdict"]], gate["id"], gate["title"], _interval(gate), gate["message"]]
        for gate in comparison["gates"]
    ]
    return table(["", "gate", "promise", "gain", "what it says"], rows)


def _interval(gate: dict[str, Any]) -> str:
    return "" if gate["low"] is None else f"{gate['value']:.4f}, in [{gate['low']:.4f}, {gate['high']:.4f}]"


def _lineage(lineage: dict[str, Any]) -> str:
    rows = [["commit", lineage["commit"] or "none"], ["lock", lineage["lock"] or "none"], ["Python", lineage["python"]],
            *lineage["libraries"].items(), ["training digest", lineage["training"]]]  # fmt: skip
    sentence = "`gitops reproduce` trains it again from these, and compares."
    return f"{sentence}\n\n{table(['what', 'which'], rows)}"


def _call(record: dict[str, Any]) -> str:
    row = {name: _example(kind) for name, kind in record["columns"].items()}
    # What a column is called must not end the block.
    body = json.dumps({"rows": [row]}, indent=2).replace("`", "\\u0060")
    sentence = (
        "Rows go to `POST /predict` as JSON, CSV, Parquet or Arrow. The page `/docs` of the server has real rows, and "
        "the rules that they keep; the values here only show the types."
    )
    return f"{sentence}\n\n```json\n{body}\n```"


def _example(kind: str) -> Any:
    return next((value for name, value in EXAMPLES.items() if kind.startswith(name)), "text")
