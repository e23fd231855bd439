"""Variants of the sample repository for each task."""

from collections.abc import Callable

import numpy as np

from unit.sample import Project, make_rows


def regression(project: Project) -> None:
    """Turn the sample into a regression."""
    project.edit("model.toml", '"classification"', '"regression"')
    project.edit("model.toml", 'positive = "yes"\n', "")
    project.edit("model.toml", 'metric = "roc_auc"', 'metric = "r2"')
    project.edit("model.toml", "roc_auc = 0.6", "r2 = 0.1")
    project.edit("src/sample/schema.py", 'label: str = pa.Field(isin=["yes", "no"])', "label: float")
    project.edit("src/sample/estimator.py", "LogisticRegression(random_state=seed)", "Ridge()")
    project.edit("src/sample/estimator.py", "import LogisticRegression", "import Ridge")
    frame = make_rows()
    project.write_data(frame.assign(label=3 * frame["x1"] + frame["x2"]))


def three_classes(project: Project) -> None:
    """Give the sample three labels."""
    project.edit("src/sample/schema.py", 'isin=["yes", "no"]', 'isin=["no", "perhaps", "yes"]')
    frame = make_rows()
    project.write_data(frame.assign(label=np.select([frame["x1"] < -0.5, frame["x1"] < 0.5], ["no", "perhaps"], "yes")))


TASK_VARIANTS: dict[str, Callable[[Project], object]] = {
    "two classes": lambda project: None, "three classes": three_classes, "regression": regression,
}  # fmt: skip
