"""The details of a comparison, each collapsed below one sentence: slices, flips, data and lineage."""

from collections.abc import Sequence
from typing import Any

from gitops_ml.config import REGRESSION_METRICS
from gitops_ml.forge.markdown import (
    collapse,
    escape,
    format_count,
    format_number,
    format_percent,
    format_table,
    shorten,
)

# Tables, and numbers of rows, to which they are cut one after the other until the report is short enough.
CUTS = [(name, rows) for name in ("slices", "flips", "shifts", "target", "lineage") for rows in (3, 1, 0)]
MAX_NAMES = 10
MORE = "more in the run's summary"
SLICE_DEFINITION = (
    "A slice is all rows with the same value in a column; a numeric column with many values is cut into four slices at "
    "its quartiles."
)
LINEAGE = {
    "commit": "commit", "dirty": "uncommitted changes", "data": "data digest", "rows": "rows",
    "holdout_rows": "held-out rows", "training": "training digest (all inputs)", "lock": "lock file",
    "python": "Python",
}  # fmt: skip
Rows = Sequence[Sequence[object]]


def render_details(comparison: dict[str, Any], limit: int) -> list[str]:
    """Return the details as collapsed sections of Markdown.

    Args:
        comparison: JSON document of a comparison.
        limit: Maximum number of characters of all sections. Tables are cut first, then sections are left out.
    """
    cuts: dict[str, int] = {}
    sections = _render_sections(comparison, cuts)
    for name, rows in CUTS:
        if _length(sections) <= limit:
            return sections
        cuts[name] = rows
        sections = _render_sections(comparison, cuts)
    total = len(sections)
    while sections and _length(sections) > limit - len(MORE) - 10:
        sections.pop()
    return [*sections, f"… {total - len(sections)} {MORE}"] if len(sections) < total else sections


def _render_sections(comparison: dict[str, Any], cuts: dict[str, int]) -> list[str]:
    renderers = (_render_slices, _render_flips, _render_data, _render_lineage)
    return [*filter(None, (render(comparison, cuts) for render in renderers))]


def _length(sections: list[str]) -> int:
    return sum(len(section) + 2 for section in sections) + 1


def _format_gain(part: dict[str, Any]) -> str:
    """Return the challenger's gain on a slice, with its interval if there is one."""
    interval = "" if part.get("low") is None else f" [{-part['high']:+.4f}, {-part['low']:+.4f}]"
    return f"{-part['loss']:+.4f}{interval}"


def _render_slices(comparison: dict[str, Any], cuts: dict[str, int]) -> str:
    """Return the slices on which the challenger is worst compared with the champion, or worst of all."""
    slices, measured, metric = comparison["slices"], comparison["slices_measured"], comparison["metric"]
    if not slices:
        return collapse("Slices: no slice is large enough", "A slice needs at least 30 held-out rows.")
    worst, champion = slices[0], comparison["champion"] if comparison["verdict"] != "champion" else None
    where = f"where {shorten(worst['name'])} ({worst['rows']} rows)"
    if champion is None:
        summary = f"the worst {metric} is {format_number(worst['challenger'])}, {where}"
    elif worst["loss"] > 0:
        summary = f"the challenger is furthest behind the champion (by {format_number(worst['loss'])}) {where}"
    else:
        summary = "the challenger is not worse than the champion on any slice"
    rows = [
        [shorten(it["name"]), it["rows"], format_number(it["challenger"]),
         *([format_number(it["champion"]), _format_gain(it)] if champion else [])]
        for it in slices
    ]  # fmt: skip
    headers = ["slice", "rows", "challenger", *(["champion", "gain"] if champion else [])]
    gain = " A positive gain means that the challenger is better." if champion else ""
    hint = (
        f"{len(slices)} of {format_count(measured, 'slice')}, the worst first, measured by {escape(metric)}. "
        f"{SLICE_DEFINITION} Slices with fewer than 30 held-out rows are left out.{gain} Among many slices, some "
        "are bad by chance alone. The gate SLICES also judges the slices of `[slices]` in model.toml, and slices that "
        "a tree finds."
    )
    return collapse(f"Slices ({measured} measured): {summary}", hint, _cut_table("slices", cuts, headers, rows))


def _render_flips(comparison: dict[str, Any], cuts: dict[str, int]) -> str:
    """Return the rows whose predictions differ between champion and challenger."""
    flips = comparison["flips"]
    if flips is None or comparison["verdict"] == "champion":
        return ""
    definition = escape(f"A prediction flips if {flips['rule']}.")
    if not flips["count"]:
        return collapse(f"Predictions flip on none of {flips['rows']} rows", definition)
    summary = (
        f"Predictions flip on {flips['count']} of {flips['rows']} rows ({format_percent(flips['rate'])}): "
        f"{flips['better']} for the better, {flips['worse']} for the worse"
    )
    neither = flips["count"] - flips["better"] - flips["worse"]
    summary += f", {neither} neither better nor worse" if neither else ""
    rows = [
        [shorten(it["key"]), _format_prediction(it["truth"]),
         _format_prediction(it["champion"], it["champion_probability"]),
         _format_prediction(it["challenger"], it["challenger_probability"])]
        for it in flips["examples"]
    ]  # fmt: skip
    has_probabilities = any(it["champion_probability"] is not None for it in flips["examples"])
    is_regression = comparison["metric"] in REGRESSION_METRICS
    listed = "The flips with the largest changes" if is_regression else "Examples of flips"
    if has_probabilities:
        listed = "The flips that both versions predict with the highest probabilities, which are in parentheses"
    hint = f"{definition} {listed}:"
    headers = ["key", "true value" if is_regression else "true label", "champion", "challenger"]
    for name in ("champion", "challenger"):
        explained = f"{name}_why"
        if any(it.get(explained) for it in flips["examples"]):
            headers = [*headers, f"contributions ({name})"]
            rows = [[*row, _format_contributions(it.get(explained))]
                    for row, it in zip(rows, flips["examples"], strict=True)]  # fmt: skip
    unit = escape(_explain_contributions(flips["examples"]))
    return collapse(summary, hint, _cut_table("flips", cuts, headers, rows), unit)


def _format_contributions(explanation: dict[str, Any] | None) -> str:
    """Return the columns that changed a prediction most, with their contributions."""
    if explanation is None:
        return "–"
    toward = "" if explanation["of"] is None else f"{shorten(explanation['of'], 40)}: "
    columns = [f"{shorten(it['column'], 40)} {it['contribution']:+.3g}" for it in explanation["reasons"]]
    return toward + (", ".join(columns) or "no column contributes")


def _explain_contributions(examples: Sequence[dict[str, Any]]) -> str:
    explanations = [found for it in examples for name in ("champion", "challenger") if (found := it.get(f"{name}_why"))]
    if not explanations:
        return ""
    units = " or ".join(sorted({str(it["unit"]) for it in explanations}))
    is_regression = all(it["of"] is None for it in explanations)
    unit = f"Unit: that of the target {shorten(units)}." if is_regression else f"Unit: {shorten(units)}."
    favoured = "" if is_regression else " Positive values favour the class before the colon."
    return (
        "A contribution is one column's part of the difference between this prediction and the prediction for an "
        f"average training row. {unit}{favoured}"
    )


def _render_data(comparison: dict[str, Any], cuts: dict[str, int]) -> str:
    """Return the changes of the data since the champion was trained."""
    data = comparison["data"]
    if data is None or comparison["verdict"] == "champion":
        return ""
    summary = f"Data: the same {data['rows_after']} rows as the champion's"
    if not data["same"]:
        new = "the share of new rows is unknown"
        if data["share_new"] is not None:
            new = f"{format_percent(data['share_new'])} of them new"
        summary = f"Data: {data['rows_before']} → {data['rows_after']} rows (held-out rows included), {new}"
        shifted = [shift for shift in data["shifts"] if shift["psi"] > shift["chance"]]
        summary += f"; {format_count(len(shifted), 'column')} shifted more than chance explains" if shifted else ""
    columns = [
        _list_names("Added columns", data["added"]), _list_names("Removed columns", data["removed"]),
        _list_names("Columns with another type",
                    [f"{name} ({' → '.join(types)})" for name, types in data["retyped"].items()]),
    ]  # fmt: skip
    summary += "; columns were added, removed or changed in type" if any(columns) else ""
    same = "The data is identical: code, configuration or libraries make the difference." if data["same"] else ""
    unknown = f"Shifts of distributions are unknown: {data['unknown']}." if data["unknown"] else ""
    return collapse(
        summary, same, "\n".join(filter(None, columns)), _target_table(data, cuts), escape(unknown),
        _shifts_table(data, cuts),
    )  # fmt: skip


def _target_table(data: dict[str, Any], cuts: dict[str, int]) -> str:
    if data["same"] or not data["target"]:
        return ""
    rows = [[shorten(it["what"]), _format_figure(it, "before"), _format_figure(it, "after")] for it in data["target"]]
    return _cut_table("target", cuts, ["target", "before", "after"], rows)


def _shifts_table(data: dict[str, Any], cuts: dict[str, int]) -> str:
    if not data["shifts"]:
        return ""
    rows = [
        [shorten(it["column"]), f"{it['psi']:.3f}", f"{it['chance']:.3f}", shorten(it["largest"]["what"]),
         _format_figure(it["largest"], "before"), _format_figure(it["largest"], "after")]
        for it in data["shifts"]
    ]  # fmt: skip
    hint = (
        "The columns that shifted most, by population stability index (PSI; 0: the same distribution). If two samples "
        "differ only by chance, their PSI is below `PSI by chance` in 95 of 100 cases. In production, monitoring "
        "raises an alarm when the PSI reaches `alarm` of `[monitoring]` in model.toml."
    )
    headers = ["column", "PSI", "PSI by chance", "largest shift in", "before", "after"]
    return f"{hint}\n\n{_cut_table('shifts', cuts, headers, rows)}"


def _render_lineage(comparison: dict[str, Any], cuts: dict[str, int]) -> str:
    """Return the lineage of both versions."""
    lineages = [version["lineage"] for version in (comparison["challenger"], comparison["champion"]) if version]
    if comparison["verdict"] == "champion":
        lineages = lineages[:1]
    libraries = sorted({name for lineage in lineages for name in lineage["libraries"]})
    differing = [name for name in libraries if len({lineage["libraries"].get(name) for lineage in lineages}) > 1]
    rows = [[title, *(_format_field(lineage[field]) for lineage in lineages)] for field, title in LINEAGE.items()]
    rows += [[shorten(name), *(_format_field(lineage["libraries"].get(name)) for lineage in lineages)]
             for name in differing]  # fmt: skip
    summary = f"Lineage: commit {_format_field(lineages[0]['commit'])}"
    if len(lineages) > 1:
        lock = "the same lock file" if lineages[0]["lock"] == lineages[1]["lock"] else "a different lock file"
        changed = (
            f"different versions of {format_count(len(differing), 'library')}" if differing else "the same libraries"
        )
        summary += f", the champion's {_format_field(lineages[1]['commit'])}; {lock}; {changed}"
    headers = ["", "challenger", "champion"][: len(lineages) + 1]
    return collapse(summary, _cut_table("lineage", cuts, headers, rows))


def _cut_table(name: str, cuts: dict[str, int], headers: Sequence[str], rows: Rows) -> str:
    """Return the table with as many rows as `cuts` allows."""
    kept = rows[: cuts.get(name, len(rows))]
    more = f"… {len(rows) - len(kept)} {MORE}" if len(kept) < len(rows) else ""
    return "\n\n".join(filter(None, [format_table(headers, kept) if kept else "", more]))


def _format_prediction(value: object, probability: float | None = None) -> str:
    text = "–" if value is None else f"{value:.4g}" if isinstance(value, float) else shorten(value, 40)
    return text if probability is None else f"{text} ({probability:.2f})"


def _format_figure(figure: dict[str, Any], when: str) -> str:
    value = figure[when]
    return format_percent(value) if figure["unit"] == "share" else "–" if value is None else f"{value:.4g}"


def _list_names(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return f"- {title}: {', '.join(escape(shorten(name, 60)) for name in names[:MAX_NAMES])}{more}"


def _format_field(value: object) -> str:
    """Return the first twelve digits of a digest or a commit; any other value as it is."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    text = str(value).removeprefix("sha256:")
    return text[:12] if len(text) >= 40 else text
