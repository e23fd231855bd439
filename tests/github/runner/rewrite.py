"""The copy of a workflow file that act runs.

act has one token for a run, no locks, and refuses keys that it does not know. The copy differs only in this:
 - in each job `github.token` and `secrets.GITHUB_TOKEN` read `secrets.TOKEN_<JOB>`, which is also what an action's
   `token` is unless the step says otherwise; variables of the whole workflow that hold a token move into each job;
 - a job with `concurrency` or an `environment` gets a first step that waits until the runner lets it start;
 - these two keys, `permissions` and `cache-mode`, which the runner handles itself, are removed.
The copy is written from YAML's nodes, not from its values: every scalar stays as it was read.
"""

import copy
import re

import yaml

from github.runner import standins

GATE = "local-gate"
EMBEDDED = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
TOKEN = re.compile(r"\b(?:github\.token|secrets\.GITHUB_TOKEN)\b", re.IGNORECASE)
GATED = ("concurrency", "environment")
REMOVED = (*GATED, "permissions", "cache-mode")


def secret_name(job: str) -> str:
    """Return the name of the secret with a job's token."""
    return "TOKEN_" + job.upper().replace("-", "_")


def reads_token(text: str) -> bool:
    """Return whether an expression in a file reads the token of its job."""
    return any(TOKEN.search(expression[0]) for expression in EMBEDDED.finditer(text))


def for_act(text: str) -> str:
    """Return the copy of a workflow file for act."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    jobs = _get(root, "jobs")
    assert isinstance(jobs, yaml.MappingNode)
    shared = _take_token_variables(root)
    # An anchor may be shared between jobs, whose tokens differ.
    jobs.value = [(key, copy.deepcopy(job)) for key, job in jobs.value]
    for key, job in jobs.value:
        _rewrite_job(key.value, job, shared)
    _remove_keys(root)
    return str(yaml.serialize(root, Dumper=yaml.SafeDumper, allow_unicode=True, width=2**20))


def _rewrite_job(name: str, job: yaml.MappingNode, shared: list[tuple[yaml.Node, yaml.Node]]) -> None:
    """Give one job its own token and its gate."""
    steps = _get(job, "steps")
    gated = any(_get(job, key) is not None for key in GATED)
    _remove_keys(job)
    if shared:
        own = _get_or_add(job, "env")
        own.value = copy.deepcopy(shared) + own.value
    if isinstance(steps, yaml.SequenceNode):
        for step in steps.value:
            _give_token(step)
        if gated:
            steps.value.insert(0, _gate())
    _replace(job, f"secrets.{secret_name(name)}")


def _take_token_variables(root: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """Remove the variables with a token from the workflow's `env`, and return them."""
    env = _get(root, "env")
    if not isinstance(env, yaml.MappingNode):
        return []
    removed = [(key, value) for key, value in env.value if TOKEN.search(str(value.value))]
    env.value = [pair for pair in env.value if pair not in removed]
    return removed


def _give_token(step: yaml.MappingNode) -> None:
    """Set GitHub's default explicitly: an action's `token` is that of the job."""
    uses = _get(step, "uses")
    if uses is not None and standins.uses_job_token(uses.value):
        inputs = _get_or_add(step, "with")
        if _get(inputs, "token") is None:
            inputs.value.append((_scalar("token"), _scalar("${{ github.token }}")))


def _gate() -> yaml.MappingNode:
    """Return a step that waits until the runner lets the job start, independent of the job's folder and shell.

    It prints the path of its gate, because each leg of a matrix has its own.
    """
    wait = 'gate=$(mktemp -u "$LOCAL_GATES/XXXXXXXX"); echo "$gate"; until [ -e "$gate" ]; do sleep 0.05; done'
    step = {"id": GATE, "run": wait, "shell": "sh", "working-directory": "${{ github.workspace }}"}
    return yaml.MappingNode(
        "tag:yaml.org,2002:map", [(_scalar(key), _scalar(value)) for key, value in step.items()], flow_style=False
    )


def _replace(node: yaml.Node, token: str) -> None:
    """Replace the token in every expression below a node."""
    if isinstance(node, yaml.ScalarNode):
        node.value = EMBEDDED.sub(lambda value: TOKEN.sub(token, value[0]), node.value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _replace(value, token)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            _replace(value, token)


def _remove_keys(node: yaml.MappingNode) -> None:
    """Remove the keys that the runner itself handles."""
    node.value = [(key, value) for key, value in node.value if key.value not in REMOVED]


def _get(node: yaml.MappingNode, name: str) -> yaml.Node | None:
    """Return the value of a key; None if it is missing."""
    return next((value for key, value in node.value if key.value == name), None)


def _get_or_add(node: yaml.MappingNode, name: str) -> yaml.MappingNode:
    """Return the mapping under a key; add it if it is missing."""
    value = _get(node, name)
    if isinstance(value, yaml.MappingNode):
        return value
    mapping = yaml.MappingNode("tag:yaml.org,2002:map", [], flow_style=False)
    node.value = [pair for pair in node.value if pair[0].value != name] + [(_scalar(name), mapping)]
    return mapping


def _scalar(value: str) -> yaml.ScalarNode:
    """Return a scalar node with a text."""
    return yaml.ScalarNode("tag:yaml.org,2002:str", value)
