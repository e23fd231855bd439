"""The details of a comparison, each folded below one sentence: slices, flips, data, lineage."""

from collections.abc import Sequence
from typing import Any

from gitops_ml.forge.report import escape, folded, number, percent, several, short, table

# Which table is cut to how many rows, one after the other, until the report is short enough.
CUTS = [(name, rows) for name in ("slices", "flips", "shifts", "target", "lineage") for rows in (3, 1, 0)]
NAMES = 10
MORE = "more in the run's summary"
Rows = Sequence[Sequence[object]]


def details(found: dict[str, Any], room: int) -> list[str]:
    """What a reviewer may want to know, as folded sections of Markdown.

    Args:
        found: A comparison, as its JSON document says.
        room: Characters that they may have together; tables are cut, and at last sections, to keep to it.
    """
    cuts: dict[str, int] = {}
    sections = _sections(found, cuts)
    for name, rows in CUTS:
        if _length(sections) <= room:
            return sections
        cuts[name] = rows
        sections = _sections(found, cuts)
    whole = len(sections)
    while sections and _length(sections) > room - len(MORE) - 10:
        sections.pop()
    return [*sections, f"… {whole - len(sections)} {MORE}"] if len(sections) < whole else sections


def _sections(found: dict[str, Any], cuts: dict[str, int]) -> list[str]:
    return [*filter(None, (each(found, cuts) for each in (_slices, _flips, _data, _lineage)))]


def _length(sections: list[str]) -> int:
    return sum(len(section) + 2 for section in sections) + 1


def _gain(part: dict[str, Any]) -> str:
    """What the challenger gains there, with its interval where it is known."""
    ends = "" if part.get("low") is None else f" [{-part['high']:+.4f}, {-part['low']:+.4f}]"
    return f"{-part['loss']:+.4f}{ends}"


def _slices(found: dict[str, Any], cuts: dict[str, int]) -> str:
    """Where the challenger is worst, compared with the champion."""
    slices, measured, metric = found["slices"], found["slices_measured"], found["metric"]
    if not slices:
        return folded("Slices: none is large enough to be measured", "A slice needs at least 30 held-out rows.")
    first, champion = slices[0], found["champion"] if found["verdict"] != "champion" else None
    where = f"where {short(first['name'])} ({first['rows']} rows)"
    if champion is None:
        said = f"{metric} is worst, {number(first['challenger'])}, {where}"
    elif first["loss"] > 0:
        said = f"the challenger loses most, {number(first['loss'])}, {where}"
    else:
        said = "the challenger is nowhere worse than the champion"
    rows = [
        [short(each["name"]), each["rows"], number(each["challenger"]),
         *([number(each["champion"]), _gain(each)] if champion else [])]
        for each in slices
    ]  # fmt: skip
    headers = ["slice", "rows", "challenger", *(["champion", "gain"] if champion else [])]
    hint = f"{escape(metric)} by the values of each column, or by its quartiles, on slices of at least 30 held-out rows"
    hint = f"{hint}: the worst {len(slices)} of {measured}. Among so many, some are bad by chance alone."
    return folded(f"Slices: {said}; {measured} measured", hint, _cut("slices", cuts, headers, rows))


def _flips(found: dict[str, Any], cuts: dict[str, int]) -> str:
    """Which rows get another answer."""
    flips = found["flips"]
    if flips is None or found["verdict"] == "champion":
        return ""
    if not flips["count"]:
        return folded(f"Predictions flip on none of {flips['rows']} rows", escape(f"Counted: {flips['rule']}."))
    said = (
        f"Predictions flip on {flips['count']} of {flips['rows']} rows ({percent(flips['rate'])}): "
        f"{flips['better']} for the better, {flips['worse']} for the worse"
    )
    rows = [
        [short(each["key"]), _answer(each["truth"]), _answer(each["champion"], each["champion_probability"]),
         _answer(each["challenger"], each["challenger_probability"])]
        for each in flips["examples"]
    ]  # fmt: skip
    hint = f"Counted: {flips['rule']}. Those that move most:"
    headers = ["key", "truth", "champion", "challenger"]
    for side in ("champion", "challenger"):
        if any(each.get(f"{side}_why") for each in flips["examples"]):
            headers = [*headers, f"what moved the {side}"]
            rows = [[*row, _moves(each.get(f"{side}_why"))] for row, each in zip(rows, flips["examples"], strict=True)]
    return folded(said, escape(hint), _cut("flips", cuts, headers, rows), escape(_unit(flips["examples"])))


def _moves(why: dict[str, Any] | None) -> str:
    """The columns that moved a prediction, and how far."""
    if why is None:
        return "–"
    toward = "" if why["of"] is None else f"{short(why['of'], 40)}: "
    reasons = [f"{short(each['column'], 40)} {each['contribution']:+.3g}" for each in why["reasons"]]
    return toward + (", ".join(reasons) or "nothing")


def _unit(examples: Sequence[dict[str, Any]]) -> str:
    """What the figures of the reasons are."""
    known = [why for each in examples for side in ("champion", "challenger") if (why := each.get(f"{side}_why"))]
    if not known:
        return ""
    units = " or ".join(sorted({str(why["unit"]) for why in known}))
    whose = "" if all(why["of"] is None for why in known) else " for the class that is named"
    return f"What moved them: how far a column takes the row from an average training row, in {short(units)}{whose}."


def _data(found: dict[str, Any], cuts: dict[str, int]) -> str:
    """What changed in the data since the champion was trained."""
    data = found["data"]
    if data is None or found["verdict"] == "champion":
        return ""
    said = f"Data: the same {data['rows_after']} rows as the champion's"
    if not data["same"]:
        said = f"Data: {data['rows_before']} → {data['rows_after']} rows, {percent(data['share_new'])} of them new"
        far = [shift for shift in data["shifts"] if shift["psi"] > shift["chance"]]
        said += f"; {several(len(far), 'column')} shifted more than by chance" if far else ""
    columns = [
        _names("Added", data["added"]), _names("Removed", data["removed"]),
        _names("Of another type", [f"{name} ({' → '.join(types)})" for name, types in data["retyped"].items()]),
    ]  # fmt: skip
    said += "; columns changed" if any(columns) else ""
    same = "The digests are equal: code, settings or libraries make the difference." if data["same"] else ""
    unknown = f"Nothing can be said about shifts: {data['unknown']}." if data["unknown"] else ""
    return folded(
        said, same, "\n".join(filter(None, columns)), _target(data, cuts), escape(unknown), _shifts(data, cuts)
    )


def _target(data: dict[str, Any], cuts: dict[str, int]) -> str:
    if data["same"] or not data["target"]:
        return ""
    rows = [[short(each["what"]), _moved(each, "before"), _moved(each, "after")] for each in data["target"]]
    return _cut("target", cuts, ["target", "before", "after"], rows)


def _shifts(data: dict[str, Any], cuts: dict[str, int]) -> str:
    if not data["shifts"]:
        return ""
    rows = [
        [short(each["column"]), f"{each['psi']:.3f}", f"{each['chance']:.3f}", short(each["largest"]["what"]),
         _moved(each["largest"], "before"), _moved(each["largest"], "after")]
        for each in data["shifts"]
    ]  # fmt: skip
    hint = "The columns that moved most, by their population stability index (0: not at all; above 0.25: a lot)."
    headers = ["column", "PSI", "PSI by chance", "most in", "before", "after"]
    return f"{hint}\n\n{_cut('shifts', cuts, headers, rows)}"


def _lineage(found: dict[str, Any], cuts: dict[str, int]) -> str:
    """What is behind both."""
    sides = [side["lineage"] for side in (found["challenger"], found["champion"]) if side]
    if found["verdict"] == "champion":
        sides = sides[:1]
    libraries = sorted({name for side in sides for name in side["libraries"]})
    differ = [name for name in libraries if len({side["libraries"].get(name) for side in sides}) > 1]
    rows = [[what, *(_said(side[field]) for side in sides)] for field, what in LINEAGE.items()]
    rows += [[short(name), *(_said(side["libraries"].get(name)) for side in sides)] for name in differ]
    said = f"Lineage: commit {_said(sides[0]['commit'])}"
    if len(sides) > 1:
        lock = "same lock" if sides[0]["lock"] == sides[1]["lock"] else "another lock"
        said += f", champion's {_said(sides[1]['commit'])}; {lock}"
        said += f"; {several(len(differ), 'library')} with another version" if differ else ", same libraries"
    headers = ["", "challenger", "champion"][: len(sides) + 1]
    return folded(said, _cut("lineage", cuts, headers, rows))


LINEAGE = {
    "commit": "commit", "dirty": "uncommitted changes", "data": "data", "rows": "rows", "holdout_rows": "held out",
    "training": "training digest", "lock": "lock", "python": "Python",
}  # fmt: skip


def _cut(name: str, cuts: dict[str, int], headers: Sequence[str], rows: Rows) -> str:
    """The table, or as much of it as there is room for."""
    kept = rows[: cuts.get(name, len(rows))]
    more = f"… {len(rows) - len(kept)} {MORE}" if len(kept) < len(rows) else ""
    return "\n\n".join(filter(None, [table(headers, kept) if kept else "", more]))


def _answer(value: object, probability: float | None = None) -> str:
    words = "–" if value is None else f"{value:.4g}" if isinstance(value, float) else short(value, 40)
    return words if probability is None else f"{words} ({probability:.2f})"


def _moved(figure: dict[str, Any], when: str) -> str:
    value = figure[when]
    return percent(value) if figure["unit"] == "share" else "–" if value is None else f"{value:.4g}"


def _names(title: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return f"- {title}: {', '.join(escape(short(name, 60)) for name in names[:NAMES])}{more}"


def _said(value: object) -> str:
    """A digest or a commit by its first twelve digits; anything else as it is."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    text = str(value).removeprefix("sha256:")
    return text[:12] if len(text) >= 40 else text
