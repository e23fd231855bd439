"""The record: the JSON file on main that names the version of an environment, and its history in Git."""

import itertools
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import StringConstraints, ValidationError

from gitops_ml import config, git
from gitops_ml.errors import IntegrityError
from gitops_ml.evidence_inputs import EvidenceInputs
from gitops_ml.manifest import digest_json
from gitops_ml.run import Document, Lineage, Run

FOLDER = "registry"
# Committer of what people commit on GitHub's pages.
WEB_FLOW = "noreply@github.com"
UNKNOWN = "unknown (GitHub squashed it)"
RESTORE = "Restore the file from Git, by a pull request that reverts its last change. Only commands write records."


class PromotionMetric(Document):
    """Metric of a version on the holdout when it was promoted.

    Attributes:
        metric: Name of the metric in model.toml.
        value: Value of the version.
        baseline: Value of the baseline.
        champion: Value of the champion at that time; None for the first version.
    """

    metric: str
    value: float
    baseline: float
    champion: float | None


@dataclass(frozen=True)
class BuiltImage:
    """Image that a job built for a version.

    Attributes:
        image: Reference of the image, `repository@sha256:...`; None if no target needs one.
        signature: Signature of image and digest; None if model.toml names no signers.
    """

    image: str | None = None
    signature: str | None = None


Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Overruling(Document):
    """Statement of a person that a version serves although no comparison earned it.

    Attributes:
        by: Name of the person.
        why: Reason, as text.
    """

    by: Sentence
    why: Sentence


class Record(Document):
    """One model version in one environment.

    Attributes:
        environment: Name of the environment, such as "production".
        model: Name of the registered model.
        version: Registry version number.
        release: Semantic version: MAJOR for other columns or labels, MINOR for a new model, PATCH for a new image.
        digest: Digest of the version's files.
        image: Reference of the container image, `repository@sha256:...`; None if no target needs one.
        signature: Signature of image and digest; None if model.toml names no signers.
        run: MLflow's id of the run.
        columns: Columns of a request, with pandas' names of their types.
        classes: Labels that a prediction may have; empty for regression.
        figure: Metric of the version when it was promoted.
        lineage: Code, data, configuration and environment behind the version.
        evidence: Inputs of the evidence with which it passed its gates; None in a record of an older library.
        comparison: Digest of the comparison with which it passed its gates; None in a record of an older library. The
            ledger has it too.
        overruled: Person who overruled gates or soak time, and the reason; None if none were overruled.
    """

    environment: str
    model: str
    version: str
    release: str
    digest: str
    image: str | None
    signature: str | None = None
    run: str
    columns: dict[str, str]
    classes: tuple[str | int | bool, ...]
    figure: PromotionMetric
    lineage: Lineage
    evidence: EvidenceInputs | None = None
    comparison: str | None = None
    overruled: Overruling | None = None

    @property
    def content_digest(self) -> str:
        """Digest of all keys that have a value; a newer library may add keys, which are empty in this record."""
        return digest_json(self.model_dump(mode="json", exclude_none=True))


@dataclass(frozen=True)
class HistoryEntry:
    """One change of a record on main.

    Attributes:
        commit: Commit of main that changed the record.
        when: Time of the commit, in ISO 8601.
        who: Person who merged or committed it.
        record: The record after the change; None if the change removed it, to start over.
    """

    commit: str
    when: str
    who: str
    record: Record | None


def record_path(environment: str) -> str:
    """Return the path of an environment's record in the repository.

    Args:
        environment: Name of the environment.
    """
    return f"{FOLDER}/{environment}.json"


def parse_record(text: str, source: str) -> Record:
    """Return the record that a JSON text holds.

    Args:
        text: JSON text of the record.
        source: Name of the file, for the error message.

    Raises:
        IntegrityError: The text is not a record.
    """
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise IntegrityError(
            f"{source} is not a record: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            RESTORE,
        ) from error


def load_record(root: Path, environment: str, revision: str) -> Record | None:
    """Return the record of an environment at a revision; None if there is none yet.

    Args:
        root: Root folder of the clone.
        environment: Name of the environment.
        revision: Git revision to read.

    Raises:
        IntegrityError: The file is not a record, or it is the record of another environment or model.
    """
    path = record_path(environment)
    text = git.read_file(root, revision, path)
    if text is None:
        return None
    record = parse_record(text, f"{path} at {revision}")
    _require_own(root, record, environment, revision)
    return record


def _require_own(root: Path, record: Record, environment: str, revision: str) -> None:
    """Refuse a record of another environment or model: the ledger's facts about it would not be found.

    The model is compared with model.toml as it was when the record was written, because a model may be renamed later.

    Raises:
        IntegrityError: The record belongs to another environment or model.
    """
    source = f"{record_path(environment)} at {revision}"
    if record.environment != environment:
        raise IntegrityError(
            f"{source} says that it is the record of the environment {record.environment!r}, not of {environment!r}.",
            RESTORE,
        )
    if record.model == _model_name(root, revision):
        return
    log = ("log", "-1", "--first-parent", "-m", "--format=%H", revision, "--", record_path(environment))
    name = _model_name(root, git.run(root, *log))
    if name not in (None, record.model):
        raise IntegrityError(f"{source} says that it is of the model {record.model!r}, not of {name!r}.", RESTORE)


def _model_name(root: Path, revision: str) -> str | None:
    """Return the name of the model in model.toml at a revision; None if the file has none."""
    try:
        name = tomllib.loads(git.read_file(root, revision, config.FILE) or "")["project"]["name"]
    except (tomllib.TOMLDecodeError, KeyError, TypeError):
        return None
    return name if isinstance(name, str) else None


def load_history(root: Path, environment: str, revision: str, *, repairing: bool = False) -> list[HistoryEntry]:
    """Return every change of an environment's record, newest first, each with the person who merged it.

    A false record before the newest one is left out: nothing was deployed from it, so it is never restored.

    Args:
        root: Root folder of the clone.
        environment: Name of the environment.
        revision: Git revision whose history to read.
        repairing: True to leave out a false record even if it is the newest, to judge the change that repairs it.

    Raises:
        IntegrityError: The newest file is not a record, or it is the record of another environment or model.
    """
    if git.resolve(root, revision) is None:
        return []
    log = git.run(
        root,
        "log",
        "--first-parent",
        "--diff-filter=AMD",
        "-m",
        "--format=%H%x1f%cI%x1f%P%x1f%an%x1f%ae%x1f%cn%x1f%ce",
        revision,
        "--",
        record_path(environment),
    )
    entries = []
    for number, line in enumerate(filter(None, log.splitlines())):
        commit, when, *people = line.split("\x1f")
        try:
            record = load_record(root, environment, commit)
        except IntegrityError:
            if number == 0 and not repairing:
                raise
            continue
        entries.append(HistoryEntry(commit, when, _merger(*people), record))
    return entries


def _merger(parents: str, author: str, author_email: str, committer: str, committer_email: str) -> str:
    """Return the name of the person who brought a commit to main.

    The author of a merge commit is the person who merged. A squash or a rebase keeps the author of the proposal: then
    the committer is the person who merged, unless the committer is GitHub, which does not name the person.
    """
    if " " in parents:
        return author
    if committer_email != WEB_FLOW:
        return committer
    return author if author_email != git.EMAIL else UNKNOWN


def records_since_removal(entries: Sequence[HistoryEntry]) -> list[Record]:
    """Return the records since the record was last removed, newest first; an empty list while it is removed.

    Args:
        entries: Changes of the record, newest first.
    """
    return [entry.record for entry in itertools.takewhile(lambda entry: entry.record, entries) if entry.record]


def next_release(before: Record | None, run: Run, digest: str, taken: Iterable[str] = ()) -> str:
    """Return the semantic version of the next record.

    MAJOR changes with the columns or the labels, because callers must change then; MINOR with a newly trained model;
    PATCH with a new image of the same model.

    Args:
        before: Record of the version that serves now; None if there is none.
        run: Run document of the new version.
        digest: Digest of the new version's files.
        taken: Releases that exist already; after a rollback they are newer than the one of `before`.
    """
    releases = [tuple(map(int, text.split("."))) for text in [*taken, *([before.release] if before else [])]]
    if not releases:
        return "1.0.0"
    major, minor, patch = max(releases)
    if before is None or (before.columns, before.classes) != (run.columns, run.classes):
        return f"{major + 1}.0.0"
    if before.digest != digest:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"
