"""Review of the records that a change of main brings, before the merge."""

from pathlib import Path, PurePosixPath

from gitops_ml import git
from gitops_ml.config import Repository
from gitops_ml.errors import IntegrityError
from gitops_ml.registry import record
from gitops_ml.registry.earned import explain_unearned
from gitops_ml.registry.pinned import require_pinned
from gitops_ml.registry.reconcile import load_current_facts
from gitops_ml.registry.record import RESTORE, Record
from gitops_ml.registry.store import DATABASE, BranchStore, Store


def review_records(
    repository: Repository, store: Store, start: str | None
) -> tuple[list[str], list[tuple[Record, str]]]:
    """Judge each record that differs between a revision and HEAD.

    Args:
        repository: The clone, with main fetched.
        store: The MLflow store; its branch holds the ledger.
        start: Revision before the change; None if main has no commit yet.

    Returns:
        Notes about changes that a reviewer must see, and the refused records, each with the reason.

    Raises:
        IntegrityError: A record is not true.
    """
    root, names = repository.root, repository.config.deploy.environments
    notes, refused = list[str](), list[tuple[Record, str]]()
    changed = _changed_environments(root, start)
    for name in sorted({*names, *changed}):
        after = record.load_record(root, name, "HEAD")
        if after is None or name not in changed:
            if name in changed:
                notes.append(f"This change removes the record of {name}: after its merge no version serves there.")
            continue
        if name not in names:
            raise IntegrityError(f"{record.record_path(name)}: model.toml has no environment {name!r}.", RESTORE)
        earlier = record.load_history(root, name, start, repairing=True) if start else []
        if earlier and earlier[0].record == after:
            continue
        notes += _check_files(repository, store, after)
        reason = explain_unearned(repository, store, after, earlier, load_current_facts(repository, store), start)
        if reason:
            refused.append((after, reason))
        elif after.overruled:
            person = f"{after.overruled.by} overrules the gates: {after.overruled.why}"
            notes.append(f"{record.record_path(name)}, version {after.version}: {person}")
    return notes, refused


def _changed_environments(root: Path, start: str | None) -> set[str]:
    """Return the names of the records that differ between a revision and HEAD."""
    pathspec = f":(glob){record.FOLDER}/*.json"
    if start is None:
        output = git.run(root, "ls-tree", "--name-only", "HEAD", f"{record.FOLDER}/")
    else:
        output = git.run(root, "diff", "--name-only", "--no-renames", start, "HEAD", "--", pathspec)
    return {PurePosixPath(path).stem for path in output.splitlines() if path.endswith(".json")}


def _check_files(repository: Repository, store: Store, after: Record) -> list[str]:
    """Compare a record with the files that its digest pins, and return a note if the store cannot be reached here.

    CI gets no password of a tracking server. The ledger then pins the record, and `gitops deploy` compares the files.
    """
    if isinstance(store, BranchStore) and store.branch.refresh() and not store.branch.tracks(DATABASE):
        return ["The model store is a server, which this job cannot reach: deploy compares the record with its files."]
    require_pinned(repository, store, after)
    return []
