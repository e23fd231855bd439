"""What Prometheus is given: rules with the thresholds of model.toml, and the reference beside the counters."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gitops_ml.deploying.targets.watchers import lay_out
from gitops_ml.monitoring.rules import rules
from gitops_ml.serving import reference_gauge
from gitops_ml.watch import Monitoring
from unit.sample import MODEL_TOML, Project

REFERENCE = {
    "rows": 40,
    "columns": {
        "age": {"missing": 4, "edges": [50.0], "counts": [16, 20]},
        "kind": {"missing": 0, "categories": {"a": 30, "b": 10}, "other": 0},
        "name": {"missing": 0, "categories": {}, "other": 40},
    },
    "prediction": {"missing": 0, "edges": [0.5], "counts": [10, 30]},
}


def test_config_prints_the_rules(project: Project) -> None:
    """With what [monitoring] says."""
    toml = project.root / "model.toml"
    toml.write_text(f"{MODEL_TOML}\n[monitoring]\nwindow_hours = 0.01\nerrors = 0.25\nminimum_rows = 77\nalarm = 0.3\n")
    told = project.must("config", "--prometheus").out
    assert 'increase(gitops_features_total{within!="is missing"}[36s])' in told
    assert "> 0.25 + 2.326 * sqrt(0.25 * (1 - 0.25) / version" in told
    assert ") and column:gitops_rows:window >= 77" in told
    assert "at most 25 % may" in told
    assert "expr: vector(0.3)" in told


TIMES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "as it comes": ({}, {"window": "24h", "recent": "1h", "lasting": "24h", "soon": "5m", "interval": "2m"}),
    "an hour and a half": (
        {"window_hours": 1.5},
        {"window": "90m", "recent": "1h", "lasting": "90m", "interval": "90s"},
    ),
    "at once": ({"alarms": 1}, {"lasting": "0s"}),
    "three of three": ({"alarms": 3}, {"lasting": "48h"}),
    "seconds": ({"window_hours": 0.01}, {"window": "36s", "recent": "36s", "soon": "3s", "interval": "1s"}),
}


@pytest.mark.parametrize("name", TIMES)
def test_how_long_an_alert_must_last(name: str) -> None:
    """One window of the sliding ones, and as long again for each further one."""
    said, wanted = TIMES[name]
    text = rules(Monitoring(**said), Path())
    found = {
        "window": re.findall(r"gitops_features_total.*?\[(\w+)]", text)[0],
        "recent": re.findall(r"gitops_log_dropped_rows_total\[(\w+)]", text)[0],
        "soon": re.findall(r"GitopsServerDown\n.*\n +for: (\w+)", text)[0],
        "lasting": re.findall(r"GitopsMissingValues\n(?:.*\n)+? +for: (\w+)", text)[0],
        "interval": re.findall(r"interval: (\w+)", text)[0],
    }
    assert {key: found[key] for key in wanted} == wanted


def test_nothing_is_left_to_fill_in() -> None:
    """Every threshold has a value."""
    assert "@" not in rules(Monitoring(), Path())


def shown() -> CollectorRegistry:
    """What a server shows of the reference."""
    registry = CollectorRegistry()
    reference_gauge.expose(registry, REFERENCE, "7", 0.01)
    return registry


@pytest.mark.parametrize(
    ("column", "place", "within", "rows"),
    [
        ("age", "0", "< 50", 16),
        ("age", "2", "is missing", 4),
        ("kind", "1", "= b", 10),
        ("", "1", "≥ 0.5", 30),
        ("name", "0", "is anything else", 40),
    ],
)
def test_the_reference_stands_beside_the_counters(column: str, place: str, within: str, rows: int) -> None:
    """Bin for bin, labelled like them; the prediction is the one without a column."""
    labels = {"column": column, "bin": place, "within": within, "version": "7"}
    assert shown().get_sample_value("gitops_reference_rows", labels) == rows


def test_chance_is_a_quantile_over_all_that_is_watched() -> None:
    """Chi-squared with one degree of freedom less than bins that hold something, at 1 % for three of them together."""
    chance = {
        column: shown().get_sample_value("gitops_reference_chance", {"column": column, "version": "7"})
        for column in ("age", "kind", "")
    }
    assert chance == pytest.approx({"age": 8.6154, "kind": 8.6154, "": 8.6154}, abs=1e-3)


def test_a_name_is_not_watched() -> None:
    """It has no bins to speak of."""
    labels = {"column": "name", "version": "7"}
    assert shown().get_sample_value("gitops_reference_chance", labels) is None


def test_what_watches_reads_files_that_no_runner_sweeps_away(tmp_path: Path) -> None:
    """The same files have the same mark; other rules have another, so that Prometheus is started anew."""
    mark = lay_out(tmp_path / "here", tmp_path, "groups: []\n")
    assert (tmp_path / "here/prometheus/rules.yml").read_text() == "groups: []\n"
    assert (tmp_path / "here/grafana/dashboards/model.json").is_file()
    assert lay_out(tmp_path / "here", tmp_path, "groups: []\n") == mark
    assert lay_out(tmp_path / "here", tmp_path, rules(Monitoring(), tmp_path)) != mark


def test_only_compose_has_them_beside_it(project: Project) -> None:
    """Said before anything is deployed."""
    told = project.gitops("deploy", "--monitoring")
    assert told.code == 3
    assert 'a target of the kind "none"' in told.err
