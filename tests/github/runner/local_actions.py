"""Finding the actions that a repository has for its own workflows, at the commit that runs.

act reads a local action from the workspace when its step comes, as GitHub does. The commit's own copy is read before
the run, because the actions that it uses need stand-ins as well.
"""

import posixpath

import yaml

from github.runner.repository import Repository
from github.runner.rewrite import reads_token
from github.runner.workflow import Invalid, LocalAction, Workflow, used

FILES = ("action.yml", "action.yaml")


def find(workflow: Workflow, repository: Repository, sha: str) -> dict[str, LocalAction]:
    """Return the local actions that a workflow uses at a commit, and those that they use, by their paths.

    An action that the commit does not have is left out: its step fails, as on GitHub.

    Raises:
        Invalid: The file of one is not an action.
    """
    found: dict[str, LocalAction] = {}
    wanted = used(workflow.steps)
    while wanted:
        uses = wanted.pop()
        if uses in found or not is_local(uses):
            continue
        text = _text(repository, sha, uses)
        if text is not None:
            found[uses] = _parse(uses, text)
            wanted += used(found[uses].steps)
    return found


def third_party(workflow: Workflow) -> set[str]:
    """Return the actions of other repositories that a workflow's steps use, directly or in local actions."""
    inside = [uses for action in workflow.actions.values() for uses in used(action.steps)]
    return {uses for uses in (*used(workflow.steps), *inside) if not is_local(uses)}


def is_local(uses: str) -> bool:
    """Return whether `uses` is a path below the workspace."""
    return uses.startswith("./")


def _text(repository: Repository, sha: str, uses: str) -> str | None:
    """Return the text of an action's file at a commit; None where there is none."""
    folder = posixpath.normpath(uses)
    texts = (repository.text(sha, f"{folder}/{name}") for name in FILES)
    return next((text for text in texts if text is not None), None)


def _parse(uses: str, text: str) -> LocalAction:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Invalid(f"The action {uses!r} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise Invalid(f"The action {uses!r} is not a mapping.")
    return LocalAction(uses, data, reads_token(text))
