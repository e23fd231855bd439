"""Training writes one folder with a manifest, reproducibly, with everything that later steps need to verify it."""

import json
import re
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml import config, manifest, run, user_package
from gitops_ml.commands.confined_code import confined_code
from gitops_ml.errors import ConfigError
from gitops_ml.modelling.trial_fit import choose_trial_rows
from gitops_ml.predictions import Predictions, predict
from gitops_ml.serving.score import open_run, reproduces_predictions
from gitops_ml.training.features import select_features
from gitops_ml.training.train import PreparedData, prepare, train
from gitops_ml.training.validate import validate
from unit.sample import MODEL_TOML, Project, make_rows

FOREST = """from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import Pipeline

from .features import features


def pipeline(seed):
    return Pipeline([("features", features()), ("estimator", RandomForestClassifier(5, random_state=seed))])
"""
CARELESS = FOREST.replace("random_state=seed", "random_state=None")
REGRESSION = (
    FOREST.replace("RandomForestClassifier", "LinearRegression")
    .replace("sklearn.ensemble", "sklearn.linear_model")
    .replace("5, random_state=seed", "")
)
SEARCH = """
[training.search]
method = "{method}"
folds = 3
iterations = 2

[training.search.parameters]
estimator__C = [1e-9, 0.5, 1.0]

[evaluation]"""


def prepare_project(project: Project) -> tuple[config.Repository, user_package.UserPackage, PreparedData]:
    """The input of training, as a new process loads it."""
    for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
        del sys.modules[name]
    repository = config.find_repository(project.root)
    package = user_package.load_user_package(repository)
    validation = validate(repository, package, keep_rows=True)
    assert validation.problems == ()
    assert validation.frame is not None
    return repository, package, prepare(repository, validation.frame, validation.digest)


def train_run(project: Project, name: str = "run", progress: Callable[[str], object] = str) -> tuple[Path, run.Run]:
    """A trained folder, and the record of its training."""
    out = project.root / ".gitops" / name
    repository, _, prepared = prepare_project(project)
    with confined_code(repository) as code:
        digest = train(repository, code, prepared, out, forced=False, progress=progress)
    return out, run.read_run(out, digest)


def predictions_of(project: Project, folder: Path) -> Predictions:
    """A trained model's predictions for the held-out rows."""
    repository, _, prepared = prepare_project(project)
    digest = manifest.digest_file(folder / manifest.FILE)
    _, model = open_run(folder, digest, repository.config.serving.trusted_types)
    return predict(model, select_features(repository.config.data, prepared.held_out))


def read_json(file: Path) -> Any:
    """Content of a JSON file."""
    return json.loads(file.read_text(encoding="utf-8"))


def regression(project: Project) -> None:
    """Give the sample a numeric target."""
    project.edit("model.toml", '"classification"', '"regression"')
    project.edit("model.toml", 'positive = "yes"\n', "")
    project.edit("model.toml", 'metric = "roc_auc"', 'metric = "r2"')
    project.edit("model.toml", "roc_auc = 0.6", "r2 = 0.0")
    project.edit("src/sample/schema.py", 'label: str = pa.Field(isin=["yes", "no"])', "label: float")
    project.write("src/sample/estimator.py", REGRESSION)
    frame = make_rows()
    project.write_data(frame.assign(label=frame["x1"] + frame["x2"]))


def multiclass(project: Project) -> None:
    """Give the sample three labels."""
    project.edit("model.toml", 'positive = "yes"\n', "")
    project.edit("src/sample/schema.py", '["yes", "no"]', '["low", "middle", "high"]')
    frame = make_rows()
    labels = np.select([frame["x1"] < -0.5, frame["x1"] < 0.5], ["low", "middle"], "high")
    project.write_data(frame.assign(label=labels))


def add_settings(project: Project, line: str) -> None:
    """Add a table of settings to model.toml."""
    project.edit("model.toml", "[evaluation]", f"{line}\n\n[evaluation]")


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [FOREST, CARELESS], ids=["seeded", "without random_state"])
def test_the_same_seed_gives_the_same_model(project: Project, estimator: str) -> None:
    """All digits are equal, even if the estimator ignores its seed; another seed gives another model."""
    project.write("src/sample/estimator.py", estimator)
    first, second = (train_run(project, name)[0] for name in ("a", "b"))
    assert (first / run.EXPECTED).read_bytes() == (second / run.EXPECTED).read_bytes()
    assert (predictions_of(project, first).probabilities == predictions_of(project, second).probabilities).all()  # type: ignore[union-attr]
    add_settings(project, "[training]\nseed = 1")
    assert (train_run(project, "c")[0] / run.EXPECTED).read_bytes() != (first / run.EXPECTED).read_bytes()


@pytest.mark.slow
def test_the_order_of_the_rows_does_not_matter(project: Project) -> None:
    """Rows are sorted by key before training."""
    first = train_run(project, "a")[0]
    project.write_data(make_rows().sample(frac=1, random_state=1))
    assert (train_run(project, "b")[0] / run.EXPECTED).read_bytes() == (first / run.EXPECTED).read_bytes()


def test_the_folder_is_complete_and_verified(project: Project) -> None:
    """It has every file that later steps need, and no other; its digest is an output."""
    result = project.must("train")
    folder = project.root / ".gitops" / "run"
    manifest.verify(folder, result.outputs["digest"])
    assert sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()) == [
        "expected.json",
        "input_example.json",
        "manifest.json",
        "model.skops",
        "plots/confusion_matrix.png",
        "plots/feature_importance.png",
        "reasons.json",
        "reference.json",
        "run.json",
        "seal.json",
        "sketch.json",
    ]
    assert {plot.read_bytes()[:8] for plot in folder.glob("plots/*")} == {b"\x89PNG\r\n\x1a\n"}


def test_progress_is_plain_lines_without_a_terminal(project: Project) -> None:
    """There is one line for each step, on standard error."""
    folds = [f"cross-validation, fold {number} of 3" for number in (1, 2, 3)]
    steps = ["fit", *folds, "draw the charts", "save the model"]
    *lines, last = project.must("train").err.splitlines()
    assert lines[-6:] == [f"train: {step}" for step in steps]
    assert re.fullmatch(rf"train: [\d.]+ s \({', '.join(rf'{step} [0-9.]+ s' for step in steps)}\)", last)


SHAPES: dict[str, tuple[Callable[[Project], object], list[Any]]] = {
    "classification": (str, ["no", "yes"]),
    "multiclass": (multiclass, ["high", "low", "middle"]),
}


@pytest.mark.parametrize(("change", "labels"), SHAPES.values(), ids=SHAPES)
def test_expected_predictions_have_every_label(
    project: Project, change: Callable[[Project], object], labels: list[str]
) -> None:
    """A constant model would fail the smoke test."""
    change(project)
    folder, record = train_run(project)
    expected = read_json(folder / run.EXPECTED)["predictions"]
    assert sorted({row["prediction"] for row in expected}) == labels
    assert sorted(record.classes) == labels
    assert len(expected) <= 20


def test_expected_numbers_lie_on_both_sides_of_the_median(project: Project) -> None:
    """The plots are those of a regression."""
    regression(project)
    folder, record = train_run(project)
    expected = [row["prediction"] for row in read_json(folder / run.EXPECTED)["predictions"]]
    middle = np.median(predictions_of(project, folder).values)
    assert min(expected) < middle < max(expected)
    assert record.classes == ()
    assert set(record.metrics) == {"r2", "rmse", "mae"}
    assert (folder / "plots" / "residuals.png").exists()


def tiny_numbers(project: Project) -> None:
    """Make a column so small that few of its digits are before the fifteenth decimal place."""
    project.write_data(make_rows().assign(x1=lambda frame: frame["x1"] * 1e-13))


def missing_values(project: Project) -> None:
    """Add a column with missing values, one with dates, and one of nullable integers; all are features."""
    project.edit(
        "src/sample/schema.py",
        "kind: str",
        "seen: pd.Timestamp\n    visits: pd.Int64Dtype = pa.Field(nullable=True)\n    kind: str",
    )
    project.edit("src/sample/schema.py", "import pandera", "import pandas as pd\nimport pandera")
    project.edit(
        "src/sample/features.py",
        'ColumnTransformer([("scaled", StandardScaler(), COLUMNS)])',
        'ColumnTransformer([("filled", SimpleImputer(), ["note", "visits", "x1"]), ("date", OrdinalEncoder('
        'handle_unknown="use_encoded_value", unknown_value=-1), ["seen"]), ("kind", OneHotEncoder(), ["kind"])])',
    )
    project.edit(
        "src/sample/features.py",
        "from sklearn.preprocessing import StandardScaler",
        "from sklearn.impute import SimpleImputer\nfrom sklearn.preprocessing import OneHotEncoder, OrdinalEncoder",
    )
    frame = make_rows()
    days = pd.date_range("2026-01-01", periods=9).repeat(60)[: len(frame)]
    project.write_data(frame.assign(seen=days, visits=np.where(frame["count"] > 4, "", frame["count"])))


REPLAYED: dict[str, Callable[[Project], object]] = {
    "unchanged": str,
    "multiclass": multiclass,
    "regression": regression,
    "tiny numbers": tiny_numbers,
    "missing values and dates": missing_values,
}


@pytest.mark.parametrize("change", REPLAYED.values(), ids=REPLAYED)
@pytest.mark.slow
def test_a_model_repeats_its_recorded_predictions(project: Project, change: Callable[[Project], object]) -> None:
    """The recorded rows, read from JSON, give the recorded predictions for all types of columns."""
    change(project)
    folder, record = train_run(project)
    _, model = open_run(folder, manifest.digest_file(folder / manifest.FILE), ())
    assert reproduces_predictions(record, partial(predict, model), folder)


def test_the_lineage_of_a_version(project: Project) -> None:
    """It has code, data, configuration, environment, and the holdout."""
    _, record = train_run(project)
    lineage = record.lineage
    assert lineage.commit == project.git("rev-parse", "HEAD")
    assert not lineage.dirty
    assert lineage.rows == 500
    assert 150 < lineage.holdout_rows < 250
    assert lineage.split == config.parse_config(MODEL_TOML).split
    assert lineage.lock == manifest.digest_file(project.root / "requirements" / "train.txt")
    assert lineage.python == sys.version.split()[0]
    assert {"gitops-ml", "scikit-learn", "pandas", "skops"} <= set(lineage.libraries)
    digests = (lineage.data, lineage.holdout, lineage.training, lineage.configuration)
    assert all(digest.startswith("sha256:") for digest in digests)
    assert len(set(digests)) == 4


def test_a_run_has_columns_parameters_and_metrics(project: Project) -> None:
    """The columns have their types, without key and target."""
    add_settings(project, "[training.parameters]\nestimator__C = 0.25")
    folder, record = train_run(project)
    assert record.columns == {"x1": "float64", "x2": "float64", "count": "int64", "kind": "str", "note": "float64"}
    assert record.parameters["C"] == "0.25"
    assert record.metrics["roc_auc"] > 0.6
    assert list(read_json(folder / run.EXAMPLE)[0]) == sorted(record.columns)


DIRTY: dict[str, tuple[Callable[[Project], object], bool]] = {
    "nothing": (str, False),
    "docs": (lambda p: p.write("docs/a.md", "text"), False),
    "data": (lambda p: p.write_data(make_rows(400)), True),
    "code": (lambda p: p.improve(), True),
    "a new file of the package": (lambda p: p.write("src/sample/more.py", ""), True),
    "model.toml": (lambda p: p.edit("model.toml", "0.6", "0.7"), True),
    "lock": (lambda p: p.write("requirements/train.txt", ""), True),
}


@pytest.mark.parametrize(("change", "dirty"), DIRTY.values(), ids=DIRTY)
def test_lineage_is_dirty_if_training_reads_uncommitted_files(
    project: Project, change: Callable[[Project], object], dirty: bool
) -> None:
    """Other uncommitted files do not matter."""
    change(project)
    assert prepare_project(project)[2].lineage.dirty is dirty


def rename_data(project: Project) -> None:
    """Rename the data file."""
    project.git("mv", "data/rows.csv", "data/other.csv")
    project.edit("model.toml", "data/rows.csv", "data/other.csv")


SAME_TRAINING: dict[str, Callable[[Project], object]] = {
    "docs": lambda p: p.write("docs/a.md", "text"),
    "a commit": lambda p: p.commit(),
    "a record": lambda p: p.write("registry/production.json", "{}"),
    "a comment in model.toml": lambda p: p.edit("model.toml", "[split]", "# a comment\n[split]"),
    "gates": lambda p: p.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.7"),
    "trusted types": lambda p: add_settings(p, '[serving]\ntrusted_types = ["a.B"]'),
    "store": lambda p: add_settings(p, "[store]\nretries = 3"),
    "the metric, without a search": lambda p: p.edit("model.toml", 'metric = "roc_auc"', 'metric = "log_loss"'),
    "the name of the data file": rename_data,
    "compiled files": lambda p: p.write("src/sample/__pycache__/a.pyc", "bytes"),
}
OTHER_TRAINING: dict[str, Callable[[Project], object]] = {
    "data": lambda p: p.write_data(make_rows(499)),
    "code": lambda p: p.improve(),
    "a new file of the package": lambda p: p.write("src/sample/more.py", ""),
    "seed": lambda p: add_settings(p, "[training]\nseed = 1"),
    "parameters": lambda p: add_settings(p, "[training.parameters]\nestimator__C = 0.5"),
    "search": lambda p: p.edit("model.toml", "[evaluation]", SEARCH.format(method="grid")),
    "split": lambda p: p.edit("model.toml", "holdout = 0.4", "holdout = 0.3"),
    "lock": lambda p: p.write("requirements/train.txt", "numpy==2.0.0\n"),
    "a column that is known later": lambda p: p.edit("model.toml", "[split]", 'known_later = ["x2"]\n\n[split]'),
    "what is missing": lambda p: p.edit("model.toml", "[split]", 'missing = ["", "NA"]\n\n[split]'),
    "no lock": lambda p: (p.root / "requirements/train.txt").unlink(),
}


@pytest.mark.parametrize("change", SAME_TRAINING.values(), ids=SAME_TRAINING)
def test_other_changes_keep_the_training_digest(project: Project, change: Callable[[Project], object]) -> None:
    """So they cause no new training."""
    earlier = prepare_project(project)[2].lineage.training
    change(project)
    assert prepare_project(project)[2].lineage.training == earlier


@pytest.mark.parametrize("change", OTHER_TRAINING.values(), ids=OTHER_TRAINING)
def test_training_inputs_change_the_training_digest(project: Project, change: Callable[[Project], object]) -> None:
    """Each input does so alone."""
    earlier = prepare_project(project)[2].lineage.training
    change(project)
    assert prepare_project(project)[2].lineage.training != earlier


@pytest.mark.slow
def test_the_same_training_is_not_repeated(project: Project) -> None:
    """The existing version is downloaded instead, with the reason, and later steps use it like a new one."""
    first = project.must("train")
    project.must("register")
    project.write("docs/a.md", "text")
    project.commit()
    (project.root / ".gitops" / "run" / "manifest.json").write_text("stale")
    second = project.must("train")
    assert "Nothing to train: version 1 was trained with the same data, code, training settings and lock" in second.out
    assert second.outputs == first.outputs
    manifest.verify(project.root / ".gitops" / "run", first.outputs["digest"])
    assert project.must("register").outputs["version"] == "1"


@pytest.mark.slow
def test_force_trains_again(project: Project) -> None:
    """The result is another version."""
    first = project.must("train")
    project.must("register")
    second = project.must("train", "--force")
    assert second.outputs["training"] == first.outputs["training"]
    assert "Nothing to train" not in second.out
    assert project.must("register").outputs["version"] == "2"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grid", "random"])
def test_a_search_chooses_by_the_metric(project: Project, method: str) -> None:
    """With accuracy, a model with constant predictions loses; a second search gives the same result."""
    project.edit("model.toml", 'metric = "roc_auc"', 'metric = "accuracy"')
    project.edit("model.toml", "[evaluation]", SEARCH.format(method=method))
    chosen = [train_run(project, name)[1].parameters["C"] for name in ("a", "b")]
    assert chosen[0] in {"0.5", "1.0"}
    assert chosen[0] == chosen[1]


def use_groups(project: Project) -> None:
    """Give the sample patients with several rows."""
    project.edit("model.toml", 'method = "hash"\ncolumn = "id"', 'method = "group"\ncolumn = "kind"')
    project.edit("src/sample/schema.py", 'pa.Field(isin=["a", "b", "c"])', "pa.Field()")
    project.write_data(make_rows().assign(kind=[f"patient {n % 50}" for n in range(500)]))


def use_dates(project: Project) -> None:
    """Give the sample rows with dates."""
    old = '[split]\nmethod = "hash"\ncolumn = "id"\nholdout = 0.4'
    project.edit("model.toml", old, '[split]\nmethod = "time"\ncolumn = "kind"\ncutoff = 2026-02-01')
    project.edit("src/sample/schema.py", 'kind: str = pa.Field(isin=["a", "b", "c"])', "kind: pd.Timestamp")
    project.edit("src/sample/schema.py", "import pandera", "import pandas as pd\nimport pandera")
    project.write_data(make_rows().assign(kind=pd.date_range("2026-01-01", periods=50).repeat(10)))


@pytest.mark.slow
@pytest.mark.parametrize("change", [use_groups, use_dates], ids=["group", "time"])
def test_every_split_can_be_trained_with_a_search(project: Project, change: Callable[[Project], object]) -> None:
    """The folds of the search follow the split."""
    change(project)
    project.edit("model.toml", "[evaluation]", SEARCH.format(method="grid"))
    _, record = train_run(project)
    assert record.metrics["roc_auc"] > 0.6
    assert record.lineage.split.method in {"group", "time"}


def pipeline_body(text: str) -> Callable[[Project], object]:
    """A change of estimator.py that adds a line to its function."""
    return lambda p: p.edit("src/sample/estimator.py", "    return Pipeline", f"    {text}\n    return Pipeline")


def untrusted_type(project: Project) -> None:
    """Make a feature from a function of the user's package."""
    project.edit("src/sample/features.py", "StandardScaler()", "FunctionTransformer(double)")
    project.edit("src/sample/features.py", "import StandardScaler", "import FunctionTransformer")
    project.edit("src/sample/features.py", "def features", "def double(x):\n    return 2 * x\n\n\ndef features")


def no_probabilities(project: Project) -> None:
    """Use an estimator that predicts labels only."""
    project.write(
        "src/sample/estimator.py",
        FOREST.replace("RandomForestClassifier(5, random_state=seed)", "LinearSVC()").replace(
            "from sklearn.ensemble import RandomForestClassifier", "from sklearn.svm import LinearSVC"
        ),
    )


REFUSED: dict[str, tuple[Callable[[Project], object], str]] = {
    "no Pipeline": (
        pipeline_body("return LogisticRegression()"),
        "pipeline(seed) in estimator.py returned LogisticRegression, not a scikit-learn Pipeline.",
    ),
    "a pipeline that raises": (
        pipeline_body("raise KeyError('column')"),
        "pipeline(seed) in estimator.py raised KeyError: 'column'",
    ),
    "no function pipeline": (
        lambda p: p.write("src/sample/estimator.py", ""),
        "src/sample: pipeline in estimator.py cannot be imported",
    ),
    "an unknown parameter": (
        lambda p: add_settings(p, "[training.parameters]\nestimator__D = 1"),
        "model.toml: [training.parameters]: Invalid parameter 'D'",
    ),
    "an unknown step": (
        lambda p: add_settings(p, "[training.parameters]\nmodel__C = 1"),
        "model.toml: [training.parameters]: Invalid parameter 'model'",
    ),
    "a parameter out of range": (
        lambda p: add_settings(p, "[training.parameters]\nestimator__C = -1.0"),
        "The pipeline cannot be fitted: The 'C' parameter of LogisticRegression must be",
    ),
    "an unknown parameter in the search": (
        lambda p: p.edit("model.toml", "[evaluation]", SEARCH.format(method="grid").replace("__C", "__D")),
        "The pipeline cannot be fitted: Invalid parameter 'D'",
    ),
    "an unknown column": (
        lambda p: p.edit("src/sample/features.py", '["x1"]', '["x3"]'),
        "The pipeline cannot be fitted: ",
    ),
    "a missing value that is not imputed": (
        lambda p: p.edit("src/sample/features.py", '["x1"]', '["note"]'),
        "The pipeline cannot be fitted: Input X contains NaN.",
    ),
    "an untrusted type": (
        untrusted_type,
        "The pipeline contains types that a model file may not contain: sample.features.double.",
    ),
    "a metric that needs probabilities": (
        no_probabilities,
        "The metric 'roc_auc' needs probabilities, but the estimator has no `predict_proba`.",
    ),
    "an unknown positive label": (
        lambda p: p.edit("model.toml", 'positive = "yes"', 'positive = "maybe"'),
        '[data] positive is "maybe", which is not a label of the target',
    ),
    "a split without held-out rows": (
        lambda p: p.edit("model.toml", "holdout = 0.4", "holdout = 0.0000001"),
        "[split] holds out 0 of 500 rows; both sides need rows.",
    ),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_project_is_refused(project: Project, change: Callable[[Project], object], message: str) -> None:
    """The exit code is 3, without a traceback, and no file is left."""
    change(project)
    result = project.gitops("train")
    assert result.code == 3
    assert message in result.err
    assert "Traceback" not in result.err
    assert [path.name for path in (project.root / ".gitops").iterdir()] == ["outputs"]


def test_a_type_of_the_user_can_be_trusted(project: Project) -> None:
    """The name of the type is in model.toml."""
    untrusted_type(project)
    add_settings(project, '[serving]\ntrusted_types = ["sample.features.double"]')
    folder, record = train_run(project)
    assert record.metrics["roc_auc"] > 0.6
    assert len(predictions_of(project, folder).values) == record.lineage.holdout_rows


class Killed(BaseException):
    """The effect of a kill inside the process."""


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("step", ["fit", "measure on the holdout", "save the model", "draw the charts"])
def test_a_killed_training_keeps_the_old_folder(project: Project, step: str) -> None:
    """The folder is complete, and the next training replaces it."""
    folder, record = train_run(project)
    digest = manifest.digest_file(folder / manifest.FILE)

    def kill(at: str) -> None:
        if at == step:
            raise Killed

    project.improve()
    with pytest.raises(Killed):
        train_run(project, progress=kill)
    assert run.read_run(folder, digest) == record
    assert train_run(project)[1].lineage.training != record.lineage.training


@pytest.mark.parametrize("out", ["data", "docs/a.md", "."])
def test_only_an_earlier_run_is_replaced(project: Project, out: str) -> None:
    """A folder of the user that is named by mistake is kept."""
    project.write("docs/a.md", "text")
    result = project.gitops("train", "--out", str(project.root / out))
    assert result.code == 3
    assert "exists and is not a run of gitops." in result.err
    assert (project.root / "data" / "rows.csv").exists()


@pytest.mark.slow
def test_no_temporary_folder_is_left(project: Project) -> None:
    """The partial folder and the replaced folder are removed."""
    train_run(project)
    train_run(project)
    assert [path.name for path in (project.root / ".gitops").iterdir()] == ["run"]


def test_reference_histograms_count_every_training_row(project: Project) -> None:
    """Each column has one count more than edges, and missing values are counted too.

    The predictions are cross-validated: on rows that it was fitted on, a model is more confident than in production.
    """
    folder, record = train_run(project)
    reference = read_json(folder / run.REFERENCE)
    assert reference["rows"] == record.lineage.rows - record.lineage.holdout_rows
    assert set(reference["columns"]) == set(record.columns)
    for each in [*reference["columns"].values(), reference["prediction"]]:
        counts = each["counts"] if "edges" in each else [*each["categories"].values(), each["other"]]
        assert sum(counts) + each["missing"] == reference["rows"]
        assert len(counts) == len(each.get("edges", each.get("categories"))) + 1


def test_training_measures_nothing_on_the_holdout(project: Project) -> None:
    """Other held-out labels change the lineage and the fingerprints of the rows, and nothing else."""
    first, described = train_run(project, "a")
    held_out_keys = set(prepare_project(project)[2].held_out["id"])
    frame = make_rows()
    project.write_data(frame.assign(label=np.where(frame["id"].isin(held_out_keys), "yes", frame["label"])))
    second, other = train_run(project, "b")
    assert other.metrics == described.metrics
    assert described.measured_by == "cross-validation"
    assert other.lineage.holdout != described.lineage.holdout
    files = {file.name: file.read_bytes() for file in first.iterdir() if file.is_file()}
    same = {name for name, content in files.items() if content == (second / name).read_bytes()}
    assert same >= {run.EXPECTED, run.EXAMPLE, run.REFERENCE, run.ATTRIBUTION_BASELINE, run.KEY_SAMPLE}


@pytest.mark.parametrize(("value", "is_trained"), [("true", True), ("false", False), ("", False)])
def test_a_workflow_forces_with_an_environment_variable(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, value: str, is_trained: bool
) -> None:
    """An input that was not set is an empty variable, which does not force."""
    monkeypatch.setenv("GITOPS_FORCE", value)
    assert ("Nothing to train" in at_stage("registered").must("train").out) != is_trained


OWN_FUNCTION = """from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from .features import features


def twice(rows):
    return rows * 2


def pipeline(seed):
    steps = [("features", features()), ("twice", FunctionTransformer(twice)), ("estimator", LogisticRegression())]
    return Pipeline(steps)
"""
# The fit makes an object of a second class; each fit adds its number of rows to a file.
OWN_CLASSES = """from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from .features import features


class Inner:
    pass


class Outer(LogisticRegression):
    def fit(self, rows, labels):
        if len(rows) > 550:
            raise RuntimeError("it was fitted on all rows")
        self.inner_ = Inner()
        return super().fit(rows, labels)


def pipeline(seed):
    return Pipeline([("features", features()), ("estimator", Outer())])
"""


def test_a_pipeline_that_cannot_be_saved_is_refused_before_the_fit(project: Project) -> None:
    """The message has the line for model.toml, and with this line the pipeline is fitted."""
    project.write("src/sample/estimator.py", OWN_FUNCTION)
    steps: list[str] = []
    with pytest.raises(ConfigError) as caught:
        train_run(project, progress=steps.append)
    assert steps == []
    line = 'trusted_types = ["sample.estimator.twice"]'
    assert caught.value.next_step.endswith(f"under [serving] in model.toml: {line}")
    add_settings(project, f"[serving]\n{line}")
    with pytest.raises(KeyboardInterrupt):
        train_run(project, progress=interrupt_fit)


def interrupt_fit(step: str) -> None:
    """Stop a training where its fit would start."""
    if step == "fit":
        raise KeyboardInterrupt


def test_a_type_that_only_the_fit_makes_is_refused_before_the_fit_on_all_rows(project: Project) -> None:
    """A fit on a few rows shows it; all types that are missing are named one after the other."""
    project.write("src/sample/estimator.py", OWN_CLASSES)
    project.write_data(make_rows(2000))
    add_settings(project, '[serving]\ntrusted_types = ["sample.estimator.Outer"]')
    with pytest.raises(ConfigError, match=r"may not contain: sample\.estimator\.Inner\."):
        train_run(project)


@pytest.mark.slow
def test_a_trial_fit_does_not_change_the_model(project: Project) -> None:
    """An estimator that draws from the global generator gives the model that it gives without the trial."""
    project.write("src/sample/estimator.py", CARELESS)
    project.write_data(make_rows(2000))
    with_trial, _ = train_run(project, "a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gitops_ml.modelling.trial_fit.TRIAL_ROWS", 10_000)
        without, _ = train_run(project, "b")
    assert (with_trial / run.EXPECTED).read_bytes() == (without / run.EXPECTED).read_bytes()


def test_rows_of_a_trial_have_every_class() -> None:
    """Rare labels are among them; many labels do not make the trial long."""
    rare = np.array(["no"] * 20_000 + ["yes"] * 20)
    assert (rare[choose_trial_rows(rare)] == "yes").sum() >= 10
    assert len(choose_trial_rows(np.arange(50_000))) < 1600
    assert len(choose_trial_rows(np.linspace(0, 1, 50_000))) == 500
