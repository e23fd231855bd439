"""Configuration of the prediction log, of monitoring, and of new rows: tables of model.toml."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gitops_ml.table import Fraction, OpenFraction, Table, Text


class LogConfig(Table):
    """The prediction log: rows of requests with their predictions, to join with outcomes that arrive later."""

    sink: str = Field("", description="Folder or fsspec URL of the log; no log is written if empty.")
    sample: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="Share of requests that are logged.")
    left_out: tuple[Text, ...] = Field(
        (), strict=False, description="Columns that are not logged, such as personal data."
    )
    hashed: tuple[Text, ...] = Field((), strict=False, description="Columns that are logged as a keyed hash only.")
    batch_rows: int = Field(1000, ge=1, description="Number of rows written together.")
    flush_seconds: float = Field(10, gt=0, description="Maximum time that a row waits to be written (seconds).")
    queue_rows: int = Field(
        20_000,
        ge=1,
        description="Maximum number of rows that wait to be written; further rows are counted and dropped.",
    )
    keep_days: int = Field(90, ge=1, description="Number of days that the log is kept.")


class RetrainConfig(Table):
    """Retraining that alarms start."""

    enabled: bool = Field(True, description="Train again when an alarm is raised.")
    cooldown_hours: float = Field(24, ge=0, description="Minimum time between two trainings that alarms start (hours).")
    monthly: int = Field(10, ge=1, description="Maximum number of such trainings in 30 days.")
    attempts: int = Field(
        3, ge=1, description="Maximum number of such trainings for one alarm; after that, a person must act."
    )


class MonitoringConfig(Table):
    """Monitoring of the deployed version, and thresholds of warnings and alarms."""

    source: Literal["none", "metrics", "prometheus", "log"] = Field(
        "none",
        description="Source of the counts: the servers (metrics), a Prometheus, or the prediction log.",
    )
    urls: tuple[Text, ...] = Field((), strict=False, description="metrics: URLs of the servers, one for each replica.")
    prometheus: Text | None = Field(None, description="prometheus: URL of the server.")
    selector: str = Field("", description='prometheus: labels that select these servers, such as job="gitops".')
    window_hours: float = Field(24, gt=0, description="Length of one window (hours).")
    minimum_rows: int = Field(
        200, ge=20, description="Minimum number of rows of a window; a smaller one is not judged."
    )
    windows: int = Field(3, ge=1, le=50, description="Number of the latest windows that count for an alarm.")
    alarms: int = Field(
        2, ge=1, le=50, description="Number of these windows that must exceed the threshold for an alarm."
    )
    warning: float = Field(0.1, gt=0, description="Drift (population stability index) that is a warning.")
    alarm: float = Field(0.15, gt=0, description="Drift (population stability index) that is an alarm.")
    left_out: tuple[Text, ...] = Field(
        (),
        strict=False,
        description="Columns whose drift raises no alarm, such as the month; it is still shown.",
    )
    false_alarms: OpenFraction = Field(
        0.01, description="Maximum share of windows without drift that are reported as drift."
    )
    decay: float = Field(
        0.05,
        ge=0,
        description="Maximum loss of the metric beyond chance; for rmse, mae and log_loss as a share of its value.",
    )
    missing: Fraction = Field(0.05, description="Maximum increase of the share of missing values over training.")
    refused: Fraction = Field(0.05, description="Maximum share of requests that violate the schema.")
    errors: Fraction = Field(0.01, description="Maximum share of requests that fail.")
    latency_seconds: float = Field(
        1.0, gt=0, description="Maximum 95th percentile of the duration of requests (seconds)."
    )
    keep_windows: int = Field(500, ge=50, description="Number of windows that the store keeps.")
    webhook_env: Text = Field(
        "GITOPS_WEBHOOK",
        description="Environment variable with the URL that alarms are posted to, in the format of Slack.",
    )
    retrain: RetrainConfig = RetrainConfig()

    @model_validator(mode="after")
    def _source_is_configured(self) -> Self:
        if self.source == "metrics" and not self.urls:
            raise ValueError('source = "metrics" needs `urls`, such as ["http://127.0.0.1:8080"]')
        if self.source == "prometheus" and not self.prometheus:
            raise ValueError('source = "prometheus" needs `prometheus`, such as "http://127.0.0.1:9090"')
        return self

    @model_validator(mode="after")
    def _thresholds_are_consistent(self) -> Self:
        if self.alarms > self.windows:
            raise ValueError("`alarms` is greater than `windows`, so no alarm could be raised")
        if self.warning > self.alarm:
            raise ValueError("`warning` is greater than `alarm`, so a warning would follow its alarm")
        return self


class IngestConfig(Table):
    """Source of new rows with labels."""

    source: Literal["none", "file", "http", "sql", "outcomes"] = Field(
        "none",
        description="Source of new rows: file (or fsspec URL), HTTP, SQL query, or outcomes of the prediction log.",
    )
    path: Text | None = Field(None, description="file: path or fsspec URL; http: URL.")
    query: Text | None = Field(None, description="sql: query.")
    url_env: Text = Field("INGEST_URL", description="sql: environment variable with the SQLAlchemy URL.")
    token_env: Text = Field("INGEST_TOKEN", description="http: environment variable with a bearer token.")
    format: Literal["csv", "parquet", "json"] | None = Field(
        None, description="Format of the rows; if left out, the file name decides."
    )
    max_rows: int = Field(1_000_000, ge=1, description="Maximum number of rows that are added at once.")

    @model_validator(mode="after")
    def _source_is_configured(self) -> Self:
        if self.source in {"file", "http"} and self.path is None:
            raise ValueError(f'source = "{self.source}" needs `path`')
        if self.source == "sql" and self.query is None:
            raise ValueError('source = "sql" needs `query`')
        return self
