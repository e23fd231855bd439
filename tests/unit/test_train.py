"""Training: one sealed folder, the same for the same inputs, with everything that later steps need to trust it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gitops_ml import config, contract, manifest, run
from gitops_ml.predictions import Predictions, predict
from gitops_ml.serving.score import open_run, replays
from gitops_ml.training.train import Prepared, features, prepare, train
from gitops_ml.training.validate import validate
from unit.sample import MODEL_TOML, Project, rows

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


def prepared(project: Project) -> tuple[config.Repository, contract.Yours, Prepared]:
    """What training starts from, as a fresh process sees it."""
    for name in [name for name in sys.modules if name.split(".")[0] == "sample"]:
        del sys.modules[name]
    repository = config.find(project.root)
    yours = contract.load(repository)
    found = validate(repository, yours, keep=True)
    assert found.problems == ()
    assert found.frame is not None
    return repository, yours, prepare(repository, found.frame, found.digest)


def trained(project: Project, name: str = "run", progress: Callable[[str], object] = str) -> tuple[Path, run.Run]:
    """A trained folder, and what it says of itself."""
    out = project.root / ".gitops" / name
    repository, yours, before = prepared(project)
    digest = train(repository, yours, before, out, forced=False, progress=progress)
    return out, run.read(out, digest)


def said(project: Project, folder: Path) -> Predictions:
    """What a trained model says of the held-out rows."""
    repository, _, before = prepared(project)
    digest = manifest.digest_file(folder / manifest.FILE)
    _, model = open_run(folder, digest, repository.config.serving.trusted_types)
    return predict(model, features(repository, before.held_out))


def read(file: Path) -> Any:
    """A JSON file."""
    return json.loads(file.read_text(encoding="utf-8"))


def regression(project: Project) -> None:
    """The sample, with a number for its target."""
    project.edit("model.toml", '"classification"', '"regression"')
    project.edit("model.toml", 'positive = "yes"\n', "")
    project.edit("model.toml", 'metric = "roc_auc"', 'metric = "r2"')
    project.edit("model.toml", "roc_auc = 0.6", "r2 = 0.0")
    project.edit("src/sample/schema.py", 'label: str = pa.Field(isin=["yes", "no"])', "label: float")
    project.write("src/sample/estimator.py", REGRESSION)
    frame = rows()
    project.data(frame.assign(label=frame["x1"] + frame["x2"]))


def multiclass(project: Project) -> None:
    """The sample, with three labels."""
    project.edit("model.toml", 'positive = "yes"\n', "")
    project.edit("src/sample/schema.py", '["yes", "no"]', '["low", "middle", "high"]')
    frame = rows()
    labels = np.select([frame["x1"] < -0.5, frame["x1"] < 0.5], ["low", "middle"], "high")
    project.data(frame.assign(label=labels))


def setting(project: Project, line: str) -> None:
    """One more table of settings."""
    project.edit("model.toml", "[evaluation]", f"{line}\n\n[evaluation]")


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [FOREST, CARELESS], ids=["seeded", "without random_state"])
def test_the_same_seed_makes_the_same_model(project: Project, estimator: str) -> None:
    """To the last digit, even where the estimator forgets its seed; another seed makes another one."""
    project.write("src/sample/estimator.py", estimator)
    first, again = (trained(project, name)[0] for name in ("a", "b"))
    assert (first / run.EXPECTED).read_bytes() == (again / run.EXPECTED).read_bytes()
    assert (said(project, first).probabilities == said(project, again).probabilities).all()  # type: ignore[union-attr]
    setting(project, "[training]\nseed = 1")
    assert (trained(project, "c")[0] / run.EXPECTED).read_bytes() != (first / run.EXPECTED).read_bytes()


@pytest.mark.slow
def test_the_order_of_the_rows_does_not_matter(project: Project) -> None:
    """Rows are sorted by key before anything is fitted."""
    first = trained(project, "a")[0]
    project.data(rows().sample(frac=1, random_state=1))
    assert (trained(project, "b")[0] / run.EXPECTED).read_bytes() == (first / run.EXPECTED).read_bytes()


def test_the_folder_is_sealed_and_whole(project: Project) -> None:
    """Every file that later steps need, and no other; its digest is the output."""
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


def test_progress_is_plain_lines_where_nobody_watches(project: Project) -> None:
    """One for each step, on standard error."""
    steps = ["fit", "measure on the holdout", "save the model", "draw"]
    assert project.must("train").err.splitlines()[-4:] == [f"train: {step}" for step in steps]


SHAPES: dict[str, tuple[Callable[[Project], object], list[Any]]] = {
    "classification": (str, ["no", "yes"]),
    "multiclass": (multiclass, ["high", "low", "middle"]),
}


@pytest.mark.parametrize(("change", "labels"), SHAPES.values(), ids=SHAPES)
def test_expected_predictions_have_every_label(
    project: Project, change: Callable[[Project], object], labels: list[str]
) -> None:
    """A model that always says the same would fail the smoke test."""
    change(project)
    folder, described = trained(project)
    expected = read(folder / run.EXPECTED)["predictions"]
    assert sorted({row["prediction"] for row in expected}) == labels
    assert sorted(described.classes) == labels
    assert len(expected) <= 20


def test_expected_numbers_lie_on_both_sides_of_the_median(project: Project) -> None:
    """The same for regression; and the plots are those of a regression."""
    regression(project)
    folder, described = trained(project)
    expected = [row["prediction"] for row in read(folder / run.EXPECTED)["predictions"]]
    middle = np.median(said(project, folder).values)
    assert min(expected) < middle < max(expected)
    assert described.classes == ()
    assert set(described.metrics) == {"r2", "rmse", "mae"}
    assert (folder / "plots" / "residuals.png").exists()


def tiny(project: Project) -> None:
    """A column so small that few of its digits stand before the fifteenth decimal."""
    project.data(rows().assign(x1=lambda frame: frame["x1"] * 1e-13))


def gaps(project: Project) -> None:
    """A column with gaps, one with dates, one of integers that may be missing; all are features."""
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
    frame = rows()
    days = pd.date_range("2026-01-01", periods=9).repeat(60)[: len(frame)]
    project.data(frame.assign(seen=days, visits=np.where(frame["count"] > 4, "", frame["count"])))


REPLAYED: dict[str, Callable[[Project], object]] = {
    "as it comes": str,
    "multiclass": multiclass,
    "regression": regression,
    "tiny numbers": tiny,
    "gaps and dates": gaps,
}


@pytest.mark.parametrize("change", REPLAYED.values(), ids=REPLAYED)
def test_a_model_replays_what_it_said(project: Project, change: Callable[[Project], object]) -> None:
    """Read back from JSON, the expected rows give the expected predictions, whatever the columns are."""
    change(project)
    folder, described = trained(project)
    _, model = open_run(folder, manifest.digest_file(folder / manifest.FILE), ())
    assert replays(described, model, folder)


def test_lineage_says_what_is_behind_a_version(project: Project) -> None:
    """Code, data, configuration, environment, and what was held out."""
    _, described = trained(project)
    lineage = described.lineage
    assert lineage.commit == project.git("rev-parse", "HEAD")
    assert not lineage.dirty
    assert lineage.rows == 500
    assert 150 < lineage.holdout_rows < 250
    assert lineage.split == config.parse(MODEL_TOML).split
    assert lineage.lock == manifest.digest_file(project.root / "requirements" / "train.txt")
    assert lineage.python == sys.version.split()[0]
    assert {"gitops-ml", "scikit-learn", "pandas", "skops"} <= set(lineage.libraries)
    digests = (lineage.data, lineage.holdout, lineage.training, lineage.configuration)
    assert all(digest.startswith("sha256:") for digest in digests)
    assert len(set(digests)) == 4


def test_a_run_says_what_a_request_has_and_how_it_was_fitted(project: Project) -> None:
    """Columns with their types, without key and target; the estimator's parameters; the metrics of the task."""
    setting(project, "[training.parameters]\nestimator__C = 0.25")
    folder, described = trained(project)
    assert described.columns == {"x1": "float64", "x2": "float64", "count": "int64", "kind": "str", "note": "float64"}
    assert described.parameters["C"] == "0.25"
    assert described.metrics["roc_auc"] > 0.6
    assert list(read(folder / run.EXAMPLE)[0]) == sorted(described.columns)


DIRTY: dict[str, tuple[Callable[[Project], object], bool]] = {
    "nothing": (str, False),
    "docs": (lambda p: p.write("docs/a.md", "words"), False),
    "data": (lambda p: p.data(rows(400)), True),
    "code": (lambda p: p.improve(), True),
    "a new file of the package": (lambda p: p.write("src/sample/more.py", ""), True),
    "model.toml": (lambda p: p.edit("model.toml", "0.6", "0.7"), True),
    "lock": (lambda p: p.write("requirements/train.txt", ""), True),
}


@pytest.mark.parametrize(("change", "dirty"), DIRTY.values(), ids=DIRTY)
def test_lineage_is_dirty_when_training_reads_what_is_not_committed(
    project: Project, change: Callable[[Project], object], dirty: bool
) -> None:
    """And only then."""
    change(project)
    assert prepared(project)[2].lineage.dirty is dirty


def moved(project: Project) -> None:
    """The same data under another name."""
    project.git("mv", "data/rows.csv", "data/other.csv")
    project.edit("model.toml", "data/rows.csv", "data/other.csv")


SAME_TRAINING: dict[str, Callable[[Project], object]] = {
    "docs": lambda p: p.write("docs/a.md", "words"),
    "a commit": lambda p: p.commit(),
    "a record": lambda p: p.write("registry/production.json", "{}"),
    "a comment in model.toml": lambda p: p.edit("model.toml", "[split]", "# why\n[split]"),
    "gates": lambda p: p.edit("model.toml", "roc_auc = 0.6", "roc_auc = 0.7"),
    "trusted types": lambda p: setting(p, '[serving]\ntrusted_types = ["a.B"]'),
    "store": lambda p: setting(p, "[store]\nretries = 3"),
    "the metric, without a search": lambda p: p.edit("model.toml", 'metric = "roc_auc"', 'metric = "log_loss"'),
    "the name of the data file": moved,
    "what Python left": lambda p: p.write("src/sample/__pycache__/a.pyc", "bytes"),
}
OTHER_TRAINING: dict[str, Callable[[Project], object]] = {
    "data": lambda p: p.data(rows(499)),
    "code": lambda p: p.improve(),
    "a new file of the package": lambda p: p.write("src/sample/more.py", ""),
    "seed": lambda p: setting(p, "[training]\nseed = 1"),
    "parameters": lambda p: setting(p, "[training.parameters]\nestimator__C = 0.5"),
    "search": lambda p: p.edit("model.toml", "[evaluation]", SEARCH.format(method="grid")),
    "split": lambda p: p.edit("model.toml", "holdout = 0.4", "holdout = 0.3"),
    "lock": lambda p: p.write("requirements/train.txt", "numpy==2.0.0\n"),
    "no lock": lambda p: (p.root / "requirements/train.txt").unlink(),
}


@pytest.mark.parametrize("change", SAME_TRAINING.values(), ids=SAME_TRAINING)
def test_what_training_does_not_depend_on_leaves_its_digest(
    project: Project, change: Callable[[Project], object]
) -> None:
    """So nothing is trained again for it."""
    before = prepared(project)[2].lineage.training
    change(project)
    assert prepared(project)[2].lineage.training == before


@pytest.mark.parametrize("change", OTHER_TRAINING.values(), ids=OTHER_TRAINING)
def test_what_training_depends_on_changes_its_digest(project: Project, change: Callable[[Project], object]) -> None:
    """Each on its own."""
    before = prepared(project)[2].lineage.training
    change(project)
    assert prepared(project)[2].lineage.training != before


@pytest.mark.slow
def test_the_same_training_is_not_done_twice(project: Project) -> None:
    """The version that it made is fetched instead, with the reason, and goes on as if it were new."""
    first = project.must("train")
    project.must("register")
    project.write("docs/a.md", "words")
    project.commit()
    (project.root / ".gitops" / "run" / "manifest.json").write_text("stale")
    again = project.must("train")
    assert "Nothing to train: version 1 was made from the same data, code, training tables and lock" in again.out
    assert again.outputs == first.outputs
    manifest.verify(project.root / ".gitops" / "run", first.outputs["digest"])
    assert project.must("register").outputs["version"] == "1"


@pytest.mark.slow
def test_force_trains_all_the_same(project: Project) -> None:
    """And makes another version."""
    first = project.must("train")
    project.must("register")
    again = project.must("train", "--force")
    assert again.outputs["training"] == first.outputs["training"]
    assert "Nothing to train" not in again.out
    assert project.must("register").outputs["version"] == "2"


@pytest.mark.slow
@pytest.mark.parametrize("method", ["grid", "random"])
def test_a_search_chooses_by_the_metric(project: Project, method: str) -> None:
    """With accuracy, a model that can say only one thing loses; twice the same is chosen."""
    project.edit("model.toml", 'metric = "roc_auc"', 'metric = "accuracy"')
    project.edit("model.toml", "[evaluation]", SEARCH.format(method=method))
    chosen = [trained(project, name)[1].parameters["C"] for name in ("a", "b")]
    assert chosen[0] in {"0.5", "1.0"}
    assert chosen[0] == chosen[1]


def grouped(project: Project) -> None:
    """Patients with several visits."""
    project.edit("model.toml", 'method = "hash"\ncolumn = "id"', 'method = "group"\ncolumn = "kind"')
    project.edit("src/sample/schema.py", 'pa.Field(isin=["a", "b", "c"])', "pa.Field()")
    project.data(rows().assign(kind=[f"patient {n % 50}" for n in range(500)]))


def timed(project: Project) -> None:
    """Rows with a day."""
    old = '[split]\nmethod = "hash"\ncolumn = "id"\nholdout = 0.4'
    project.edit("model.toml", old, '[split]\nmethod = "time"\ncolumn = "kind"\ncutoff = 2026-02-01')
    project.edit("src/sample/schema.py", 'kind: str = pa.Field(isin=["a", "b", "c"])', "kind: pd.Timestamp")
    project.edit("src/sample/schema.py", "import pandera", "import pandas as pd\nimport pandera")
    project.data(rows().assign(kind=pd.date_range("2026-01-01", periods=50).repeat(10)))


@pytest.mark.slow
@pytest.mark.parametrize("change", [grouped, timed], ids=["group", "time"])
def test_every_split_can_be_trained_and_searched(project: Project, change: Callable[[Project], object]) -> None:
    """The folds of the search keep the promise of the split."""
    change(project)
    project.edit("model.toml", "[evaluation]", SEARCH.format(method="grid"))
    _, described = trained(project)
    assert described.metrics["roc_auc"] > 0.6
    assert described.lineage.split.method in {"group", "time"}


def body(text: str) -> Callable[[Project], object]:
    """An estimator.py whose pipeline does this."""
    return lambda p: p.edit("src/sample/estimator.py", "    return Pipeline", f"    {text}\n    return Pipeline")


def stranger(project: Project) -> None:
    """A feature that is a function of yours."""
    project.edit("src/sample/features.py", "StandardScaler()", "FunctionTransformer(double)")
    project.edit("src/sample/features.py", "import StandardScaler", "import FunctionTransformer")
    project.edit("src/sample/features.py", "def features", "def double(x):\n    return 2 * x\n\n\ndef features")


def no_probabilities(project: Project) -> None:
    """An estimator that gives labels only."""
    project.write(
        "src/sample/estimator.py",
        FOREST.replace("RandomForestClassifier(5, random_state=seed)", "LinearSVC()").replace(
            "from sklearn.ensemble import RandomForestClassifier", "from sklearn.svm import LinearSVC"
        ),
    )


REFUSED: dict[str, tuple[Callable[[Project], object], str]] = {
    "no Pipeline": (
        body("return LogisticRegression()"),
        "pipeline(seed) in estimator.py returned LogisticRegression, not a scikit-learn Pipeline.",
    ),
    "a pipeline that raises": (
        body("raise KeyError('column')"),
        "pipeline(seed) in estimator.py raised KeyError: 'column'",
    ),
    "no pipeline at all": (
        lambda p: p.write("src/sample/estimator.py", ""),
        "src/sample: pipeline in estimator.py cannot be had",
    ),
    "an unknown parameter": (
        lambda p: setting(p, "[training.parameters]\nestimator__D = 1"),
        "model.toml: [training.parameters]: Invalid parameter 'D'",
    ),
    "an unknown step": (
        lambda p: setting(p, "[training.parameters]\nmodel__C = 1"),
        "model.toml: [training.parameters]: Invalid parameter 'model'",
    ),
    "a parameter out of range": (
        lambda p: setting(p, "[training.parameters]\nestimator__C = -1.0"),
        "The pipeline cannot be fitted: The 'C' parameter of LogisticRegression must be",
    ),
    "an unknown parameter in the search": (
        lambda p: p.edit("model.toml", "[evaluation]", SEARCH.format(method="grid").replace("__C", "__D")),
        "The pipeline cannot be fitted: Invalid parameter 'D'",
    ),
    "a column that is not there": (
        lambda p: p.edit("src/sample/features.py", '["x1"]', '["x3"]'),
        "The pipeline cannot be fitted: ",
    ),
    "a missing value that nobody fills": (
        lambda p: p.edit("src/sample/features.py", '["x1"]', '["note"]'),
        "The pipeline cannot be fitted: Input X contains NaN.",
    ),
    "a type that a model file may not contain": (
        stranger,
        "The pipeline holds types that a model file may not contain: sample.features.double.",
    ),
    "a metric that needs probabilities": (
        no_probabilities,
        "The metric 'roc_auc' needs probabilities, but the estimator has no `predict_proba`.",
    ),
    "a positive label that nobody has": (
        lambda p: p.edit("model.toml", 'positive = "yes"', 'positive = "maybe"'),
        "[data] positive is 'maybe', which is no label of the target.",
    ),
    "a split that leaves nothing": (
        lambda p: p.edit("model.toml", "holdout = 0.4", "holdout = 0.0000001"),
        "[split] holds out 0 of 500 rows; both sides need rows.",
    ),
}


@pytest.mark.parametrize(("change", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_trained_is_a_sentence(
    project: Project, change: Callable[[Project], object], sentence: str
) -> None:
    """Exit code 3, no traceback, and nothing left behind."""
    change(project)
    result = project.gitops("train")
    assert result.code == 3
    assert sentence in result.err
    assert "Traceback" not in result.err
    assert [path.name for path in (project.root / ".gitops").iterdir()] == ["outputs"]


def test_a_type_of_yours_can_be_trusted(project: Project) -> None:
    """With its name in model.toml."""
    stranger(project)
    setting(project, '[serving]\ntrusted_types = ["sample.features.double"]')
    folder, described = trained(project)
    assert described.metrics["roc_auc"] > 0.6
    assert len(said(project, folder).values) == described.lineage.holdout_rows


class Killed(BaseException):
    """What a kill looks like from inside."""


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("step", ["fit", "measure on the holdout", "save the model", "draw"])
def test_a_killed_training_leaves_the_old_folder(project: Project, step: str) -> None:
    """Whole, as it was; and the next training replaces it."""
    folder, described = trained(project)
    digest = manifest.digest_file(folder / manifest.FILE)

    def kill(at: str) -> None:
        if at == step:
            raise Killed

    project.improve()
    with pytest.raises(Killed):
        trained(project, progress=kill)
    assert run.read(folder, digest) == described
    assert trained(project)[1].lineage.training != described.lineage.training


@pytest.mark.parametrize("out", ["data", "docs/a.md", "."])
def test_nothing_but_an_earlier_run_is_replaced(project: Project, out: str) -> None:
    """A folder of yours that is named by mistake stays as it is."""
    project.write("docs/a.md", "words")
    result = project.gitops("train", "--out", str(project.root / out))
    assert result.code == 3
    assert "exists and is not a run of gitops." in result.err
    assert (project.root / "data" / "rows.csv").exists()


def test_nothing_is_left_beside_the_folder(project: Project) -> None:
    """Neither what was written first nor what was replaced."""
    trained(project)
    trained(project)
    assert [path.name for path in (project.root / ".gitops").iterdir()] == ["run"]


def test_reference_histograms_count_every_training_row(project: Project) -> None:
    """Of each column, with one count more than edges; what is missing is counted too. The prediction is of the held-out
    rows: of those that it was trained on, a model is surer than it will ever be in production."""
    folder, described = trained(project)
    found = read(folder / run.REFERENCE)
    assert found["rows"] == described.lineage.rows - described.lineage.holdout_rows
    assert set(found["columns"]) == set(described.columns)
    for each in [*found["columns"].values(), found["prediction"]]:
        counts = each["counts"] if "edges" in each else [*each["categories"].values(), each["other"]]
        of_training = each is not found["prediction"]
        rows = found["rows"] if of_training else described.lineage.holdout_rows
        assert sum(counts) + each["missing"] == rows
        assert len(counts) == len(each.get("edges", each.get("categories"))) + 1


def test_a_holdout_of_one_class_has_no_metric(project: Project) -> None:
    """It is trained and read back all the same; the gates will refuse it."""
    held = {row["id"] for row in prepared(project)[2].held_out.to_dict("records")}
    frame = rows()
    project.data(frame.assign(label=np.where(frame["id"].isin(held), "yes", frame["label"])))
    _, described = trained(project)
    assert np.isnan(described.metrics["roc_auc"])


@pytest.mark.parametrize(("value", "trains"), [("true", True), ("false", False), ("", False)])
def test_a_workflow_forces_by_an_environment_variable(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, value: str, trains: bool
) -> None:
    """An input that was not given arrives as an empty variable, which asks for nothing."""
    monkeypatch.setenv("GITOPS_FORCE", value)
    assert ("Nothing to train" in at_stage("registered").must("train").out) != trains
