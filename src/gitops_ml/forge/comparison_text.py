"""The Markdown report of a comparison: the verdict, the gates, the metrics, then the details."""

from collections.abc import Iterable
from typing import Any

from gitops_ml.config import LOWER_IS_BETTER, REGRESSION_METRICS
from gitops_ml.confinement.barriers import describe_doors
from gitops_ml.forge.comparison_details import render_details
from gitops_ml.forge.markdown import collapse, escape, format_number, format_table, shorten

VERDICTS = {"passed": "✅ passed", "refused": "❌ refused", "not applicable": "➖ not applicable", "off": "⚠️ off"}
# These gates are always shown. The others are collapsed as long as they pass.
SHOWN_GATES = ("FLOOR", "BASELINE", "CHAMPION")
LIMIT = 50_000  # characters
MESSAGE_LIMIT = 600  # characters


def headline(comparison: dict[str, Any]) -> str:
    """Return the verdict in one line.

    Args:
        comparison: JSON document of a comparison.
    """
    challenger, champion, metric = comparison["challenger"], comparison["champion"], comparison["metric"]
    value = f"{metric} {format_number(challenger['metrics'].get(metric))}"
    if comparison["verdict"] == "champion":
        return f"Version {challenger['version']} is the champion already; it was compared with itself ({value})"
    against = "no champion yet"
    if champion:
        against = f"champion version {champion['version']}: {format_number(champion['metrics'].get(metric))}"
    if comparison["verdict"] == "promote":
        proposed, verdict = comparison["rival"], "can be promoted"
        if proposed and not proposed["beaten"]:
            verdict = f"is refused by no gate, but version {proposed['side']['version']} stays proposed"
        return f"Version {challenger['version']} {verdict} ({value}; {against})"
    refused = [gate["id"] for gate in comparison["gates"] if gate["verdict"] == "refused"]
    gates = f"the gate{'s' if len(refused) > 1 else ''} {', '.join(refused)}"
    return f"Version {challenger['version']} is refused by {gates} ({value}; {against})"


def describe_proposed_version(comparison: dict[str, Any]) -> str:
    """Return which version the open pull request will propose, and why, in one sentence.

    Args:
        comparison: JSON document of a comparison that has such a version.
    """
    result = comparison["rival"]
    challenger, proposed = comparison["challenger"]["version"], result["side"]["version"]
    if comparison["verdict"] == "promote" and result["beaten"]:
        passed = f"version {challenger} passed the gate CHAMPION against it"
        reason = passed if result["side"]["metrics"] else "the two cannot be compared"
        return f"Version {challenger} replaces version {proposed} in the open pull request, because {reason}."
    reason = {
        "promote": "did not pass the gate CHAMPION against it", "refuse": "was refused",
        "champion": "is the champion already",
    }[comparison["verdict"]]  # fmt: skip
    return f"The open pull request still proposes version {proposed}, because version {challenger} {reason}."


def render_comparison(comparison: dict[str, Any], limit: int = LIMIT) -> str:
    """Return the whole report in Markdown.

    Args:
        comparison: JSON document of a comparison.
        limit: Maximum number of characters. Messages are shortened and tables are cut to keep to it.
    """
    head = _render_head(comparison, MESSAGE_LIMIT)
    if len(head) > limit / 2:
        head = _render_head(comparison, MESSAGE_LIMIT // 6)
    return "\n\n".join([head, *render_details(comparison, limit - len(head))]) + "\n"


def explain_metrics(metrics: Iterable[str]) -> str:
    """Return sentences about the metrics for which lower is better, and about the baseline.

    Args:
        metrics: Names of the metrics.
    """
    names = list(metrics)
    lower = [escape(name) for name in names if name in LOWER_IS_BETTER]
    is_regression = bool(set(names) & set(REGRESSION_METRICS))
    labels = "most common label, with the label shares of the training rows as probabilities"
    constant = "mean of the target" if is_regression else labels
    hint = f"Lower is better for {', '.join(lower)}. " if lower else ""
    return f"{hint}The baseline always predicts the {constant}."


def _render_head(comparison: dict[str, Any], message_limit: int) -> str:
    """Return verdict, gates, the result against the proposed version, and metrics."""
    sign = {"promote": "✅", "refuse": "❌", "champion": "➖"}[comparison["verdict"]]
    parts = [
        f"## {sign} {escape(headline(comparison))}", _render_gates(comparison, message_limit),
        _render_proposed_version(comparison, message_limit), _introduce_metrics(comparison),
        _metrics_table(comparison), _render_notes(comparison),
    ]  # fmt: skip
    return "\n\n".join(filter(None, parts))


def _render_gates(comparison: dict[str, Any], message_limit: int) -> str:
    """Return the gates that a reviewer must see, and all gates collapsed."""
    gates = comparison["gates"]
    shown = [gate for gate in gates if gate["verdict"] in ("refused", "off") or gate["id"] in SHOWN_GATES]
    explained = [gate for gate in gates if gate["verdict"] == "refused" or gate["aloud"]]
    summary = f"All gates with their messages: {_count_verdicts(gates)}"
    all_gates = collapse(summary, _gates_table(gates), _gate_messages(gates, message_limit))
    return "\n\n".join(filter(None, [_gates_table(shown), _gate_messages(explained, message_limit), all_gates]))


def _gates_table(gates: list[dict[str, Any]]) -> str:
    rows = [
        [VERDICTS[gate["verdict"]], gate["id"], gate["title"], _format_value(gate["value"]),
         _format_value(gate["threshold"]), _format_interval(gate)]
        for gate in gates
    ]  # fmt: skip
    return format_table(["", "gate", "requirement", "value", "threshold", "confidence interval"], rows)


def _gate_messages(gates: list[dict[str, Any]], message_limit: int) -> str:
    return "\n".join(f"- **{gate['id']}**: {escape(shorten(gate['message'], message_limit))}" for gate in gates)


def _count_verdicts(gates: list[dict[str, Any]]) -> str:
    counts = {verdict: sum(gate["verdict"] == verdict for gate in gates) for verdict in VERDICTS}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items() if count)


def _render_proposed_version(comparison: dict[str, Any], message_limit: int) -> str:
    if not comparison["rival"]:
        return ""
    message = shorten(comparison["rival"]["message"], message_limit)
    return f"**{escape(describe_proposed_version(comparison))}** {escape(message)}"


def _introduce_metrics(comparison: dict[str, Any]) -> str:
    change = " The change is challenger minus champion." if comparison["champion"] else ""
    if comparison["verdict"] == "champion":
        change = " Challenger and champion are the same version, so there is no change."
    hints = explain_metrics(comparison["challenger"]["metrics"])
    return f"Metrics on the {comparison['rows']} held-out rows (`[split]` in model.toml). {hints}{change}"


def _metrics_table(comparison: dict[str, Any]) -> str:
    champion, proposed = comparison["champion"], comparison["rival"]
    columns = {"challenger": comparison["challenger"]["metrics"]}
    if champion:
        columns["champion"] = champion["metrics"]
    if proposed and proposed["side"]["metrics"]:
        columns["proposed version"] = proposed["side"]["metrics"]
    columns["baseline"] = comparison["baseline"]
    rows = [[name, *(format_number(column.get(name)) for column in columns.values())]
            for name in columns["challenger"]]  # fmt: skip
    if champion:
        rows = [[*row, _difference(*(columns[it].get(row[0]) for it in ("challenger", "champion")))] for row in rows]
    return format_table(["metric", *columns, *(["change"] if champion else [])], rows)


def _difference(challenger: float | None, champion: float | None) -> str:
    return "–" if challenger is None or champion is None else f"{challenger - champion:+.4f}"


def _render_notes(comparison: dict[str, Any]) -> str:
    versions = {"challenger": comparison["challenger"], "champion": comparison["champion"]}
    if comparison["rival"]:
        versions["proposed version"] = comparison["rival"]["side"]
    own_code = [
        f"The {name} was scored with the code of its own commit and the packages of its own lock file, because "
        "today's code does not reproduce its recorded predictions."
        for name, version in versions.items()
        if version and version["own_code"]
    ]
    return "\n".join([*own_code, *_describe_confinement(comparison)])


def _describe_confinement(comparison: dict[str, Any]) -> list[str]:
    """Return what your code could have done to the verdict, where it was judged."""
    doors = comparison.get("open_doors")
    if doors is None:
        return []
    if not doors:
        return [
            "Your code ran in processes that could reach neither the data nor this verdict (`gitops docs security`)."
        ]
    return [
        f"⚠️ **Your code could have changed this verdict**: where it was judged, a process that runs it could "
        f"{describe_doors(doors)} (`gitops docs security`)."
    ]


def _format_value(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _format_interval(gate: dict[str, Any]) -> str:
    return "" if gate["low"] is None else f"[{gate['low']:.4f}, {gate['high']:.4f}]"
