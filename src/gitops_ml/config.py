"""Configuration of a model: model.toml as frozen, typed classes, one for each table; unknown keys are refused."""

import datetime
import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, ValidationError, model_validator

from gitops_ml.errors import ConfigError
from gitops_ml.monitoring_config import IngestConfig, LogConfig, MonitoringConfig
from gitops_ml.table import Fraction, OpenFraction, Table, Text

FILE = "model.toml"
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
Package = Annotated[str, StringConstraints(pattern=r"^[a-z_][a-z0-9_]*$")]
Label = str | int | bool
Metric = Literal[
    "roc_auc", "average_precision", "accuracy", "balanced_accuracy", "f1", "log_loss", "brier", "r2", "rmse", "mae"
]
REGRESSION_METRICS = ("r2", "rmse", "mae")
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "rmse", "mae"})
# Their margins are shares of the other version's value, because their size depends on the data.
UNBOUNDED_METRICS = frozenset({"log_loss", "rmse", "mae"})
GateId = Literal[
    "FINITE", "SCHEMA", "PROVENANCE", "CLAIMS", "RULES", "HOLDOUT", "LABELS", "DUPLICATES", "LEAKAGE", "FLOOR",
    "BASELINE", "COMPARABLE", "CHAMPION", "JUMP", "SLICES", "FAIRNESS", "CALIBRATION", "FLIPS", "BEHAVIOUR",
    "ROBUSTNESS", "DETERMINISM", "CONTAMINATION", "LATENCY", "SIZE",
]  # fmt: skip
# Messages in the terms of TOML, by pydantic's error type.
ERROR_TEXTS = {
    "dict_type": "should be a table",
    "model_type": "should be a table",
    "list_type": "should be a list",
    "tuple_type": "should be a list",
    "string_type": "should be text in quotes",
    "int_type": "should be a whole number",
    "label_type": "should be a label: text in quotes, a whole number, true or false",
    "float_type": "should be a number",
    "date_type": "should be a date such as 2026-01-01, without quotes",
    "too_short": "must not be empty",
    "string_too_short": "must not be empty",
}
# Messages about a name that the user chooses, such as that of a target, by pydantic's error type.
NAME_ERROR_TEXTS = {
    "string_pattern_mismatch": "must begin with a letter or a digit and have only letters, digits, '.', '_', '-'",
    "string_too_short": "must not be empty",
}


def _check_date_format(text: str) -> str:
    """Refuse a format without a year, and one that would read a date in ISO 8601 as another date."""
    day = datetime.datetime(2001, 2, 3, 4, 5, 6)
    try:
        has_year = datetime.datetime.strptime(day.strftime(text), text).year == day.year
    except ValueError as error:
        raise ValueError(f"{text!r} is not a format of strptime ({error})") from None
    if not has_year:
        raise ValueError(f"{text!r} has no year")
    for iso in (day.date().isoformat(), day.isoformat(), day.isoformat(" ")):
        try:
            found = datetime.datetime.strptime(iso, text)
        except ValueError:
            continue
        if found.date() != day.date():
            raise ValueError(f"{text!r} would read {iso}, a date in ISO 8601, as {found.date()}")
    return text


DateFormat = Annotated[str, AfterValidator(_check_date_format)]


class ProjectConfig(Table):
    """Name and task of the model, and the package with your code."""

    name: Name = Field(description="Name of the registered model.")
    package: Package = Field(description="Package with your code: src/<package>.")
    task: Literal["classification", "regression"] = Field(
        description="Task: classification predicts a label, regression a number."
    )


class DataConfig(Table):
    """Source of the rows."""

    path: Text | None = Field(None, description="Path of a CSV or Parquet file in the repository, or a glob.")
    query: Text | None = Field(None, description="SQL query, instead of `path`.")
    url_env: Text = Field("DATABASE_URL", description="Environment variable with the SQLAlchemy URL of the database.")
    key: Text = Field(description="Column that identifies a row for ever.")
    target: Text = Field(description="Column that the model predicts.")
    known_later: tuple[Text, ...] = Field(
        (),
        strict=False,
        description="Columns that are known only after the prediction is made; no model receives them.",
    )
    positive: Label | None = Field(None, description="Label that metrics for two classes count as positive.")
    delimiter: Annotated[str, StringConstraints(min_length=1, max_length=1)] = Field(
        ",", description="Delimiter between the columns of a CSV file."
    )
    missing: tuple[str, ...] = Field(
        ("",), strict=False, description="Texts of a cell that mean a missing value; by default the empty cell alone."
    )
    true: tuple[Text, ...] = Field(
        (), strict=False, description="Texts of a boolean column that mean true, beside `true` and 1; such as yes."
    )
    false: tuple[Text, ...] = Field(
        (), strict=False, description="Texts of a boolean column that mean false, beside `false` and 0; such as no."
    )
    dates: dict[str, DateFormat] = Field(
        {}, description="Format of the dates of a column, as strptime has it, such as %d/%m/%Y; beside ISO 8601."
    )
    max_mib: int = Field(
        1024, gt=0, description="Maximum size of the data (MiB); larger data is refused before it is read."
    )
    max_rows: int = Field(50_000_000, gt=0, description="Maximum number of rows; a query that returns more is refused.")
    chunk_rows: int = Field(100_000, gt=0, description="Number of rows validated at a time.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.query is None):
            raise ValueError("needs either `path` or `query`, and not both")
        return self

    @model_validator(mode="after")
    def _key_and_target_are_not_known_later(self) -> Self:
        for name in (self.key, self.target):
            if name in self.known_later:
                raise ValueError(f"`known_later` has {name!r}, which is the key or the target: no model receives those")
        return self

    @model_validator(mode="after")
    def _texts_have_one_meaning(self) -> Self:
        texts = [*self.missing, *self.true, *self.false]
        repeated = next((text for text in texts if texts.count(text) > 1), None)
        if repeated is not None:
            raise ValueError(f"the text {repeated!r} may stand once alone in `missing`, `true` and `false`")
        known = {"true": self.false, "1": self.false, "false": self.true, "0": self.true}
        for text, other in known.items():
            if text in (each.strip().lower() for each in other):
                raise ValueError(f"the text {text!r} has the other meaning already")
        return self


class SplitConfig(Table):
    """Rule that decides which rows are held out."""

    method: Literal["hash", "group", "time"] = Field(description="Method that assigns a row to a side of the split.")
    column: Text = Field(description="Column with the key, the group, or the date.")
    holdout: OpenFraction | None = Field(
        None, description='Share of rows held out; for method = "time" the newest rows, so that the cutoff moves.'
    )
    cutoff: datetime.date | None = Field(
        None, description='First day of the holdout; only for method = "time", instead of `holdout`.'
    )

    @model_validator(mode="after")
    def _fits_method(self) -> Self:
        if self.method == "time" and (self.cutoff is None) == (self.holdout is None):
            raise ValueError(
                'method = "time" needs either `holdout` (the share of the newest rows, such as 0.2) or `cutoff` (a '
                "date such as 2026-01-01)"
            )
        if self.method != "time" and (self.holdout is None or self.cutoff is not None):
            raise ValueError(f'method = "{self.method}" needs `holdout` (a share such as 0.3) and no `cutoff`')
        return self


class SearchConfig(Table):
    """Search over hyperparameters with scikit-learn."""

    method: Literal["grid", "random"] = Field(
        "grid", description="Search method: grid tries all combinations, random tries `iterations` of them."
    )
    folds: int = Field(5, ge=2, description="Number of folds of the cross-validation on the training rows.")
    iterations: int = Field(20, ge=1, description="Number of combinations that a random search tries.")
    parameters: dict[str, list[Any]] = Field(min_length=1, description="Values to try, by parameter name.")


class TrainingConfig(Table):
    """Settings of the fit."""

    seed: int = Field(0, ge=0, lt=2**32, description="Seed of all random numbers.")
    folds: int = Field(
        3, ge=2, description="Number of folds of the cross-validation on the training rows that measures a training."
    )
    parameters: dict[str, Any] = Field({}, description="Parameters for the pipeline's set_params.")
    search: SearchConfig | None = Field(None, description="Search over hyperparameters; none if left out.")


class EvaluationConfig(Table):
    """Metric that compares two versions."""

    metric: Metric = Field(description="Metric that decides between champion and challenger.")


class BaselineConfig(Table):
    """Comparison with a trivial reference estimator."""

    margin: float = Field(
        0.0, ge=0, description="Minimum gain of a challenger over the baseline; for rmse, mae and log_loss as a share "
        "of the baseline's value.",
    )  # fmt: skip


class ChampionConfig(Table):
    """Comparison with the champion."""

    policies: tuple[Literal["improve", "refresh"], ...] = Field(
        ("improve", "refresh"),
        min_length=1,
        strict=False,
        description="Accepted reasons to replace the champion, of which one is enough: improve (the challenger is "
        "better), refresh (it is about as good, and trained on enough new data).",
    )
    margin: float = Field(
        0.0, ge=0, description="improve: the challenger must be better by more than this; for rmse, mae and log_loss "
        "as a share of the champion's value.",
    )  # fmt: skip
    refresh_margin: float = Field(
        0.01, ge=0, description="refresh: the challenger may be worse by at most this; for rmse, mae and log_loss as a "
        "share of the champion's value.",
    )  # fmt: skip
    refresh_share: OpenFraction = Field(
        0.1,
        description="refresh: minimum share of all rows, held-out rows included, that are not in the champion's data.",
    )


class SignatureConfig(Table):
    """Compatibility with the champion's callers, which the gate SCHEMA checks."""

    breaking: bool = Field(False, description="Allow changes of columns and labels, which callers must follow.")


class HoldoutConfig(Table):
    """Changes of the held-out rows that the champion's run recorded."""

    changed: Fraction = Field(
        0.0,
        description="Maximum share of the champion's held-out rows that may have changed. If the removed share of them "
        "exceeds that of the training rows by more than 2 percentage points, the excess counts as changed.",
    )


class LabelsConfig(Table):
    """Changes of the labels of the training rows that the champion's run recorded."""

    changed: Fraction = Field(
        0.01, description="Maximum share of the champion's training rows whose target may have changed."
    )


class DuplicatesConfig(Table):
    """Duplicates across the two sides of the split."""

    share: Fraction = Field(
        0.05, description="Maximum share of held-out rows that have a duplicate among the training rows."
    )


class LeakageConfig(Table):
    """A column that reveals the target."""

    alone: Annotated[float, Field(gt=0.5, le=1)] = Field(
        0.99, description="Maximum score of a prediction from one column alone (roc_auc; regression: r2)."
    )
    known: tuple[Text, ...] = Field(
        (),
        strict=False,
        description="Columns that a person has confirmed to be known when a prediction is made; the gate LEAKAGE does "
        "not judge them.",
    )


class JumpConfig(Table):
    """A gain over the champion that is implausibly large."""

    share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.98,
        description="Maximum share of the gap between the champion's score and a perfect score that a challenger "
        "closes (0.98: from 0.90 to at most 0.998).",
    )


class SlicesConfig(Table):
    """Slices of the holdout."""

    margin: float = Field(
        0.05,
        ge=0,
        description="Maximum increase of the mean loss per row of a slice over the champion's; the gate fails if the "
        "whole confidence interval is above it.",
    )
    minimum_rows: int = Field(30, ge=5, description="Minimum number of rows of a slice; a smaller slice is not judged.")
    depth: int = Field(2, ge=1, le=4, description="Depth of the tree that searches for slices.")


class FairnessConfig(Table):
    """Groups of rows that must be treated alike, such as groups of people."""

    attributes: tuple[Text, ...] = Field((), strict=False, description="Columns that define the groups.")
    demographic_parity: Fraction = Field(
        0.2, description="Maximum difference between groups: share of positive predictions."
    )
    equal_opportunity: Fraction = Field(0.2, description="Maximum difference between groups: true positive rate.")
    equalized_odds: Fraction = Field(0.2, description="Maximum difference between groups: true or false positive rate.")
    error: float = Field(0.2, ge=0, description="Maximum difference between groups: mean absolute error (regression).")
    minimum_rows: int = Field(30, ge=5, description="Minimum number of rows of a group; a smaller group is not judged.")


class CalibrationConfig(Table):
    """Agreement of probabilities with observed frequencies."""

    ece: Fraction = Field(0.1, description="Maximum expected calibration error.")
    margin: Fraction = Field(
        0.01,
        description="Maximum increase of the Brier score over the champion's; the gate fails if the whole confidence "
        "interval is above it.",
    )


class FlipsConfig(Table):
    """Rows that the champion predicts correctly and the challenger does not."""

    worse: Fraction = Field(0.1, description="Maximum share of held-out rows that change from correct to wrong.")


class DeterminismConfig(Table):
    """Difference between two trainings with the same inputs."""

    tolerance: float = Field(1e-6, ge=0, description="Maximum difference of the predictions of a second training.")


class LatencyConfig(Table):
    """Time of a request of one row, measured in turns with the champion and a baseline estimator."""

    p95_ms: float | None = Field(
        None, gt=0, description="Maximum 95th percentile of the time of a request (milliseconds); no limit if left out."
    )
    times: float = Field(20, gt=1, description="Maximum ratio to the time of a request to the champion.")
    baseline_times: float = Field(
        100, gt=1, description="Maximum ratio to the time of a request to a baseline estimator in the same server."
    )


class SizeConfig(Table):
    """Size of the model."""

    file_mib: float = Field(45, gt=0, description="Maximum size of the model file (MiB).")
    memory_mib: float = Field(150, gt=0, description="Maximum memory of the loaded model (MiB).")


class GatesConfig(Table):
    """Gates that a challenger must pass."""

    off: tuple[GateId, ...] = Field(
        (), strict=False, description="Gates that are switched off; the pull request lists them."
    )
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = Field(
        0.95, description="Confidence level of the interval around a gain."
    )
    resamples: int = Field(1000, ge=100, le=100_000, description="Number of paired bootstrap resamples.")
    minimum_rows: int = Field(100, ge=2, description="Minimum number of held-out rows to replace a champion.")
    floor: dict[Metric, float] = Field(
        {}, description="Threshold of each metric: a minimum, or a maximum where less is better."
    )
    baseline: BaselineConfig = BaselineConfig()
    champion: ChampionConfig = ChampionConfig()
    signature: SignatureConfig = SignatureConfig()
    holdout: HoldoutConfig = HoldoutConfig()
    labels: LabelsConfig = LabelsConfig()
    duplicates: DuplicatesConfig = DuplicatesConfig()
    leakage: LeakageConfig = LeakageConfig()
    jump: JumpConfig = JumpConfig()
    slices: SlicesConfig = SlicesConfig()
    fairness: FairnessConfig = FairnessConfig()
    calibration: CalibrationConfig = CalibrationConfig()
    flips: FlipsConfig = FlipsConfig()
    determinism: DeterminismConfig = DeterminismConfig()
    latency: LatencyConfig = LatencyConfig()
    size: SizeConfig = SizeConfig()


class StoreConfig(Table):
    """The embedded MLflow store."""

    branch: Text = Field("mlflow", description="Branch that holds the store.")
    remote: Text = Field("origin", description="Git remote of the branch.")
    budget_mib: int = Field(900, gt=0, description="Maximum size of the store (MiB).")
    retries: int = Field(30, ge=1, le=1000, description="Number of retries of a push that conflicts with another push.")


class ServingConfig(Table):
    """Types allowed in a model file, and limits of a request."""

    trusted_types: tuple[Text, ...] = Field((), strict=False, description="Allowed types beyond scikit-learn's own.")
    max_body_mib: int = Field(
        16, ge=1, le=1024, description="Maximum size of a request (MiB); a larger one is refused before it is read."
    )
    max_rows: int = Field(100_000, ge=1, description="Maximum number of rows of a request.")
    timeout_seconds: int = Field(30, ge=1, le=3600, description="Maximum duration of a request (seconds).")


class ImageConfig(Table):
    """The container image of a version."""

    repository: Text | None = Field(
        None, description="Image repository to push to; if left out, GHCR with the repository's name on GitHub."
    )
    base: Annotated[str, StringConstraints(pattern=r"^\S+@sha256:[0-9a-f]{64}$")] | None = Field(
        None, description="Base image: NAME@sha256:DIGEST."
    )
    engine: Literal["auto", "docker", "podman", "buildah"] = Field(
        "auto", description="Container engine that builds and runs images."
    )
    signers: Text | None = Field(
        None, description="File of allowed signers in ssh-keygen's format; images of other signers are not run."
    )


class DeployConfig(Table):
    """Environments that promoted versions are deployed to."""

    environments: tuple[Name, ...] = Field(
        ("production",),
        min_length=1,
        strict=False,
        description="Environments in the order of promotion. By default, `compare` and `promote` use the first one, "
        "the other commands the last one, which also has MLflow's aliases, tags and releases.",
    )
    override_days: int = Field(
        7, ge=1, le=365, description="Number of days that `rollback --now` is valid without a merge."
    )

    @model_validator(mode="after")
    def _named_once(self) -> Self:
        if len(set(self.environments)) != len(self.environments):
            raise ValueError("`environments` names an environment twice")
        return self


class TargetConfig(Table):
    """Deployment target of one environment."""

    kind: Literal["none", "process", "compose", "kubernetes", "argocd"] = Field(
        "none", description="Kind of target; none: the version is tested, and no server keeps running."
    )
    port: int = Field(8080, ge=1, le=65535, description="Port of the service (process, compose).")
    url: Text | None = Field(None, description="URL of the service (kubernetes, argocd).")
    namespace: Name = Field("default", description="Namespace (kubernetes, argocd).")
    replicas: int = Field(2, ge=1, description="Minimum number of replicas (kubernetes, argocd).")
    ready_seconds: int = Field(120, ge=1, le=3600, description="Maximum time until a version is ready (seconds).")
    soak_hours: float = Field(0, ge=0, description="Minimum time in this environment before the next one (hours).")


class CardConfig(Table):
    """Facts about the model that are not measured; printed in docs/model-card.md."""

    owner: str = Field("", description="Person or team that is responsible for the model.")
    intended_use: str = Field("", description="Purpose and users of the model.")
    limitations: str = Field("", description="Uses for which the model is not suited.")
    ethical_considerations: str = Field("", description="People whom wrong predictions harm, and measures against it.")
    licence: str = Field("", description="Licence of the model and of its data.")


class Config(Table):
    """Configuration of one model: the tables of model.toml."""

    project: ProjectConfig
    data: DataConfig
    split: SplitConfig
    training: TrainingConfig = TrainingConfig()
    evaluation: EvaluationConfig
    gates: GatesConfig = GatesConfig()
    slices: dict[Text, Text] = Field({}, description="Slices of your own: name, and condition on the columns.")
    store: StoreConfig = StoreConfig()
    serving: ServingConfig = ServingConfig()
    image: ImageConfig = ImageConfig()
    deploy: DeployConfig = DeployConfig()
    targets: dict[Name, TargetConfig] = Field(
        {}, description="One table for each environment, such as [targets.production]."
    )
    log: LogConfig = LogConfig()
    monitoring: MonitoringConfig = MonitoringConfig()
    ingest: IngestConfig = IngestConfig()
    card: CardConfig = CardConfig()

    def target(self, environment: str) -> TargetConfig:
        """Return the target of an environment; the default, kind "none", if model.toml has no table for it.

        Args:
            environment: Name of the environment.
        """
        return self.targets.get(environment, TargetConfig())

    @model_validator(mode="after")
    def _targets_are_environments(self) -> Self:
        for name in self.targets:
            if name not in self.deploy.environments:
                names = ", ".join(self.deploy.environments)
                raise ValueError(f"[targets.{name}]: {name!r} is not one of [deploy] environments ({names})")
        return self

    @model_validator(mode="after")
    def _log_is_configured(self) -> Self:
        needs_log = {"[monitoring]": self.monitoring.source == "log", "[ingest]": self.ingest.source == "outcomes"}
        for table, needed in needs_log.items():
            if needed and not self.log.sink:
                raise ValueError(f"{table} source needs a prediction log, and none is written; set `sink` under [log]")
        return self

    @model_validator(mode="after")
    def _log_is_reachable(self) -> Self:
        deployed = [name for name, target in self.targets.items() if target.kind != "none"]
        if deployed and self.log.sink and "://" not in self.log.sink and not self.log.sink.startswith("/"):
            raise ValueError(
                f"[log] sink: {self.log.sink!r} is a folder of the clone, which servers of {deployed[0]} do not have; "
                "set an absolute path or a URL"
            )
        return self

    @model_validator(mode="after")
    def _metrics_fit_task(self) -> Self:
        task = self.project.task
        allowed = [metric for metric in get_args(Metric) if (metric in REGRESSION_METRICS) == (task == "regression")]
        named = {self.evaluation.metric: "[evaluation] metric", **dict.fromkeys(self.gates.floor, "[gates.floor]")}
        for metric, key in named.items():
            if metric not in allowed:
                raise ValueError(f"{key}: {metric!r} is no metric of a {task}; use one of {', '.join(allowed)}")
        return self

    @model_validator(mode="after")
    def _margins_are_shares(self) -> Self:
        champion, metric = self.gates.champion, self.evaluation.metric
        margins = {
            "[gates.baseline] margin": self.gates.baseline.margin,
            "[gates.champion] margin": champion.margin,
            "[gates.champion] refresh_margin": champion.refresh_margin,
        }
        for key, margin in margins.items():
            if metric in UNBOUNDED_METRICS and margin >= 1:
                raise ValueError(
                    f"{key}: {margin:g} must be less than 1: it is a share of the other version's {metric}, such as "
                    "0.01 for one percent"
                )
        return self


@dataclass(frozen=True)
class Repository:
    """A generated repository.

    Attributes:
        root: Root folder.
        config: Configuration in its model.toml.
    """

    root: Path
    config: Config

    @property
    def scratch(self) -> Path:
        """Folder for temporary files, which Git ignores."""
        return self.root / ".gitops"


def find_repository(start: Path) -> Repository:
    """Find the repository around a folder: the nearest folder upwards that holds a model.toml.

    Args:
        start: Folder where the search starts.

    Returns:
        The repository with its configuration.

    Raises:
        ConfigError: There is no model.toml, or it is invalid.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return Repository(folder, load_config(folder / FILE))
    raise ConfigError(
        f"There is no {FILE} in {start} or above it.",
        "Change to the folder of the generated repository, or pass it with `--project`.",
    )


def load_config(file: Path) -> Config:
    """Read and validate a model.toml.

    Args:
        file: Path of the file.

    Returns:
        The configuration.

    Raises:
        ConfigError: The file is not readable or not TOML, or keys are unknown, missing or out of range; all are listed.
    """
    try:
        text = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file.name} cannot be read: {error}.", "Save it as text in UTF-8.") from error
    return parse_config(text)


def parse_config(text: str) -> Config:
    """Validate the text of a model.toml.

    Args:
        text: Content of the file.

    Returns:
        The configuration.

    Raises:
        ConfigError: The text is not TOML, or keys are unknown, missing or out of range; all are listed.
    """
    try:
        return Config.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{FILE} is not TOML: {error}.", "Fix this line; strings need quotes.") from error
    except ValidationError as error:
        errors: list[dict[str, Any]] = [dict(item) for item in error.errors()]
        # pydantic leaves out a wrong item, and may then report the list as too short too: the item's message is enough.
        inner = [item for item in errors if not any(_is_within(other["loc"], item["loc"]) for other in errors)]
        lines = list(dict.fromkeys(_message(_as_label(item)) for item in inner))
        raise ConfigError("\n".join(lines), f"Fix {FILE}; `gitops config` shows every key and its default.") from error


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of model.toml, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Config.model_json_schema(),
        "title": FILE,
    }


def _is_within(path: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
    return len(path) > len(other) and path[: len(other)] == other


def _as_label(error: dict[str, Any]) -> dict[str, Any]:
    """Return one error for a label, instead of pydantic's three for text, whole number and boolean."""
    is_label = error["loc"][:2] == ("data", "positive")
    return {**error, "loc": ("data", "positive"), "type": "label_type"} if is_label else error


def _message(error: dict[str, Any]) -> str:
    """Return one line for an error of pydantic: file, table, key, the invalid value, and the values allowed."""
    *table, key = [part for part in error["loc"] if isinstance(part, str) and part != "[key]"] or [""]
    location = f"{FILE}: [{'.'.join(table)}] {key}" if table else f"{FILE}: [{key}]" if key else FILE
    if "[key]" in error["loc"] and error["type"] in NAME_ERROR_TEXTS:
        return f"{FILE}: [{'.'.join(table)}]: the name {key!r} {NAME_ERROR_TEXTS[error['type']]}."
    if error["type"] == "extra_forbidden" or "[key]" in error["loc"]:
        allowed = _keys(table) if error["type"] == "extra_forbidden" else list(get_args(Metric))
        near = difflib.get_close_matches(key, allowed, n=1)
        hint = f"Perhaps you meant {near[0]!r}." if near else f"Allowed here: {', '.join(allowed)}."
        return f"{location} is unknown. {hint}"
    if error["type"] == "missing":
        return f"{location} is missing. {_description(table, key)}"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Input ")
    if error["type"] == "value_error":
        return f"{location}: {message}."
    return f"{location} is {error['input']!r}, but {ERROR_TEXTS.get(error['type'], message)}."


def _keys(table: list[str]) -> list[str]:
    """Return the keys of the table at this path."""
    return list(_model(table).model_fields)


def _description(table: list[str], key: str) -> str:
    """Return the description of a key, or of a table if the key is a table."""
    return _model(table).model_fields[key].description or str(_model([*table, key]).__doc__)


def _model(table: list[str]) -> type[BaseModel]:
    """Return the class of the table at this path."""
    model: type[BaseModel] = Config
    for part in table:
        field = model.model_fields.get(part)
        types = (getattr(field.annotation, "__args__", None) or (field.annotation,)) if field else ()
        model = next((type_ for type_ in types if isinstance(type_, type) and issubclass(type_, BaseModel)), model)
    return model
