"""Measure the seconds of a gain with its interval, as JSON: time_gain.py REPOSITORY METRIC ROWS RESAMPLES [plain].

With "plain", scikit-learn computes the metric of the rows of each resample instead.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from two_models import configured, draw  # type: ignore[import-not-found]  # a module beside this file

from gitops_ml.config import find_repository
from gitops_ml.training.gain import gain
from gitops_ml.training.metrics import measure


def main(root: str, metric: str, rows: str, resamples: str, plain: str = "") -> None:
    """Measure the gain of two models of equal quality."""
    config = configured(find_repository(Path(root)), metric)
    config = config.model_copy(update={"gates": config.gates.model_copy(update={"resamples": int(resamples)})})
    labels, models = draw("roc_auc", (0.85, 0.85), int(rows), 0)
    rng, began = np.random.default_rng(0), time.perf_counter()
    if plain:
        for _ in range(int(resamples)):
            drawn = rng.integers(0, len(labels), len(labels))
            for predictions in models:
                measure(metric, labels[drawn], predictions.take(drawn), "yes")
    else:
        gain(config, labels, *models)
    print(json.dumps(time.perf_counter() - began))


if __name__ == "__main__":
    main(*sys.argv[1:])
