"""The secrets and variables that the generated workflows hand to jobs: which job gets which, and what for.

A job is named by its workflow's file and its id, such as "train/compare". A test holds the workflows to this table.
"""

from dataclasses import dataclass
from typing import Literal

# `secret`: a secret of the repository, masked in logs. `variable`: a repository variable. `either`: both are read.
Kind = Literal["secret", "variable", "either"]

# Jobs that read the data: they validate, train, compare, or run your tests, whose fixtures are the data.
READS_DATA = ("ci/code", "ci/data", "train/train", "train/compare")
# Jobs that open the MLflow store; each of them reads or writes the files of a version.
USES_STORE = (
    "train/train", "train/register", "train/compare", "train/image", "train/promote", "deploy/deploy",
    "rollback/rollback", "monitor/monitor", "ingest/check", "pages/build",
)  # fmt: skip
# Jobs that read files at a URL: the source of new rows, and the prediction log (which Monitor and Pages read too).
READS_FILES = ("ingest/pull",)
USES_FILES = (*USES_STORE, *READS_FILES)
# Jobs that start servers, or send requests to them.
STARTS_SERVERS = ("deploy/deploy", "rollback/rollback")
PROPOSES_UPDATES = ("upkeep/upkeep",)
USES_IMAGES = ("train/image", *STARTS_SERVERS)


@dataclass(frozen=True)
class JobSecret:
    """A secret or variable with a well-known name.

    Attributes:
        name: Name of the secret or variable, and of the environment variable in a job.
        purpose: Purpose, as a phrase.
        jobs: Jobs that get it.
        kind: Place where a user sets it.
        is_standard: True if programs other than this library read it, so that a login can set it too, and an empty
            value must not reach them.
    """

    name: str
    purpose: str
    jobs: tuple[str, ...]
    kind: Kind = "secret"
    is_standard: bool = True

    @property
    def expression(self) -> str:
        """Expression of the workflows; without a secret, the value that an earlier step exported stays."""
        sources = {"secret": ["secrets"], "variable": ["vars"], "either": ["secrets", "vars"]}[self.kind]
        sources += ["env"] if self.is_standard else []
        return f"${{{{ {' || '.join(f'{source}.{self.name}' for source in sources)} }}}}"


TABLE = (
    JobSecret("DATABASE_URL", "the database of [data]", READS_DATA),
    JobSecret("MLFLOW_TRACKING_URI", "the tracking server", USES_STORE, "either"),
    JobSecret("MLFLOW_TRACKING_USERNAME", "the tracking server", USES_STORE, "either"),
    JobSecret("MLFLOW_TRACKING_PASSWORD", "the tracking server", USES_STORE),
    JobSecret("MLFLOW_TRACKING_TOKEN", "the tracking server", USES_STORE),
    JobSecret("AWS_ACCESS_KEY_ID", "files on S3", USES_FILES),
    JobSecret("AWS_SECRET_ACCESS_KEY", "files on S3", USES_FILES),
    JobSecret("AWS_SESSION_TOKEN", "files on S3", USES_FILES),
    JobSecret("AWS_DEFAULT_REGION", "files on S3", USES_FILES, "variable"),
    JobSecret("AWS_ENDPOINT_URL", "files on a server that speaks S3", USES_FILES, "variable"),
    JobSecret("AZURE_STORAGE_CONNECTION_STRING", "files on Azure", USES_FILES),
    JobSecret("AZURE_STORAGE_ACCOUNT_NAME", "files on Azure", USES_FILES, "either"),
    JobSecret("AZURE_STORAGE_ACCOUNT_KEY", "files on Azure", USES_FILES),
    JobSecret("AZURE_STORAGE_ACCESS_KEY", "MLflow's files on Azure", USES_STORE),
    JobSecret("AZURE_STORAGE_SAS_TOKEN", "files on Azure", USES_FILES),
    JobSecret("GOOGLE_APPLICATION_CREDENTIALS_JSON", "files on Google Cloud", USES_FILES),
    JobSecret("INGEST_URL", "the database of [ingest]", READS_FILES, is_standard=False),
    JobSecret("INGEST_TOKEN", "the HTTP address of [ingest]", READS_FILES, is_standard=False),
    JobSecret("GITOPS_TOKEN", "the bearer token of callers", (*STARTS_SERVERS, "monitor/monitor"), is_standard=False),
    JobSecret("GITOPS_OUTCOMES_TOKEN", "the bearer token for posting outcomes", STARTS_SERVERS, is_standard=False),
    JobSecret("GITOPS_LOG_KEY", "the key of hashes in the prediction log", STARTS_SERVERS, is_standard=False),
    JobSecret("GITOPS_REGISTRY_USER", "a registry other than GitHub's", USES_IMAGES, "variable", is_standard=False),
    JobSecret("GITOPS_REGISTRY_PASSWORD", "a registry other than GitHub's", USES_IMAGES, is_standard=False),
    JobSecret("GITOPS_SIGNING_KEY", "signatures of images", ("train/image",), is_standard=False),
    JobSecret("GITOPS_WEBHOOK", "the address for alarms", ("monitor/monitor",), is_standard=False),
    JobSecret("GITOPS_APP_ID", "the GitHub App that proposes updates", PROPOSES_UPDATES, "variable", is_standard=False),
    JobSecret("GITOPS_APP_PRIVATE_KEY", "the key of that GitHub App", PROPOSES_UPDATES, is_standard=False),
)
# Jobs that call the action `login`: they read data, files or images from outside of this repository.
LOGS_IN = tuple(dict.fromkeys((*READS_DATA, *USES_FILES, *USES_IMAGES)))


def jobs_by_workflow(jobs: tuple[str, ...]) -> str:
    """Return jobs as a phrase, such as "ci: code, data; train: train".

    Args:
        jobs: Jobs, named by workflow and id.
    """
    names: dict[str, list[str]] = {}
    for workflow, _, job in (name.partition("/") for name in jobs):
        names.setdefault(workflow, []).append(job)
    return "; ".join(f"{workflow}: {', '.join(found)}" for workflow, found in names.items())
