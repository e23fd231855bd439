"""The rules of Prometheus, with the thresholds of model.toml."""

import math
from pathlib import Path
from statistics import NormalDist
from string import Template

from gitops_ml import bundled
from gitops_ml.errors import ConfigError
from gitops_ml.watch import Monitoring

TEXT = "rules.yml.in"
HOUR, MINUTE = 3600, 60
REQUESTS = 20  # of fewer, no share is spoken of
COLUMNS = 100  # PromQL has no quantiles, so that how many there are cannot be asked


class _Rules(Template):
    """PromQL and its annotations are full of dollar signs."""

    delimiter = "@"


def rules(monitoring: Monitoring, root: Path) -> str:
    """Return the rules that Prometheus reads.

    Drift and missing values are judged over a window that slides, so that `alarms` windows in which something shows are
    one window, and as much time again as the others take. What requests do is judged over the last hour, where that is
    less than a window, so that people learn of it at once.

    Args:
        monitoring: The thresholds.
        root: The repository, which may have a text of the rules of its own (bundled).

    Raises:
        ConfigError: That text names a threshold that there is not.
    """
    window = monitoring.window_hours * HOUR
    recent = min(window, HOUR)
    shares = {"errors": monitoring.errors, "refused": monitoring.refused, "missing": monitoring.missing}
    percents = {f"{name}_percent": f"{share * 100:.3g} %" for name, share in shares.items()}
    times = {
        "window": window, "recent": recent, "soon": recent / 12, "lasting": (monitoring.alarms - 1) * window,
        "interval": min(max(window / 60, 1), 2 * MINUTE),
    }  # fmt: skip
    chances = {"surely": monitoring.false_alarms, "surely_all": monitoring.false_alarms / COLUMNS}
    quantiles = {name: f"{NormalDist().inv_cdf(1 - chance):.3f}" for name, chance in chances.items()}
    said = {
        **monitoring.model_dump(),
        **percents,
        **quantiles,
        "minimum_requests": REQUESTS,
        **{name: _duration(seconds) for name, seconds in times.items()},
    }
    file = bundled.file(root, "prometheus", TEXT)
    try:
        return _Rules(file.read_text(encoding="utf-8")).substitute(said)
    except (KeyError, ValueError) as error:
        raise ConfigError(
            f"{file}: @ names no threshold there ({error}).", f"These are known: {', '.join(said)}. Write @@ for an @."
        ) from error


def _duration(seconds: float) -> str:
    """As Prometheus writes it, in the largest unit that fits."""
    whole = math.ceil(seconds)
    for unit, size in (("h", HOUR), ("m", MINUTE)):
        if whole and whole % size == 0:
            return f"{whole // size}{unit}"
    return f"{whole}s"
