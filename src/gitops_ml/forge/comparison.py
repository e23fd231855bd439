"""The report of a comparison: the verdict first, then the gates and the figures behind them, then the details."""

from typing import Any

from gitops_ml.forge.details import details
from gitops_ml.forge.report import escape, folded, number, several, short, table

SIGNS = {"passed": "✅ passed", "refused": "❌ refused", "not applicable": "➖ not applicable", "off": "⚠️ off"}
# What a reviewer asks first; the other gates are folded as long as they pass.
FIRST = ("FLOOR", "BASELINE", "CHAMPION")
LIMIT = 50_000
LONGEST_MESSAGE = 600


def headline(found: dict[str, Any]) -> str:
    """The verdict in one line."""
    ours, champion, metric = found["challenger"], found["champion"], found["metric"]
    value = f"{metric} {number(ours['metrics'].get(metric))}"
    if found["verdict"] == "champion":
        return f"Version {ours['version']} is the champion already ({value})"
    against = f"champion version {champion['version']}: {number(champion['metrics'].get(metric))}" if champion else (
        "no champion yet")  # fmt: skip
    if found["verdict"] == "promote":
        return f"Version {ours['version']} can be promoted ({value}; {against})"
    refused = ", ".join(gate["id"] for gate in found["gates"] if gate["verdict"] == "refused")
    return f"Version {ours['version']} is refused by {refused} ({value}; {against})"


def against(found: dict[str, Any]) -> str:
    """How the version that the open proposal names came off, in one sentence."""
    rival = found["rival"]
    ends = "is beaten and gives way" if rival["beaten"] else "is not beaten and stays"
    return f"Version {rival['side']['version']}, which the open proposal names, {ends}."


def render(found: dict[str, Any], limit: int = LIMIT) -> str:
    """The whole report in Markdown.

    Args:
        found: A comparison, as its JSON document says.
        limit: Characters that it may have; where it would have more, tables are cut.
    """
    head = _head(found, LONGEST_MESSAGE)
    if len(head) > limit / 2:
        head = _head(found, LONGEST_MESSAGE // 6)
    return "\n\n".join([head, *details(found, limit - len(head))]) + "\n"


def _head(found: dict[str, Any], longest: int) -> str:
    """Verdict, gates, rival, metrics."""
    sign = {"promote": "✅", "refuse": "❌", "champion": "➖"}[found["verdict"]]
    parts = [f"## {sign} {escape(headline(found))}", _gates(found, longest), _rival(found, longest)]
    parts += [f"Measured on the {found['rows']} rows that `[split]` in model.toml holds out now:", _metrics(found)]
    parts += [_notes(found)]
    return "\n\n".join(filter(None, parts))


def _gates(found: dict[str, Any], longest: int) -> str:
    """What refused, what a reviewer must know, and the gates that are asked for first; the others are folded."""
    gates = found["gates"]
    shown = [gate for gate in gates if gate["verdict"] in ("refused", "off") or gate["id"] in FIRST]
    told = [gate for gate in gates if gate["verdict"] == "refused" or gate["aloud"]]
    every = folded(f"{_count(gates)}; what each says", _table(gates), _messages(gates, longest))
    return "\n\n".join(filter(None, [_table(shown), _messages(told, longest), every]))


def _table(gates: list[dict[str, Any]]) -> str:
    rows = [
        [SIGNS[gate["verdict"]], gate["id"], gate["title"], _figure(gate["value"]), _figure(gate["threshold"]),
         _interval(gate)]
        for gate in gates
    ]  # fmt: skip
    return table(["", "gate", "promise", "value", "threshold", "interval"], rows)


def _messages(gates: list[dict[str, Any]], longest: int) -> str:
    return "\n".join(f"- **{gate['id']}**: {escape(short(gate['message'], longest))}" for gate in gates)


def _count(gates: list[dict[str, Any]]) -> str:
    """How many of them said what."""
    words = {"passed": "passed", "refused": "refused", "not applicable": "had nothing to judge", "off": "switched off"}
    counts = {words[each]: sum(gate["verdict"] == each for gate in gates) for each in words}
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)
    return f"{several(len(gates), 'gate')}: {said}"


def _rival(found: dict[str, Any], longest: int) -> str:
    if not found["rival"]:
        return ""
    return f"**{escape(against(found))}** {escape(short(found['rival']['message'], longest))}"


def _metrics(found: dict[str, Any]) -> str:
    """Each metric of each version; `change` is challenger less champion."""
    champion, rival = found["champion"], found["rival"]
    sides = {"challenger": found["challenger"]["metrics"]}
    if champion:
        sides["champion"] = champion["metrics"]
    if rival and rival["side"]["metrics"]:
        sides["proposed"] = rival["side"]["metrics"]
    sides["baseline"] = found["baseline"]
    rows = [[name, *(number(side.get(name)) for side in sides.values())] for name in sides["challenger"]]
    if champion:
        rows = [[*row, _change(*(sides[side].get(row[0]) for side in ("challenger", "champion")))] for row in rows]
    return table(["metric", *sides, *(["change"] if champion else [])], rows)


def _change(ours: float | None, theirs: float | None) -> str:
    return "–" if ours is None or theirs is None else f"{ours - theirs:+.4f}"


def _notes(found: dict[str, Any]) -> str:
    sides = {"challenger": found["challenger"], "champion": found["champion"]}
    if found["rival"]:
        sides["proposed version"] = found["rival"]["side"]
    return "\n".join(
        f"The {name} was scored by its own commit and lock: today's code would change what it says."
        for name, side in sides.items()
        if side and side["own_code"]
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(gate: dict[str, Any]) -> str:
    return "" if gate["low"] is None else f"[{gate['low']:.4f}, {gate['high']:.4f}]"
