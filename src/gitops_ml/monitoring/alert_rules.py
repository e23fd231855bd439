"""Alert rules of Prometheus, with the thresholds of model.toml."""

import json
import math
from pathlib import Path
from statistics import NormalDist
from string import Template

from gitops_ml import bundled
from gitops_ml.errors import ConfigError
from gitops_ml.monitoring_config import MonitoringConfig

TEMPLATE = "rules.yml.in"
HOUR, MINUTE = 3600, 60
MIN_REQUESTS = 20  # with fewer requests, no share is evaluated
COLUMNS = 100  # PromQL has no quantile function, so the number of columns is assumed instead of queried


class _RulesTemplate(Template):
    """A template with another delimiter, because PromQL and annotations contain dollar signs."""

    delimiter = "@"


def render_alert_rules(monitoring: MonitoringConfig, root: Path) -> str:
    """Return the alert rules as YAML for Prometheus.

    Drift and missing values are evaluated over a sliding window: `alarms` windows with an alarm become one window that
    must be in alarm for as long as the other windows take. Requests are evaluated over the last hour, or over the
    window if it is shorter, so that people learn of problems at once.

    Args:
        monitoring: Thresholds.
        root: Root of the repository, which may hold its own template of the rules (see `bundled`).

    Raises:
        ConfigError: The template names an unknown threshold.
    """
    window = monitoring.window_hours * HOUR
    recent = min(window, HOUR)
    shares = {"errors": monitoring.errors, "refused": monitoring.refused, "missing": monitoring.missing}
    percents = {f"{name}_percent": f"{share * 100:.3g} %" for name, share in shares.items()}
    times = {
        "window": window, "recent": recent, "soon": recent / 12, "lasting": (monitoring.alarms - 1) * window,
        "interval": min(max(window / 60, 1), 2 * MINUTE),
    }  # fmt: skip
    chances = {"quantile": monitoring.false_alarms, "quantile_all": monitoring.false_alarms / COLUMNS}
    quantiles = {name: f"{NormalDist().inv_cdf(1 - chance):.3f}" for name, chance in chances.items()}
    values = {
        **monitoring.model_dump(),
        **percents,
        **quantiles,
        "left_out": "".join(f", column!={json.dumps(name, ensure_ascii=False)}" for name in monitoring.left_out),
        "minimum_requests": MIN_REQUESTS,
        **{name: _duration(seconds) for name, seconds in times.items()},
    }
    file = bundled.find_file(root, "prometheus", TEMPLATE)
    try:
        return _RulesTemplate(file.read_text(encoding="utf-8")).substitute(values)
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"{file}: the text after an @ is no threshold ({error}).",
            f"Use one of these: {', '.join(values)}. Write @@ for the character @.",
        ) from error


def _duration(seconds: float) -> str:
    """Return a duration as Prometheus writes it, in the largest unit that fits."""
    whole = math.ceil(seconds)
    for unit, size in (("h", HOUR), ("m", MINUTE)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"
