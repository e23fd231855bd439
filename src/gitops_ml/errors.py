"""One exception class for each way to stop, with its own exit code and a next step.

A message has three parts: what failed and where, what that usually means, and what to do next. *Failed* is a definite
negative result; *Error* means that the result could not be determined. Exit code 2 (usage) belongs to the command-line
parser.
"""

from typing import ClassVar

from gitops_ml.printable import show_addresses


class GitopsError(Exception):
    """A failure that a user can act on; addresses in it are shown without passwords and queries.

    Attributes:
        problem: Description of the failure, and its location (file, table, column, row).
        next_step: Instruction for the user.
    """

    exit_code: ClassVar[int] = 70
    title: ClassVar[str] = "Stopped"

    def __init__(self, problem: str, next_step: str) -> None:
        self.problem = show_addresses(problem)
        self.next_step = show_addresses(next_step)
        super().__init__(f"{self.problem}\n{self.next_step}")


class ConfigError(GitopsError):
    """model.toml, or a file that it names, is invalid."""

    exit_code = 3
    title = "Configuration"


class DataRefused(GitopsError):
    """The data was read and violates the schema."""

    exit_code = 4
    title = "Data refused"


class DataUnreadable(GitopsError):
    """The data could not be read."""

    exit_code = 5
    title = "Data unreadable"


class GateRefused(GitopsError):
    """A gate refused the version, and the caller asked for an exit code."""

    exit_code = 6
    title = "Gate refused"


class AlarmRaised(GateRefused):
    """Monitoring raised an alarm, and the caller asked for an exit code."""

    title = "Alarm"


class StoreError(GitopsError):
    """An operation of the MLflow store, or of Git behind it, failed."""

    exit_code = 7
    title = "Store"


class ForgeError(GitopsError):
    """A request to GitHub failed, or GitHub could not be reached.

    Attributes:
        status: HTTP status of the response; None without a response.
    """

    exit_code = 8
    title = "GitHub"

    def __init__(self, problem: str, next_step: str, status: int | None = None) -> None:
        super().__init__(problem, next_step)
        self.status = status


class ContainerError(GitopsError):
    """An operation of the container engine, the image registry or the target failed; the outcome is unknown."""

    exit_code = 9
    title = "Container"


class VerificationFailed(GitopsError):
    """A version failed its smoke test or did not become ready; the message names the version that serves."""

    exit_code = 10
    title = "Verification"


class NotReproduced(GitopsError):
    """A version that was trained again from its lineage returns other predictions."""

    exit_code = 15
    title = "Not reproduced"


class MonitoringError(GitopsError):
    """The data for monitoring could not be collected; this is not an alarm."""

    exit_code = 16
    title = "Monitoring"


class PullRequestsForbidden(ForgeError):
    """The repository's settings do not let a workflow open pull requests."""

    exit_code = 12


class ChecksFailed(GitopsError):
    """A CI job failed; its log has the details."""

    exit_code = 14
    title = "CI"


class IntegrityError(GitopsError):
    """A digest differs, or a model file holds a type that is not allowed."""

    exit_code = 11
    title = "Integrity"


class RecordRefused(GitopsError):
    """A record names a version that no comparison of this repository earned a place in its environment."""

    exit_code = 17
    title = "Record refused"


class NothingServes(GitopsError):
    """Main names a version, but no version may serve: this is an alarm, even if a hold or an expiry is the reason."""

    exit_code = 18
    title = "Nothing serves"


class MachineError(GitopsError):
    """The machine refused to read or write: its disk is full, a folder is read-only, or its memory does not suffice."""

    exit_code = 19
    title = "Machine"


class NotConfined(GitopsError):
    """Your code could not be confined, or a confined process gave no usable answer; nothing was judged."""

    exit_code = 20
    title = "Not confined"


class ProblemsFound(GitopsError):
    """The doctor found a setting that will fail, or a rule that is not enforced."""

    exit_code = 13
    title = "Doctor"


BUG_EXIT_CODE = 70
