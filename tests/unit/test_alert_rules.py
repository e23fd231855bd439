"""The alert rules for Prometheus, with the thresholds of model.toml, and the reference beside the counters."""

import re
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from gitops_ml.deploying.targets.monitoring_services import write_configuration
from gitops_ml.monitoring.alert_rules import render_alert_rules
from gitops_ml.monitoring_config import MonitoringConfig
from gitops_ml.serving import reference_gauge
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
    """They have the settings of [monitoring]."""
    toml = project.root / "model.toml"
    toml.write_text(f"{MODEL_TOML}\n[monitoring]\nwindow_hours = 0.01\nerrors = 0.25\nminimum_rows = 77\nalarm = 0.3\n")
    output = project.must("config", "--prometheus").out
    assert 'increase(gitops_features_total{within!="is missing"}[36s])' in output
    assert "> 0.25 + 2.326 * sqrt(0.25 * (1 - 0.25) / version" in output
    assert ") and column:gitops_rows:window >= 77" in output
    assert "at most 25 % is allowed" in output
    assert "expr: vector(0.3)" in output


TIMES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "the defaults": ({}, {"window": "24h", "recent": "1h", "lasting": "24h", "soon": "5m", "interval": "2m"}),
    "an hour and a half": (
        {"window_hours": 1.5},
        {"window": "90m", "recent": "1h", "lasting": "90m", "interval": "90s"},
    ),
    "at once": ({"alarms": 1}, {"lasting": "0s"}),
    "three of three": ({"alarms": 3}, {"lasting": "48h"}),
    "seconds": ({"window_hours": 0.01}, {"window": "36s", "recent": "36s", "soon": "3s", "interval": "1s"}),
}


@pytest.mark.parametrize("name", TIMES)
def test_the_duration_before_an_alert(name: str) -> None:
    """It is one window for rules over a window, and one more window for each further alarm."""
    settings, expected = TIMES[name]
    text = render_alert_rules(MonitoringConfig(**settings), Path())
    found = {
        "window": re.findall(r"gitops_features_total.*?\[(\w+)]", text)[0],
        "recent": re.findall(r"gitops_log_dropped_rows_total\[(\w+)]", text)[0],
        "soon": re.findall(r"GitopsServerDown\n.*\n +for: (\w+)", text)[0],
        "lasting": re.findall(r"GitopsMissingValues\n(?:.*\n)+? +for: (\w+)", text)[0],
        "interval": re.findall(r"interval: (\w+)", text)[0],
    }
    assert {key: found[key] for key in expected} == expected


def test_every_placeholder_is_filled() -> None:
    """Every threshold has a value."""
    assert "@" not in render_alert_rules(MonitoringConfig(), Path())


def test_columns_that_are_left_out_raise_no_alert_of_drift() -> None:
    """Names are escaped; the prediction and missing values keep their alerts, and the index is recorded."""
    text = render_alert_rules(MonitoringConfig(left_out=("month", 'a "b"')), Path())
    drift = 'gitops_stability_index:window{column!="", column!="month", column!="a \\"b\\""} >= '
    assert text.count(drift) == 2
    assert text.count('column!="month"') == 2
    assert 'column:gitops_stability_index:window{column=""}' in text


def exposed_reference() -> CollectorRegistry:
    """The reference metrics of a server."""
    registry = CollectorRegistry()
    reference_gauge.expose(registry, REFERENCE, "7", 0.01)
    return registry


@pytest.mark.parametrize(
    ("column", "index", "within", "rows"),
    [
        ("age", "0", "< 50", 16),
        ("age", "2", "is missing", 4),
        ("kind", "1", "= b", 10),
        ("", "1", "≥ 0.5", 30),
        ("name", "0", "is anything else", 40),
    ],
)
def test_the_reference_has_the_labels_of_the_counters(column: str, index: str, within: str, rows: int) -> None:
    """There is one value for each bin; the prediction has no column."""
    labels = {"column": column, "bin": index, "within": within, "version": "7"}
    assert exposed_reference().get_sample_value("gitops_reference_rows", labels) == rows


def test_chance_is_a_quantile_over_all_monitored_values() -> None:
    """It is chi-squared with one degree of freedom less than non-empty bins, at 1 % for three values together."""
    chance = {
        column: exposed_reference().get_sample_value("gitops_reference_chance", {"column": column, "version": "7"})
        for column in ("age", "kind", "")
    }
    assert chance == pytest.approx({"age": 8.6154, "kind": 8.6154, "": 8.6154}, abs=1e-3)


def test_a_column_of_names_is_not_monitored() -> None:
    """It has no bins."""
    labels = {"column": "name", "version": "7"}
    assert exposed_reference().get_sample_value("gitops_reference_chance", labels) is None


def test_the_monitoring_configuration_is_kept(tmp_path: Path) -> None:
    """The same files have the same digest; other rules have another, so that Prometheus is restarted."""
    mark = write_configuration(tmp_path / "here", tmp_path, "groups: []\n")
    assert (tmp_path / "here/prometheus/rules.yml").read_text() == "groups: []\n"
    assert (tmp_path / "here/grafana/dashboards/model.json").is_file()
    assert write_configuration(tmp_path / "here", tmp_path, "groups: []\n") == mark
    assert write_configuration(tmp_path / "here", tmp_path, render_alert_rules(MonitoringConfig(), tmp_path)) != mark


def test_only_compose_can_run_monitoring(project: Project) -> None:
    """The error comes before anything is deployed."""
    result = project.gitops("deploy", "--monitoring")
    assert result.code == 3
    assert 'Environment production has a deployment target of kind "none"' in result.err
