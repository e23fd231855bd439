"""The words of the data pull request; whatever came from data is escaped."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from gitops_ml.forge.proposal import LIMIT
from gitops_ml.forge.report import escape, folded, number, percent, several, short, table

CUT = "\n\nThe rest did not fit; `ingestion.json` in the artefact `ingestion` of the run has it all.\n"


@dataclass(frozen=True)
class DataOffer:
    """What the data pull request offers.

    Attributes:
        path: The file that gets the rows.
        rows: How many.
        short: The first twelve digits of their digest.
        document: The JSON document that `ingest` left when it checked them.
        run: The address of the workflow run; empty outside of one.
    """

    path: str
    rows: int
    short: str
    document: dict[str, Any] = field(repr=False)
    run: str = ""

    @property
    def title(self) -> str:
        """Of the pull request; `proposal.offered` reads it back."""
        # A title cannot be escaped, and a space would end the path for whoever reads it back.
        return f"Add {several(self.rows, 'row')} to {'_'.join(self.path.split())} ({self.short})"

    @property
    def body(self) -> str:
        """The whole text of the pull request, in Markdown, under 60,000 characters."""
        return render(self.document, self.run)

    @property
    def refreshed(self) -> str:
        """The comment that says what changed."""
        return (
            f"This pull request now offers {several(self.rows, 'row')} (`{self.short}`): what the source has now and "
            f"main has not.\n\n{self.mark}"
        )

    @property
    def mark(self) -> str:
        """By which that comment is found again."""
        return f"<!-- gitops rows {self.short} -->"

    @property
    def superseded(self) -> str:
        """The last comment in an approved pull request: an approval is for what was read, and for nothing else."""
        return (
            f"The source has other rows by now (`{self.short}`). This pull request was approved as it is, so it is "
            "closed and not rewritten; the rows come in a pull request of their own."
        )


def render(document: dict[str, Any], run: str = "") -> str:
    """What an ingestion would do, in Markdown.

    Args:
        document: As `ingest` wrote it.
        run: The address of the workflow run; empty outside of one.
    """
    parts = [
        _headline(document), _figures(document["does"]), *map(escape, document["notes"]), _answers(document["answers"]),
        _shifts(document["does"]["shifts"]), _gaps(document["does"]["gaps"]), _twins(document["does"]),
        _columns(document["does"]["columns"]),
    ]  # fmt: skip
    tail = f"\n\n{_decide(run)}\n"
    text = "\n\n".join(filter(None, parts))
    room = LIMIT - len(tail) - len(CUT)
    return (text if len(text) <= room else _cut(text, room)) + tail


def _cut(text: str, room: int) -> str:
    """Whole lines, and nothing folded that is not closed."""
    kept = text[:room].rpartition("\n")[0]
    while kept.count("<details>") > kept.count("</details>"):
        kept = kept.rpartition("<details>")[0]
    return kept + CUT


def _headline(document: dict[str, Any]) -> str:
    known = f"; {several(document['known'], 'row')} of it are here already" if document["known"] else ""
    return (
        f"## {several(document['rows'], 'new row')} for {escape(document['path'])}\n\n"
        f"From {escape(document['source'])}{known}. Every row keeps `schema.py`, and what is here stays as it is."
    )


def _figures(does: dict[str, Any]) -> str:
    before, added, held = does["rows_before"], does["rows_added"], (does["held_out_before"], does["held_out_added"])
    rows: list[Sequence[object]] = [
        ["rows", before, added, before + added],
        ["held out by the split", *held, sum(held)],
        *([f"target: {short(each['what'])}", *(_figure(each, when) for when in ("before", "added", "after"))]
          for each in does["target"]),
    ]  # fmt: skip
    return table(["", "before", "new rows", "after"], rows)


def _figure(balance: dict[str, Any], when: str) -> str:
    return percent(balance[when]) if balance["unit"] == "share" else number(balance[when])


def _answers(found: dict[str, Any] | None) -> str:
    if found is None:
        return "There is no champion yet that could be asked about these rows."
    who = f"The champion, version {escape(found['version'])},"
    if found["unknown"]:
        return f"{who} could not be asked about these rows: {escape(found['unknown'])}"
    interval = f" [{number(found['low'])}, {number(found['high'])}]" if found["low"] is not None else ""
    share = percent(found["wrong"] / found["rows"])
    said = (
        f"{who} reaches {escape(found['metric'])} {number(found['value'])}{interval} on the new rows "
        f"({number(found['promoted'])} when it was promoted). The truth contradicts {found['wrong']} of its "
        f"{found['rows']} predictions ({share}; {escape(found['rule'])})."
    )
    if not found["examples"]:
        return said
    rows = [[short(each["key"]), short(each["said"]), number(each["probability"]), short(each["truth"])]
            for each in found["examples"]]  # fmt: skip
    shown = table(["key", "the champion says", "probability", "truth"], rows)
    return f"{said}\n\n{folded('Where it was most wrong', shown)}"


def _shifts(shifts: list[dict[str, Any]]) -> str:
    if not shifts:
        return ""
    rows = [[short(each["column"]), number(each["psi"]), number(each["chance"]), short(each["largest"]["what"]),
             percent(each["largest"]["before"]), percent(each["largest"]["after"])] for each in shifts]  # fmt: skip
    heads = ["column", "shift", "by chance", "what moved most", "before", "new rows"]
    clear = [each["column"] for each in shifts if each["psi"] > each["chance"]]
    told = f"more than chance in {', '.join(map(short, clear))}" if clear else "none of them more than chance may do"
    why = "Population stability index over the bins of the rows here; chance exceeds `by chance` in 5 of 100 cases."
    return folded(f"How the new rows differ: {told}", table(heads, rows), why)


def _gaps(gaps: list[dict[str, Any]]) -> str:
    if not gaps:
        return "No value is missing in the new rows."
    rows = [[short(each["column"]), percent(each["before"]), percent(each["added"])] for each in gaps]
    return folded(
        f"Values are missing in {several(len(gaps), 'column')}", table(["column", "before", "new rows"], rows)
    )


def _twins(does: dict[str, Any]) -> str:
    if not does["twins"]:
        return "No new row repeats the content of another row."
    across = (
        f"; {does['twins_across']} of them one on the other side of the split, which the gate DUPLICATES counts"
        if does["twins_across"]
        else ""
    )
    return f"**{several(does['twins'], 'new row')}** repeat the content of another row under another key{across}."


def _columns(columns: dict[str, str]) -> str:
    rows = [[short(name), kind] for name, kind in columns.items()]
    return folded(f"{several(len(rows), 'column')}, none of them new or gone", table(["column", "type"], rows))


def _decide(run: str) -> str:
    made = f" Made by [this run]({run})." if run else ""
    return (
        "**Merge** to train on these rows: the push to main starts Train. **Close** to refuse them: the very same rows "
        f"are not offered again. When the source has other rows, this pull request is refreshed.{made}"
    )
