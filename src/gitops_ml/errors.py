"""One class per way to stop, each with its own exit code and a next step.

A message has three beats: what failed and where, what that usually means, what to do next. *Failed* is a definite
bad answer; *Error* means that we could not find out. Exit code 2 (usage) belongs to the command-line parser.
"""

from typing import ClassVar


class GitopsError(Exception):
    """A way to stop that a person can act on.

    Attributes:
        what: What failed, and where (file, table, column, row).
        next: What to do about it.
    """

    exit_code: ClassVar[int] = 70
    title: ClassVar[str] = "Stopped"

    def __init__(self, what: str, next: str) -> None:
        super().__init__(f"{what}\n{next}")
        self.what = what
        self.next = next


class ConfigError(GitopsError):
    """model.toml, or what it points to, is not as it must be."""

    exit_code = 3
    title = "Configuration"


class DataRefused(GitopsError):
    """The data was read and breaks the schema."""

    exit_code = 4
    title = "Data refused"


class DataUnreadable(GitopsError):
    """The data could not be read."""

    exit_code = 5
    title = "Data unreadable"


class GateRefused(GitopsError):
    """A gate said no, and the caller asked for an exit code."""

    exit_code = 6
    title = "Gate refused"


class AlarmRaised(GateRefused):
    """Production is in alarm, and the caller asked for an exit code."""

    title = "Alarm"


class StoreError(GitopsError):
    """The MLflow store, or Git behind it, did not do what was asked."""

    exit_code = 7
    title = "Store"


class ForgeError(GitopsError):
    """GitHub did not do what was asked, or could not be asked.

    Attributes:
        status: Of its answer; None where there was none.
    """

    exit_code = 8
    title = "GitHub"

    def __init__(self, what: str, next: str, status: int | None = None) -> None:
        super().__init__(what, next)
        self.status = status


class ContainerError(GitopsError):
    """The container engine, the registry or the place of deployment did not do what was asked; nobody knows more."""

    exit_code = 9
    title = "Container"


class VerificationFailed(GitopsError):
    """A version gave a definite bad answer where it was tried, or was to serve; whoever raises says what serves."""

    exit_code = 10
    title = "Verification"


class NotReproduced(GitopsError):
    """A version that was made again from its lineage says something else."""

    exit_code = 15
    title = "Not reproduced"


class MonitoringError(GitopsError):
    """What is to be watched could not be looked at; that is no alarm."""

    exit_code = 16
    title = "Monitoring"


class PullRequestsForbidden(ForgeError):
    """The repository's settings do not let a workflow open pull requests."""

    exit_code = 12


class ChecksFailed(GitopsError):
    """CI found something; the log of the job that failed says what."""

    exit_code = 14
    title = "CI"


class IntegrityError(GitopsError):
    """A digest differs, or a model file holds a type that is not allowed."""

    exit_code = 11
    title = "Integrity"


class ProblemsFound(GitopsError):
    """The doctor found what would fail, or a rule that nobody keeps."""

    exit_code = 13
    title = "Doctor"


BUG_EXIT_CODE = 70
