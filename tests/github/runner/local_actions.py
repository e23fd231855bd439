"""Local actions of a repository, at the commit that runs.

act reads a local action from the workspace when its step starts, as GitHub does. This module reads the commit's copy
before the run, because the actions that it uses need stand-ins as well.
"""

import posixpath

import yaml

from github.runner.repository import Repository
from github.runner.rewrite import reads_token
from github.runner.workflow import InvalidWorkflow, LocalAction, Workflow, used_actions

FILES = ("action.yml", "action.yaml")


def find(workflow: Workflow, repository: Repository, sha: str) -> dict[str, LocalAction]:
    """Return the local actions that a workflow uses at a commit, and those that they use, by their paths.

    An action that the commit does not contain is omitted: its step fails, as on GitHub.

    Raises:
        InvalidWorkflow: The file of an action is invalid.
    """
    actions: dict[str, LocalAction] = {}
    pending = used_actions(workflow.steps)
    while pending:
        uses = pending.pop()
        if uses in actions or not is_local(uses):
            continue
        text = _text(repository, sha, uses)
        if text is not None:
            actions[uses] = _parse(uses, text)
            pending += used_actions(actions[uses].steps)
    return actions


def third_party(workflow: Workflow) -> set[str]:
    """Return the actions of other repositories that a workflow's steps use, directly or in local actions."""
    nested = [uses for action in workflow.actions.values() for uses in used_actions(action.steps)]
    return {uses for uses in (*used_actions(workflow.steps), *nested) if not is_local(uses)}


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
        raise InvalidWorkflow(f"The action {uses!r} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise InvalidWorkflow(f"The action {uses!r} is not a mapping.")
    return LocalAction(uses, data, reads_token(text))
