"""The seconds of one gain with its interval, as JSON: time_gain.py REPOSITORY METRIC ROWS RESAMPLES [plain].

With "plain", each resample's rows are measured by scikit-learn instead, as they are.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from two_models import configured, draw  # type: ignore[import-not-found]  # it lies beside this file

from gitops_ml.config import find
from gitops_ml.training.gain import gain
from gitops_ml.training.metrics import measure


def main(root: str, metric: str, rows: str, resamples: str, plain: str = "") -> None:
    """The two models are equally good."""
    config = configured(find(Path(root)), metric)
    config = config.model_copy(update={"gates": config.gates.model_copy(update={"resamples": int(resamples)})})
    truth, sides = draw("roc_auc", (0.85, 0.85), int(rows), 0)
    rng, began = np.random.default_rng(0), time.perf_counter()
    if plain:
        for _ in range(int(resamples)):
            drawn = rng.integers(0, len(truth), len(truth))
            for said in sides:
                measure(metric, truth[drawn], said.take(drawn), "yes")
    else:
        gain(config, truth, *sides)
    print(json.dumps(time.perf_counter() - began))


if __name__ == "__main__":
    main(*sys.argv[1:])
