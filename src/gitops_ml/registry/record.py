"""The record: the JSON file on main that names what production serves, and its history in Git."""

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from gitops_ml import git
from gitops_ml.bound import Bound
from gitops_ml.errors import IntegrityError
from gitops_ml.run import Document, Lineage, Run

FOLDER = "registry"
# As whom GitHub commits what people do on its pages.
WEB_FLOW = "noreply@github.com"
UNKNOWN = "somebody (GitHub squashed it)"


class Figure(Document):
    """How the version measured when it was promoted, on the holdout.

    Attributes:
        metric: As model.toml names it.
        value: Of the version.
        baseline: Of a trivial reference estimator.
        champion: Of the champion then; None for the first version.
    """

    metric: str
    value: float
    baseline: float
    champion: float | None


@dataclass(frozen=True)
class Built:
    """What a job made of a version.

    Attributes:
        image: Its reference, `repository@sha256:...`; None where no target needs one.
        signature: Of image and digest; None where nobody asks for one.
    """

    image: str | None = None
    signature: str | None = None


class Record(Document):
    """One model version in one environment.

    Attributes:
        environment: Such as "production".
        model: The registered model's name.
        version: The registry's number.
        release: Semantic version: MAJOR for other columns or labels, MINOR for a new model, PATCH for a new image.
        digest: Of the version's files.
        image: Of its container, as `repository@sha256:...`; None where no target needs one.
        signature: Of image and digest, where model.toml names signers.
        run: MLflow's run.
        columns: What a request has.
        classes: The labels that an answer may have.
        figure: What earned it the place.
        lineage: What is behind it.
        evidence: What its gates were passed under; None in a record that is older than this.
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
    figure: Figure
    lineage: Lineage
    evidence: Bound | None = None


@dataclass(frozen=True)
class Entry:
    """One line of history.

    Attributes:
        commit: That put the record on main.
        when: ISO 8601.
        who: Merged or committed it.
        record: What it says; None where the record was removed, to start over.
    """

    commit: str
    when: str
    who: str
    record: Record | None


def path(environment: str) -> str:
    """Where the record of an environment lies in the repository."""
    return f"{FOLDER}/{environment}.json"


def parse(text: str, where: str) -> Record:
    """Read a record.

    Raises:
        IntegrityError: It is not one; people merge records, commands write them.
    """
    try:
        return Record.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        raise IntegrityError(
            f"{where} is not a record: {'.'.join(map(str, first['loc']))}: {first['msg']}.",
            "Restore it from Git; commands write this file, people only merge it.",
        ) from error


def read(root: Path, environment: str, revision: str) -> Record | None:
    """The record at a revision; None where there is none yet."""
    text = git.show(root, revision, path(environment))
    return None if text is None else parse(text, f"{path(environment)} at {revision}")


def history(root: Path, environment: str, revision: str) -> list[Entry]:
    """Every record that main has had, newest first; who merged it counts, not who wrote it, as far as Git can tell."""
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
        path(environment),
    )
    entries = []
    for line in filter(None, log.splitlines()):
        commit, when, *people = line.split("\x1f")
        entries.append(Entry(commit, when, _merger(*people), read(root, environment, commit)))
    return entries


def _merger(parents: str, author: str, author_email: str, committer: str, committer_email: str) -> str:
    """Who brought a commit to main.

    The author of a merge commit is who merged. A squash, or a rebase, keeps the author of the proposal: then the
    committer is who merged, but for GitHub itself, which commits for people and does not say for whom.
    """
    if " " in parents:
        return author
    if committer_email != WEB_FLOW:
        return committer
    return author if author_email != git.EMAIL else UNKNOWN


def since_removal(entries: Sequence[Entry]) -> list[Record]:
    """The records of the line that is in force, newest first; none while the record is removed."""
    return [entry.record for entry in itertools.takewhile(lambda entry: entry.record, entries) if entry.record]


def release(before: Record | None, run: Run, digest: str, taken: Iterable[str] = ()) -> str:
    """The semantic version of the next record.

    MAJOR when the columns or the labels change, for then callers must change; MINOR for a newly trained model; PATCH
    for the same model in a new image.

    Args:
        before: What serves now; None where nothing does.
        run: What the version says of itself.
        digest: Of its files.
        taken: Releases that were given out; after a rollback they are newer than the one of `before`.
    """
    given = [tuple(map(int, each.split("."))) for each in [*taken, *([before.release] if before else [])]]
    if not given:
        return "1.0.0"
    major, minor, patch = max(given)
    if before is None or (before.columns, before.classes) != (run.columns, run.classes):
        return f"{major + 1}.0.0"
    if before.digest != digest:
        return f"{major}.{minor + 1}.0"
    return f"{major}.{minor}.{patch + 1}"
