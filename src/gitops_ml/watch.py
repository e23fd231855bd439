"""The tables of model.toml about what comes after deploying: the log, monitoring, and new rows."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gitops_ml.table import Part, Share, Table, Text


class Log(Table):
    """The prediction log: rows that the server answered, with what it said, for those who learn the truth later."""

    sink: str = Field("", description="Where: a folder, or any address that fsspec knows; empty: none is kept.")
    sample: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="The share of requests that are kept.")
    left_out: tuple[Text, ...] = Field((), strict=False, description="Columns that are not written: personal data.")
    hashed: tuple[Text, ...] = Field((), strict=False, description="Columns of which only a keyed hash is written.")
    batch_rows: int = Field(1000, ge=1, description="Written together.")
    flush_seconds: float = Field(10, gt=0, description="Nothing waits longer than this to be written.")
    queue_rows: int = Field(20_000, ge=1, description="Wait at most; what comes while they do is counted and dropped.")
    keep_days: int = Field(90, ge=1, description="Older days are removed.")


class Retrain(Table):
    """What an alarm starts."""

    enabled: bool = Field(True, description="Train again when an alarm is raised; otherwise people decide.")
    cooldown_hours: float = Field(24, ge=0, description="Between two trainings that alarms ask for.")
    monthly: int = Field(10, ge=1, description="Such trainings in 30 days, at most.")
    attempts: int = Field(3, ge=1, description="Such trainings for one alarm, at most; then it needs people.")


class Monitoring(Table):
    """What is watched in production, and when it is an alarm."""

    source: Literal["none", "metrics", "prometheus", "log"] = Field(
        "none", description="Where the counts come from: the servers, a Prometheus that asks them, or the log."
    )
    urls: tuple[Text, ...] = Field((), strict=False, description="metrics: each server's address, replica by replica.")
    prometheus: Text | None = Field(None, description="prometheus: its address.")
    selector: str = Field("", description='prometheus: labels that tell these servers apart, such as job="gitops".')
    window_hours: float = Field(24, gt=0, description="How much time one verdict is about.")
    minimum_rows: int = Field(200, ge=20, description="A window of fewer rows is no evidence.")
    windows: int = Field(3, ge=1, le=50, description="How many windows are looked back upon ...")
    alarms: int = Field(2, ge=1, le=50, description="... and in how many of them it must show to be an alarm.")
    warning: float = Field(0.1, gt=0, description="Drift (population stability index) from which it is a warning.")
    alarm: float = Field(0.15, gt=0, description="Drift from which it is an alarm.")
    false_alarms: Share = Field(0.01, description="Of windows without any drift, how many may look as if they had it.")
    decay: float = Field(
        0.05, ge=0, description="What the metric may surely have lost, in its own unit; of rmse and mae, a share of it."
    )
    missing: Part = Field(0.05, description="How much larger the share of missing values may be than in training.")
    refused: Part = Field(0.05, description="The share of requests that may break the schema.")
    errors: Part = Field(0.01, description="The share of requests that may fail.")
    latency_seconds: float = Field(1.0, gt=0, description="95 of 100 requests must be answered within this.")
    keep_windows: int = Field(500, ge=50, description="How many verdicts the store remembers.")
    webhook_env: Text = Field(
        "GITOPS_WEBHOOK",
        description="The environment variable with an address that alarms are posted to (Slack's way).",
    )
    retrain: Retrain = Retrain()

    @model_validator(mode="after")
    def _source_is_named(self) -> Self:
        if self.source == "metrics" and not self.urls:
            raise ValueError('source = "metrics" needs `urls`, such as ["http://127.0.0.1:8080"]')
        if self.source == "prometheus" and not self.prometheus:
            raise ValueError('source = "prometheus" needs `prometheus`, such as "http://127.0.0.1:9090"')
        return self

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.alarms > self.windows:
            raise ValueError("`alarms` is more than `windows`: no alarm would ever be raised")
        if self.warning > self.alarm:
            raise ValueError("`warning` is above `alarm`: a warning would come after its alarm")
        return self


class Ingest(Table):
    """Where new rows with their truth come from."""

    source: Literal["none", "file", "http", "sql", "outcomes"] = Field(
        "none", description="A file or anything that fsspec knows, an HTTP address, a query, or the prediction log."
    )
    path: Text | None = Field(None, description="file: its path or address; http: the address.")
    query: Text | None = Field(None, description="sql: what to ask.")
    url_env: Text = Field("INGEST_URL", description="sql: the environment variable with the SQLAlchemy address.")
    token_env: Text = Field("INGEST_TOKEN", description="http: the environment variable with a bearer token.")
    format: Literal["csv", "parquet", "json"] | None = Field(
        None, description="Of what is read; left out: by its name."
    )
    max_rows: int = Field(1_000_000, ge=1, description="Refuse to add more at once.")

    @model_validator(mode="after")
    def _source_is_named(self) -> Self:
        if self.source in {"file", "http"} and self.path is None:
            raise ValueError(f'source = "{self.source}" needs `path`')
        if self.source == "sql" and self.query is None:
            raise ValueError('source = "sql" needs `query`')
        return self
