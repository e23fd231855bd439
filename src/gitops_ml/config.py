"""model.toml as frozen, typed models: one class per table, unknown keys refused."""

import datetime
import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, Field, StringConstraints, ValidationError, model_validator

from gitops_ml.errors import ConfigError
from gitops_ml.table import Part, Share, Table, Text
from gitops_ml.watch import Ingest, Log, Monitoring

FILE = "model.toml"
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Package = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$")]
Metric = Literal[
    "roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1", "log_loss", "brier", "r2", "rmse", "mae"
]
REGRESSION = ("r2", "rmse", "mae")
GateId = Literal[
    "FINITE", "SCHEMA", "PROVENANCE", "CLAIMS", "RULES", "HOLDOUT", "LABELS", "DUPLICATES", "LEAKAGE", "FLOOR",
    "BASELINE", "COMPARABLE", "CHAMPION", "JUMP", "SLICES", "FAIRNESS", "CALIBRATION", "FLIPS", "BEHAVIOUR",
    "ROBUSTNESS", "DETERMINISM", "LATENCY", "SIZE",
]  # fmt: skip
# What pydantic says in the words of Python, in those of TOML.
WORDS = {
    "dict_type": "should be a table",
    "model_type": "should be a table",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
    "string_type": "should be text in quotes",
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "date_type": "should be a date such as 2026-01-01, without quotes",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}


class Project(Table):
    """What is predicted, and where your code lies."""

    name: Name = Field(description="The registered model's name.")
    package: Package = Field(description="Your code: src/<package>.")
    task: Literal["classification", "regression"] = Field(description="A label or a number.")


class Data(Table):
    """Where the rows come from."""

    path: Text | None = Field(None, description="A CSV or Parquet file, or a glob, inside the repository.")
    query: Text | None = Field(None, description="A SQL query instead of a path.")
    url_env: Text = Field("DATABASE_URL", description="The environment variable that holds the SQLAlchemy URL.")
    key: Text = Field(description="The column that names a row for ever.")
    target: Text = Field(description="The column that the model predicts.")
    positive: str | int | None = Field(None, description="The label that two-class metrics look for.")
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(
        ",", description="Between the columns of a CSV."
    )
    max_mib: int = Field(1024, gt=0, description="Refuse larger data before reading it (MiB).")
    max_rows: int = Field(50_000_000, gt=0, description="Refuse a query that returns more rows.")
    chunk_rows: int = Field(100_000, gt=0, description="Rows validated at a time.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.query is None):
            raise ValueError("needs either `path` or `query`, and not both")
        return self


class Split(Table):
    """Which rows are held out; declared, never guessed."""

    method: Literal["hash", "group", "time"] = Field(description="How rows are told apart.")
    column: Text = Field(description="The key, the group, or the date.")
    holdout: Share | None = Field(None, description="The share of rows held out (hash, group).")
    cutoff: datetime.date | None = Field(None, description="The first held-out day (time).")

    @model_validator(mode="after")
    def _fits_method(self) -> Self:
        if self.method == "time" and (self.cutoff is None or self.holdout is not None):
            raise ValueError('method = "time" needs `cutoff` (a date such as 2026-01-01) and no `holdout`')
        if self.method != "time" and (self.holdout is None or self.cutoff is not None):
            raise ValueError(f'method = "{self.method}" needs `holdout` (a share such as 0.3) and no `cutoff`')
        return self


class Search(Table):
    """scikit-learn's search over hyperparameters."""

    method: Literal["grid", "random"] = Field("grid", description="Try all, or `iterations` of them.")
    folds: int = Field(5, ge=2, description="Folds of the cross-validation on the training rows.")
    iterations: int = Field(20, ge=1, description="How many a random search tries.")
    parameters: dict[str, list[Any]] = Field(min_length=1, description="Values to try, by parameter name.")


class Training(Table):
    """How the pipeline is fitted."""

    seed: int = Field(0, ge=0, lt=2**32, description="For everything that is random.")
    parameters: dict[str, Any] = Field({}, description="Given to the pipeline's set_params.")
    search: Search | None = Field(None, description="Search over hyperparameters; left out: none.")


class Evaluation(Table):
    """What better means."""

    metric: Metric = Field(description="Decides between champion and challenger.")


class Baseline(Table):
    """Against a trivial reference estimator."""

    margin: float = Field(0.0, ge=0, description="How much better a challenger must be.")


class Champion(Table):
    """Against the version that the record names."""

    policies: tuple[Literal["improve", "refresh"], ...] = Field(
        ("improve", "refresh"), min_length=1, strict=False, description="One of them must hold."
    )
    margin: float = Field(0.0, ge=0, description="improve: better by more than this.")
    refresh_margin: float = Field(0.01, ge=0, description="refresh: not worse by more than this.")
    refresh_share: Share = Field(0.1, description="refresh: at least this share of the data is new to the champion.")


class Signature(Table):
    """Against the champion's clients."""

    breaking: bool = Field(False, description="Let columns and labels change, so that callers must change too.")


class Changed(Table):
    """Rows that the champion's data had."""

    changed: Part = Field(0.0, description="The share of them that may have changed since.")


class Duplicates(Table):
    """Rows on both sides of the split."""

    share: Part = Field(0.05, description="The share of held-out rows that may have a twin among the training rows.")


class Leakage(Table):
    """A column that knows too much."""

    alone: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.99, description="How well one column alone may predict (roc_auc; regression: r2)."
    )


class Jump(Table):
    """A gain that is too good to be true."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.98, description="The share of the champion's distance to perfection that may vanish at once."
    )


class SliceRules(Table):
    """Parts of the holdout."""

    margin: float = Field(0.05, ge=0, description="How much a slice may lose, in loss per row.")
    minimum_rows: int = Field(30, ge=5, description="A smaller slice is not judged.")
    depth: int = Field(2, ge=1, le=4, description="Of the tree that looks for slices.")


class Fairness(Table):
    """Groups of people, or of whatever must be treated alike."""

    attributes: tuple[Text, ...] = Field((), strict=False, description="Columns that say who belongs to which group.")
    demographic_parity: Part = Field(0.2, description="Between groups, at most: shares of the positive answer.")
    equal_opportunity: Part = Field(0.2, description="Between groups, at most: true positive rates.")
    equalized_odds: Part = Field(0.2, description="Between groups, at most: true or false positive rates.")
    error: float = Field(0.2, ge=0, description="Between groups, at most: mean absolute errors (regression).")
    minimum_rows: int = Field(30, ge=5, description="A smaller group is not judged.")


class Calibration(Table):
    """Probabilities that mean what they say."""

    ece: Part = Field(0.1, description="The expected calibration error, at most.")
    margin: Part = Field(0.01, description="How much worse than the champion's the Brier score may surely be.")


class Flips(Table):
    """Rows that the champion had right."""

    worse: Part = Field(0.1, description="The share of held-out rows that may go from right to wrong.")


class Determinism(Table):
    """Training twice."""

    tolerance: float = Field(1e-6, ge=0, description="How far the predictions of a second training may be off.")


class Latency(Table):
    """How long one row takes, measured beside the champion."""

    p95_ms: float = Field(100, gt=0, description="95 of 100 single rows take at most this (milliseconds).")
    times: float = Field(20, gt=1, description="How many times as long as the champion's, at most.")


class Size(Table):
    """What the model takes."""

    file_mib: float = Field(45, gt=0, description="Of the model's file, at most (MiB).")
    memory_mib: float = Field(150, gt=0, description="Of the loaded model, at most (MiB).")


class Gates(Table):
    """The rules that a challenger must pass."""

    off: tuple[GateId, ...] = Field((), strict=False, description="Gates that do not judge; the pull request says so.")
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(0.95, description="Of the interval around a gain.")
    resamples: int = Field(1000, ge=100, le=100_000, description="Paired bootstrap resamples.")
    minimum_rows: int = Field(100, ge=2, description="A smaller holdout is not enough evidence.")
    floor: dict[Metric, float] = Field({}, description="What each metric must reach.")
    baseline: Baseline = Baseline()
    champion: Champion = Champion()
    signature: Signature = Signature()
    holdout: Changed = Changed()
    labels: Changed = Changed(changed=0.01)
    duplicates: Duplicates = Duplicates()
    leakage: Leakage = Leakage()
    jump: Jump = Jump()
    slices: SliceRules = SliceRules()
    fairness: Fairness = Fairness()
    calibration: Calibration = Calibration()
    flips: Flips = Flips()
    determinism: Determinism = Determinism()
    latency: Latency = Latency()
    size: Size = Size()


class Store(Table):
    """The embedded MLflow store."""

    branch: Text = Field("mlflow", description="The branch that carries it.")
    remote: Text = Field("origin", description="The Git remote that carries the branch.")
    budget_mib: int = Field(900, gt=0, description="Refuse to grow beyond this (MiB).")
    retries: int = Field(30, ge=1, le=1000, description="How often to start over when others push.")


class Serving(Table):
    """What a model file may contain, and what a request may ask for."""

    trusted_types: tuple[Text, ...] = Field((), strict=False, description="Types beyond scikit-learn's own.")
    max_body_mib: int = Field(16, ge=1, le=1024, description="Refuse a larger request before it is read (MiB).")
    max_rows: int = Field(100_000, ge=1, description="Refuse a request with more rows.")
    timeout_seconds: int = Field(30, ge=1, le=3600, description="Give up on a request that takes longer.")


class Image(Table):
    """The container image of a version."""

    repository: Text | None = Field(None, description="Where images are pushed; left out: GHCR, named as on GitHub.")
    base: Annotated[str, StringConstraints(pattern=r"^\S+@sha256:[0-9a-f]{64}$")] | None = Field(
        None, description="The image that ours is built on: NAME@sha256:DIGEST."
    )
    engine: Literal["auto", "docker", "podman", "buildah"] = Field("auto", description="What builds and runs images.")
    signers: Text | None = Field(
        None, description="Allowed signers, a file in ssh-keygen's format; no other image runs."
    )


class Deploy(Table):
    """Where a promoted version serves."""

    environments: tuple[Name, ...] = Field(
        ("production",), min_length=1, strict=False, description="In the order of promotion; the last one is the goal."
    )
    override_days: int = Field(7, ge=1, le=365, description="How long `rollback --now` lasts without a merge.")

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if len(set(self.environments)) != len(self.environments):
            raise ValueError("names an environment twice")
        return self


class Target(Table):
    """How one environment runs a version."""

    kind: Literal["none", "process", "compose", "kubernetes", "argocd"] = Field(
        "none", description="What runs it; none: tested, and nothing stays up."
    )
    port: int = Field(8080, ge=1, le=65535, description="Where callers find it (process, compose).")
    url: Text | None = Field(None, description="Where callers find it (kubernetes, argocd).")
    namespace: Name = Field("default", description="The namespace (kubernetes, argocd).")
    replicas: int = Field(2, ge=1, description="How many at least (kubernetes, argocd).")
    ready_seconds: int = Field(120, ge=1, le=3600, description="How long a version may take to become ready.")
    soak_hours: float = Field(0, ge=0, description="How long it must have run here before the next environment.")


class Card(Table):
    """What only people know about the model; printed in docs/model-card.md."""

    owner: str = Field("", description="Who answers for it.")
    intended_use: str = Field("", description="What it is for, and for whom.")
    limitations: str = Field("", description="Where it must not be used.")
    ethical_considerations: str = Field("", description="Whom a wrong answer hurts, and what is done about it.")
    licence: str = Field("", description="Of the model and of its data.")


class Config(Table):
    """Every choice about one model."""

    project: Project
    data: Data
    split: Split
    training: Training = Training()
    evaluation: Evaluation
    gates: Gates = Gates()
    slices: dict[Text, Text] = Field({}, description="Slices of your own: a name, and a condition on the columns.")
    store: Store = Store()
    serving: Serving = Serving()
    image: Image = Image()
    deploy: Deploy = Deploy()
    targets: dict[Name, Target] = Field({}, description="One table for each environment: [targets.production].")
    log: Log = Log()
    monitoring: Monitoring = Monitoring()
    ingest: Ingest = Ingest()
    card: Card = Card()

    def target(self, environment: str) -> Target:
        """How an environment runs a version; nothing stays up where model.toml does not say."""
        return self.targets.get(environment, Target())

    @model_validator(mode="after")
    def _targets_are_environments(self) -> Self:
        for name in self.targets:
            if name not in self.deploy.environments:
                known = ", ".join(self.deploy.environments)
                raise ValueError(f"[targets.{name}]: {name!r} is not among [deploy] environments ({known})")
        return self

    @model_validator(mode="after")
    def _the_log_is_kept(self) -> Self:
        asks = {"[monitoring]": self.monitoring.source == "log", "[ingest]": self.ingest.source == "outcomes"}
        for table, asked in asks.items():
            if asked and not self.log.sink:
                raise ValueError(f"{table} source: no prediction log is kept; name its `sink` under [log]")
        return self

    @model_validator(mode="after")
    def _the_log_is_found(self) -> Self:
        away = [name for name, target in self.targets.items() if target.kind != "none"]
        if away and self.log.sink and "://" not in self.log.sink and not self.log.sink.startswith("/"):
            raise ValueError(
                f"[log] sink: {self.log.sink!r} would be a folder of the clone, and {away[0]} serves elsewhere; "
                "name an absolute one, or an address"
            )
        return self

    @model_validator(mode="after")
    def _metrics_fit_task(self) -> Self:
        task = self.project.task
        fit = [metric for metric in get_args(Metric) if (metric in REGRESSION) == (task == "regression")]
        named = {self.evaluation.metric: "[evaluation] metric", **dict.fromkeys(self.gates.floor, "[gates.floor]")}
        for metric, where in named.items():
            if metric not in fit:
                raise ValueError(f"{where}: {metric!r} does not measure a {task}; {', '.join(fit)} do")
        return self


@dataclass(frozen=True)
class Repository:
    """A generated repository: where it lies and what its model.toml says."""

    root: Path
    config: Config

    @property
    def scratch(self) -> Path:
        """Where commands put what Git must not see."""
        return self.root / ".gitops"


def find(start: Path) -> Repository:
    """The repository around `start`: the nearest folder upwards that holds a model.toml.

    Raises:
        ConfigError: There is none, or it is not as it must be.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return Repository(folder, load(folder / FILE))
    raise ConfigError(
        f"There is no {FILE} in {start} or above it.", "Go to the generated repository, or name it with `--project`."
    )


def load(file: Path) -> Config:
    """Read and check one model.toml.

    Raises:
        ConfigError: Not readable, not TOML, or a key is unknown, missing or out of range; all are listed.
    """
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file.name} cannot be read: {error}.", "It must be a text file in UTF-8.") from error
    return parse(text)


def parse(text: str) -> Config:
    """Check the text of a model.toml; raises ConfigError as `load` does."""
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{FILE} is not TOML: {error}.", "Mend that line; strings need quotes.") from error
    except ValidationError as error:
        found: list[dict[str, Any]] = [dict(item) for item in error.errors()]
        # A wrong item of a list also leaves the list too short; one sentence is enough.
        inner = [item for item in found if not any(_within(other["loc"], item["loc"]) for other in found)]
        lines = [_sentence(item) for item in inner]
        raise ConfigError("\n".join(lines), f"Mend {FILE}; `gitops config` shows every key and its default.") from error


def schema() -> dict[str, Any]:
    """The JSON schema of model.toml, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": FILE,
    }


def _within(place: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
    return len(place) > len(other) and place[: len(other)] == other


def _sentence(error: dict[str, Any]) -> str:
    """One line for one of pydantic's complaints: file, table, key, what is wrong, what is allowed."""
    *table, key = [part for part in error["loc"] if isinstance(part, str) and part != "[key]"] or [""]
    where = f"{FILE}: [{'.'.join(table)}] {key}" if table else f"{FILE}: [{key}]" if key else FILE
    if error["type"] == "extra_forbidden" or "[key]" in error["loc"]:
        known = _keys(table) if error["type"] == "extra_forbidden" else list(get_args(Metric))
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"Perhaps you meant {near[0]!r}." if near else f"Known here: {', '.join(known)}."
        return f"{where} is unknown. {hint}"
    if error["type"] == "missing":
        return f"{where} is missing. {_description(table, key)}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] == "value_error":
        return f"{where}: {message}."
    return f"{where} is {error['input']!r}, but {WORDS.get(error['type'], message)}."


def _keys(table: list[str]) -> list[str]:
    """The keys that the table at this path knows."""
    return list(_model(table).model_fields)


def _description(table: list[str], key: str) -> str:
    """What a key is for, or the table when the key is a whole table."""
    return _model(table).model_fields[key].description or str(_model([*table, key]).__doc__)


def _model(table: list[str]) -> type[BaseModel]:
    """The class behind the table at this path."""
    model: type[BaseModel] = Config
    for part in table:
        field = model.model_fields.get(part)
        kinds = (getattr(field.annotation, "__args__", None) or (field.annotation,)) if field else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return model
