"""What a person and a workflow call: each composes the rooms, prints, and says how it ended."""

import difflib
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store


def find(project: Path) -> "Repository":
    """The repository around a folder; imported late, so that `--help` answers at once."""
    from gitops_ml.config import find as find_repository

    return find_repository(project)


def unknown(kind: str, name: str, known: Collection[str], otherwise: str = "") -> click.UsageError:
    """Return the usage error about a name that is not known, with the nearest ones that are.

    Args:
        kind: What is named, such as "page".
        name: As it was typed.
        known: Names that there are.
        otherwise: Where no name is near: what to do. By default the names are listed.
    """
    spelt = {each.casefold(): each for each in sorted(known, reverse=True)}
    near = [repr(spelt[each]) for each in difflib.get_close_matches(name.casefold(), spelt, n=3)]
    hint = f"Perhaps you meant {' or '.join(near)}." if near else otherwise or f"There are: {', '.join(sorted(known))}."
    return click.UsageError(f"There is no {kind} {name!r}. {hint}", click.get_current_context())


def where(repository: "Repository", environment: str | None) -> str:
    """The environment that was named, or else the one where promotion ends."""
    return environment or repository.config.deploy.environments[-1]


def main_revision(root: Path) -> str:
    """The revision that stands for main, with a word to people whose own main is ahead of it."""
    revision = git.main_ref(root)
    ahead = git.ahead(root, revision)
    if ahead:
        words = f"Note: main is {revision.removeprefix('refs/remotes/')}; it lacks {ahead} commit(s) of yours."
        console.complain(f"{words} Push them first.")
    return revision


def champion(repository: "Repository", environment: str, store: "Store") -> "Record | None":
    """The record on main, or, while that is held, the last verified one; None before the first promotion.

    Args:
        repository: The clone.
        environment: Whose champion.
        store: Where the ledger lies.
    """
    from gitops_ml.registry import ledger, record
    from gitops_ml.registry.reconcile import facts_of

    entries = record.history(repository.root, environment, main_revision(repository.root))
    return ledger.wanted(entries, facts_of(repository, store))
