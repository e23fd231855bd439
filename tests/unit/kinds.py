"""The sample for each kind of target."""

from collections.abc import Callable

import numpy as np

from unit.sample import Project, rows


def regression(project: Project) -> None:
    """The sample, with numbers."""
    project.edit("model.toml", '"classification"', '"regression"')
    project.edit("model.toml", 'positive = "yes"\n', "")
    project.edit("model.toml", 'metric = "roc_auc"', 'metric = "r2"')
    project.edit("model.toml", "roc_auc = 0.6", "r2 = 0.1")
    project.edit("src/sample/schema.py", 'label: str = pa.Field(isin=["yes", "no"])', "label: float")
    project.edit("src/sample/estimator.py", "LogisticRegression(random_state=seed)", "Ridge()")
    project.edit("src/sample/estimator.py", "import LogisticRegression", "import Ridge")
    found = rows()
    project.data(found.assign(label=3 * found["x1"] + found["x2"]))


def three(project: Project) -> None:
    """The sample, with three labels."""
    project.edit("src/sample/schema.py", 'isin=["yes", "no"]', 'isin=["no", "perhaps", "yes"]')
    found = rows()
    project.data(found.assign(label=np.select([found["x1"] < -0.5, found["x1"] < 0.5], ["no", "perhaps"], "yes")))


KINDS: dict[str, Callable[[Project], object]] = {
    "two classes": lambda project: None, "three classes": three, "regression": regression,
}  # fmt: skip
