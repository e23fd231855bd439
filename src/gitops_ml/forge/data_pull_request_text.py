"""The texts of the data pull request. Text that came from data is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gitops_ml.forge.markdown import (
    collapse,
    escape,
    format_count,
    format_number,
    format_percent,
    format_table,
    shorten,
)
from gitops_ml.forge.promotion_text import LIMIT

CUT_NOTE = (
    "\n\nThe rest did not fit. The file `ingestion.json` in the artefact `ingestion` of the run contains everything.\n"
)


@dataclass(frozen=True)
class DataProposal:
    """New rows that a pull request proposes.

    Attributes:
        path: File to which the rows are added.
        rows: Number of rows.
        short_digest: First twelve digits of the digest of the rows.
        document: JSON document of the ingestion.
        run_url: URL of the workflow run; empty outside of one.
    """

    path: str
    rows: int
    short_digest: str
    document: dict[str, Any] = field(repr=False)
    run_url: str = ""

    @property
    def title(self) -> str:
        """The title of the pull request, which `promotion_text.parse_digest` reads back."""
        # A title cannot be escaped, and a space would end the path when the title is parsed.
        return f"Add {format_count(self.rows, 'row')} to {'_'.join(self.path.split())} ({self.short_digest})"

    @property
    def body(self) -> str:
        """The body of the pull request in Markdown, with fewer than 60,000 characters."""
        return render_ingestion(self.document, self.run_url)

    @property
    def update_comment(self) -> str:
        """The comment on a pull request that proposes other rows now."""
        return (
            f"This pull request now proposes {format_count(self.rows, 'row')} (`{self.short_digest}`): the rows that "
            f"the source has now and main has not.\n\n{self.comment_marker}"
        )

    @property
    def comment_marker(self) -> str:
        """The invisible marker by which the comment is found."""
        return f"<!-- gitops rows {self.short_digest} -->"

    @property
    def superseded_comment(self) -> str:
        """The last comment on an approved pull request that other rows supersede."""
        return (
            f"The source has other rows now (`{self.short_digest}`). This pull request was approved with the rows that "
            "it proposes, so it is closed and not updated. The other rows get a pull request of their own."
        )


def render_ingestion(document: dict[str, Any], run_url: str = "") -> str:
    """Return the effects of an ingestion in Markdown.

    Args:
        document: JSON document of the ingestion.
        run_url: URL of the workflow run; empty outside of one.
    """
    does = document["does"]
    parts = [
        _render_headline(document), _figures_table(does), *map(escape, document["notes"]),
        _render_performance(document["answers"]), _render_shifts(does["shifts"]), _render_missing_values(does["gaps"]),
        _render_duplicates(does), _render_columns(does["columns"]),
    ]  # fmt: skip
    tail = f"\n\n{_render_decision(does, run_url)}\n"
    text = "\n\n".join(filter(None, parts))
    limit = LIMIT - len(tail) - len(CUT_NOTE)
    return (text if len(text) <= limit else _cut(text, limit)) + tail


def _cut(text: str, limit: int) -> str:
    """Return whole lines of a text, without a collapsed section that is not closed."""
    kept = text[:limit].rpartition("\n")[0]
    while kept.count("<details>") > kept.count("</details>"):
        kept = kept.rpartition("<details>")[0]
    return kept + CUT_NOTE


def _render_headline(document: dict[str, Any]) -> str:
    known = f", of which {format_count(document['known'], 'row')} are in the data already" if document["known"] else ""
    return (
        f"## {format_count(document['rows'], 'new row')} for {escape(document['path'])}\n\n"
        f"Source: {escape(document['source'])}{known}. All new rows pass the checks of `schema.py`. Existing rows do "
        "not change."
    )


def _figures_table(does: dict[str, Any]) -> str:
    before, added, after = _count_training_rows(does)
    rows: list[Sequence[object]] = [
        ["rows", does["rows_before"], does["rows_added"], does["rows_before"] + does["rows_added"]],
        ["training rows", before, added, after],
        ["held out by the split", *(does[f"held_out_{when}"] for when in ("before", "added", "after"))],
        *([f"target: {shorten(it['what'])}", *(_format_figure(it, when) for when in ("before", "added", "after"))]
          for it in does["target"]),
    ]  # fmt: skip
    return format_table(["", "before", "new rows", "after"], rows)


def _count_training_rows(does: dict[str, Any]) -> tuple[int, int, int]:
    """Return the number of training rows before, among the new rows, and after."""
    before, added = does["rows_before"], does["rows_added"]
    held_out = (does["held_out_before"], does["held_out_added"], does["held_out_after"])
    return before - held_out[0], added - held_out[1], before + added - held_out[2]


def _format_figure(figure: dict[str, Any], when: str) -> str:
    return format_percent(figure[when]) if figure["unit"] == "share" else format_number(figure[when])


def _render_performance(performance: dict[str, Any] | None) -> str:
    if performance is None:
        return "There is no champion yet, so no predictions are compared with the labels of these rows."
    champion = f"The champion, version {escape(performance['version'])},"
    if performance["unknown"]:
        return f"{champion} could not predict these rows: {escape(performance['unknown'])}"
    interval = ""
    if performance["low"] is not None:
        interval = f" [{format_number(performance['low'])}, {format_number(performance['high'])}]"
    share = format_percent(performance["wrong"] / performance["rows"])
    text = (
        f"{champion} reaches {escape(performance['metric'])} {format_number(performance['value'])}{interval} on the "
        f"new rows (at its promotion: {format_number(performance['promoted'])}). {performance['wrong']} of its "
        f"{performance['rows']} predictions are wrong ({share}; {escape(performance['rule'])})."
    )
    if not performance["examples"]:
        return text
    return f"{text}\n\n{collapse('The worst predictions', format_examples(performance['examples']))}"


def format_examples(examples: list[dict[str, Any]]) -> str:
    """Return a table of predictions; without the column of probabilities if the model has none.

    Args:
        examples: Key, prediction, probability and label of each row.
    """
    columns = {"key": "key", "said": "prediction", "probability": "probability", "truth": "label"}
    if all(each["probability"] is None for each in examples):
        del columns["probability"]
    rows = [
        [format_number(each[name]) if name == "probability" else shorten(each[name]) for name in columns]
        for each in examples
    ]
    return format_table(list(columns.values()), rows)


def _render_shifts(shifts: list[dict[str, Any]]) -> str:
    if not shifts:
        return ""
    rows = [[shorten(it["column"]), format_number(it["psi"]), format_number(it["chance"]),
             shorten(it["largest"]["what"]), format_percent(it["largest"]["before"]),
             format_percent(it["largest"]["after"])] for it in shifts]  # fmt: skip
    headers = ["column", "PSI", "PSI by chance", "largest shift in", "before", "new rows"]
    shifted = [shorten(it["column"]) for it in shifts if it["psi"] > it["chance"]]
    summary = f"more than by chance in {', '.join(shifted)}" if shifted else "in no column more than by chance"
    hint = (
        "PSI: population stability index over the bins of the existing rows. By chance alone, it exceeds `PSI by "
        "chance` in 5 of 100 cases."
    )
    return collapse(f"How the new rows differ: {summary}", format_table(headers, rows), hint)


def _render_missing_values(gaps: list[dict[str, Any]]) -> str:
    if not gaps:
        return "No value is missing in the new rows."
    rows = [[shorten(it["column"]), format_percent(it["before"]), format_percent(it["added"])] for it in gaps]
    table = format_table(["column", "before", "new rows"], rows)
    return collapse(f"Values are missing in {format_count(len(gaps), 'column')}", table)


def _render_duplicates(does: dict[str, Any]) -> str:
    if not does["twins"]:
        return "No new row is a duplicate of another row."
    across = (
        f"; {does['twins_across']} of them have their duplicate on the other side of the split, which the gate "
        "DUPLICATES counts"
        if does["twins_across"]
        else ""
    )
    rows = format_count(does["twins"], "new row")
    return f"**{rows}** have the same content as another row, under another key{across}."


def _render_columns(columns: dict[str, str]) -> str:
    rows = [[shorten(name), dtype] for name, dtype in columns.items()]
    summary = f"{format_count(len(rows), 'column')}, the same as before"
    return collapse(summary, format_table(["column", "type"], rows))


def _render_decision(does: dict[str, Any], run_url: str) -> str:
    run = f" Created by [this run]({run_url})." if run_url else ""
    return (
        f"**Merge** to add these rows: the push to main starts Train. {_describe_training(does)} **Close** to refuse "
        "them: exactly these rows are not proposed again. If the source has other rows, this pull request is "
        f"updated.{run}"
    )


def _describe_training(does: dict[str, Any]) -> str:
    """Return what training learns from the new rows, which depends on the method of the split."""
    before, added, after = _count_training_rows(does)
    held_out = does["held_out_added"]
    if does["method"] == "newest":
        moved = max(0, after - before - added)
        return (
            f"It then has {format_count(after, 'training row')} instead of {before}: the newest rows are held out "
            f"({held_out} of these), and {format_count(moved, 'row')} that {'was' if moved == 1 else 'were'} held out "
            "until now become training rows."
        )
    if added == 0 and does["method"] == "time":
        return (
            "**No version is trained on them**: all of them lie after `cutoff` under [split] in model.toml, so they "
            "are held out, and only judge versions. To train on newer rows, set a later `cutoff`, or replace it by "
            "`holdout`, the share of the newest rows."
        )
    return f"It then trains on {added} of these rows too; {held_out} of them are held out, and judge versions."
