"""A version in a notebook: the files that were verified, and the predictions of `gitops score`."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gitops_ml.errors import ConfigError, DataUnreadable
from gitops_ml.notebook import load_training_rows, load_version
from unit.sample import DATA, Project, make_rows


@pytest.fixture
def promoted(at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project with version 1 promoted; this process is in one of its folders, as a notebook is."""
    project = at_stage("promoted")
    (project.root / "notebooks").mkdir()
    monkeypatch.chdir(project.root / "notebooks")
    return project


def test_the_champion_predicts_as_the_command_does(promoted: Project, tmp_path: Path) -> None:
    """Also by its number; other columns are ignored, and the index is kept."""
    rows = make_rows(30, seed=9)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    promoted.must("score", "--rows", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out.csv"))
    expected = pd.read_csv(tmp_path / "out.csv").set_axis(range(100, 130))
    for version in (load_version(), load_version(1)):
        assert version.number == "1"
        assert version.metrics["roc_auc"] > 0.6
        pd.testing.assert_frame_equal(version.predict(rows.set_axis(range(100, 130))), expected, check_dtype=False)


def test_what_cannot_be_loaded_is_named(promoted: Project) -> None:
    """A version that does not exist, a column that is missing, and a cell that is no value."""
    with pytest.raises(ConfigError, match="The registry has no version 7"):
        load_version(7)
    version = load_version()
    with pytest.raises(DataUnreadable, match="The table has no column 'x2'"):
        version.predict(make_rows(3).drop(columns="x2"))
    with pytest.raises(DataUnreadable, match="row 1, column 'x1': 'many'"):
        version.predict(make_rows(3).assign(x1=["1", "many", "2"]))


def test_the_notebook_runs_from_its_first_cell_to_its_last(promoted: Project) -> None:
    """`gitops eject notebooks` brings it; its last expressions are what a reader sees."""
    promoted.must("eject", "notebooks")
    content = json.loads((promoted.root / "notebooks" / "champion.ipynb").read_text())
    assert content == json.loads((DATA / "notebooks" / "champion.ipynb").read_text())
    names: dict[str, Any] = {}
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102 (the notebook of this repository)
    assert names["version"].number == "1"
    held_out = make_rows()[~make_rows()["id"].isin(names["rows"]["id"])]
    assert 0.3 < len(held_out) / 500 < 0.5
    assert list(load_training_rows()["id"]) == list(names["rows"]["id"])
