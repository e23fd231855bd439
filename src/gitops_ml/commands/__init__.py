"""The commands of the command line. Each calls the packages of the library, prints, and sets how it ended."""

import difflib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console, git

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.registry.ledger import AnyFact
    from gitops_ml.registry.lines import Line
    from gitops_ml.registry.record import Record
    from gitops_ml.registry.store import Store


def find_repository(project: Path) -> "Repository":
    """Return the repository that contains a folder. The import is late, so that `--help` answers quickly.

    Args:
        project: The folder, or a folder below it.
    """
    from gitops_ml import config

    return config.find_repository(project)


def find_root(project: Path) -> Path:
    """Return the folder that contains model.toml, without checking that the file is valid.

    Args:
        project: The folder, or a folder below it.

    Raises:
        ConfigError: No folder upwards contains the file.
    """
    from gitops_ml.config import FILE
    from gitops_ml.errors import ConfigError

    start = project.resolve()
    root = next((folder for folder in (start, *start.parents) if (folder / FILE).is_file()), None)
    if root is None:
        raise ConfigError(
            f"There is no {FILE} in {start} or above it.",
            "Run the command in the generated repository, or pass its folder with `--project`.",
        )
    return root


def unknown_name_error(kind: str, name: str, names: Collection[str], hint: str = "") -> click.UsageError:
    """Return the usage error for an unknown name, with the most similar known names.

    Args:
        kind: Kind of the name, such as "page".
        name: The name as the user typed it.
        names: The known names.
        hint: Advice when no known name is similar; by default the known names are listed.
    """
    spelling = {each.casefold(): each for each in sorted(names, reverse=True)}
    similar = [repr(spelling[each]) for each in difflib.get_close_matches(name.casefold(), spelling, n=3)]
    listed = hint or f"There are: {', '.join(sorted(names))}."
    advice = f"Perhaps you meant {' or '.join(similar)}." if similar else listed
    return click.UsageError(f"There is no {kind} {name!r}. {advice}", click.get_current_context())


def resolve_environment(repository: "Repository", environment: str | None) -> str:
    """Return the environment that the user chose, or the last one in model.toml.

    Args:
        repository: The clone.
        environment: The value of `--environment`, if any.
    """
    return environment or repository.config.deploy.environments[-1]


def main_revision(root: Path) -> str:
    """Return the revision of main. A note on standard error names local commits that it lacks.

    Args:
        root: Root of the clone.
    """
    revision = git.main_ref(root)
    ahead = git.count_commits_ahead(root, revision)
    if ahead:
        note = f"Note: main is {revision.removeprefix('refs/remotes/')}; it lacks {ahead} commit(s) of yours."
        console.echo_error(f"{note} Push them first.")
    return revision


def find_champion(repository: "Repository", environment: str, store: "Store") -> "Record | None":
    """Return the record of the version that should serve; None if no version may serve.

    It is the record on main. If its version is held or was merged on expired evidence, it is the newest verified record
    that is not held. An override comes first.

    Args:
        repository: The clone.
        environment: The environment whose champion is wanted.
        store: The model store, which holds the ledger.
    """
    from gitops_ml.registry.reconcile import load_current_facts

    return _find_served_record(repository, environment, load_current_facts(repository, store))


def find_champion_and_line(repository: "Repository", environment: str, store: "Store") -> "tuple[Record | None, Line]":
    """Return the record of the version that should serve, and the current line of versions.

    Challengers are compared with `line.select_champion(record)`: with no champion if its line was ended.

    Args:
        repository: The local clone.
        environment: The environment whose champion is wanted.
        store: The model store, which holds the ledger.

    Raises:
        IntegrityError: A file in registry/ended/ was changed by hand, or the champion's record contradicts its files.
    """
    from gitops_ml.registry.lines import load_line
    from gitops_ml.registry.pinned import require_pinned
    from gitops_ml.registry.reconcile import load_current_facts

    root, facts = repository.root, load_current_facts(repository, store)
    served, line = _find_served_record(repository, environment, facts), load_line(root, main_revision(root), facts)
    champion = line.select_champion(served)
    if champion:  # the rules of its commit will apply to the challenger
        require_pinned(repository, store, champion)
    return served, line


def _find_served_record(repository: "Repository", environment: str, facts: "Sequence[AnyFact]") -> "Record | None":
    from gitops_ml.registry import ledger, record

    history = record.load_history(repository.root, environment, main_revision(repository.root))
    return ledger.desired_record(history, facts)
