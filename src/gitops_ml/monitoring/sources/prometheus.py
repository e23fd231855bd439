"""A Prometheus that asks the servers: what its counters grew by, over all servers, restarts included.

https://prometheus.io/docs/prometheus/latest/querying/api
"""

import math
from typing import Any

import requests

from gitops_ml.counters import ERRORS, FEATURES, PREDICTIONS, REQUESTS, ROWS, SECONDS
from gitops_ml.errors import MonitoringError
from gitops_ml.monitoring.counts import BUCKET, PATH, TOTAL, Tally
from gitops_ml.monitoring.look import Look, Question

TIMEOUT = (5, 60)
# Each counter, and the labels that it is summed by.
SUMS = {
    ROWS + TOTAL: (),
    FEATURES + TOTAL: ("column", "bin"),
    PREDICTIONS + TOTAL: ("bin",),
    REQUESTS + TOTAL: ("path", "status"),
    ERRORS + TOTAL: ("code",),
    SECONDS + BUCKET: ("path", "le"),
}


def look(address: str, selector: str, question: Question) -> Look:
    """Ask for what each counter of the version grew by in the window.

    Args:
        address: Of the Prometheus.
        selector: Labels that tell these servers apart from others; may be empty.
        question: What to count.

    Raises:
        MonitoringError: It does not answer, refuses, or knows no server of this version.
    """
    tally, found = Tally(question), False
    for name, labels in SUMS.items():
        for sample in _ask(address, query(name, labels, selector, question), question.until.timestamp()):
            value = float(sample["value"][1])
            if math.isfinite(value):
                tally.put(name, sample["metric"], value)
                found = found or name == ROWS + TOTAL
    if not found:
        raise MonitoringError(
            f"{address} knows no {ROWS}{TOTAL} of version {question.version} since {question.start:%Y-%m-%d %H:%M}.",
            "Check that it asks the servers (`gitops docs monitoring`), and `selector` under [monitoring].",
        )
    return Look(question.start, tally.seen)


def query(name: str, labels: tuple[str, ...], selector: str, question: Question) -> str:
    """What is asked, in Prometheus' language."""
    seconds = max(1, round((question.until - question.start).total_seconds()))
    version = question.version.replace("\\", "\\\\").replace('"', '\\"')
    also = [f'path="{PATH}"'] if "path" in labels else []
    chosen = ",".join([f'version="{version}"', *also, *([selector] if selector else [])])
    return f"sum by ({', '.join(labels)}) (increase({name}{{{chosen}}}[{seconds}s]))"


def _ask(address: str, asked: str, time: float) -> list[dict[str, Any]]:
    """One instant query."""
    url, mend = f"{address.rstrip('/')}/api/v1/query", "Check `prometheus` under [monitoring] in model.toml."
    try:
        answer = requests.post(url, data={"query": asked, "time": f"{time:.3f}"}, timeout=TIMEOUT)
        said: dict[str, Any] = answer.json()
    except requests.JSONDecodeError as error:
        raise MonitoringError(f"{address} is no Prometheus: it answers {answer.status_code}.", mend) from error
    except requests.RequestException as error:
        raise MonitoringError(f"{address} gives no answer ({type(error).__name__}).", mend) from error
    if said.get("status") != "success":
        raise MonitoringError(
            f"{address} refuses {asked!r}: {str(said.get('error'))[:200]}.",
            "Check `selector` under [monitoring] in model.toml.",
        )
    found: list[dict[str, Any]] = said["data"]["result"]
    return found
