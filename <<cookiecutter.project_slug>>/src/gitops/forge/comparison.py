# machinery
"""The report of a comparison: the verdict first, then the gates, then the figures behind them."""

from typing import Any

from gitops.forge.report import escape, number, table

SIGNS = {"passed": "✅ passed", "refused": "❌ refused", "not applicable": "➖ not applicable"}


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


def render(found: dict[str, Any]) -> str:
    """The whole report in Markdown.

    Args:
        found: A comparison, as its JSON document says.
    """
    sign = {"promote": "✅", "refuse": "❌", "champion": "➖"}[found["verdict"]]
    parts = [f"## {sign} {escape(headline(found))}", "### Gates", _gates(found), _messages(found), "### Metrics"]
    parts += [f"On the {found['rows']} rows that `[split]` in model.toml holds out now.", _metrics(found)]
    parts += [_notes(found)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _gates(found: dict[str, Any]) -> str:
    rows = [
        [
            SIGNS[gate["verdict"]],
            gate["id"],
            gate["title"],
            _figure(gate["value"]),
            _figure(gate["threshold"]),
            _interval(gate),
        ]
        for gate in found["gates"]
    ]
    return table(["", "gate", "promise", "value", "threshold", "interval"], rows)


def _messages(found: dict[str, Any]) -> str:
    said = [gate for gate in found["gates"] if gate["verdict"] == "refused"] or found["gates"]
    return "\n".join(f"- **{gate['id']}**: {escape(gate['message'])}" for gate in said)


def _metrics(found: dict[str, Any]) -> str:
    champion = found["champion"]
    sides = [found["challenger"]["metrics"], champion["metrics"] if champion else {}, found["baseline"]]
    rows = [[name, *(number(side.get(name)) for side in sides)] for name in found["challenger"]["metrics"]]
    return table(["metric", "challenger", "champion", "baseline"], rows)


def _notes(found: dict[str, Any]) -> str:
    sides = {"challenger": found["challenger"], "champion": found["champion"]}
    return "\n".join(
        f"The {name} was scored by its own commit and lock: today's code would change what it says."
        for name, side in sides.items()
        if side and side["own_code"]
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _interval(gate: dict[str, Any]) -> str:
    return "" if gate["low"] is None else f"[{gate['low']:.4f}, {gate['high']:.4f}]"
