"""The copy of a workflow file that act runs.

act has one token for a run, knows no locks, and refuses keys newer than itself. So, and nothing else is changed:
 - in each job `github.token` and `secrets.GITHUB_TOKEN` read `secrets.TOKEN_<JOB>`, which is also what an action's
   `token` is unless the step says otherwise; variables of the whole workflow that hold a token move into each job;
 - a job with `concurrency` or an `environment` gets a first step that waits until the runner says that it may start;
 - these two, `permissions` and `cache-mode`, which the runner has read already, are left out.
The copy is made from YAML's nodes, not from its values: every scalar is written as it was read.
"""

import copy
import re

import yaml

from github.runner import standins

GATE = "local-gate"
EMBEDDED = re.compile(r"\$\{\{.*?\}\}", re.DOTALL)
TOKEN = re.compile(r"\b(?:github\.token|secrets\.GITHUB_TOKEN)\b", re.IGNORECASE)
GATED = ("concurrency", "environment")
LEFT_OUT = (*GATED, "permissions", "cache-mode")


def secret(job: str) -> str:
    """The name of the secret that holds a job's token."""
    return "TOKEN_" + job.upper().replace("-", "_")


def reads_token(text: str) -> bool:
    """Return whether an expression in a file reads the token of its job."""
    return any(TOKEN.search(expression[0]) for expression in EMBEDDED.finditer(text))


def for_act(text: str) -> str:
    """The copy."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)
    jobs = _get(root, "jobs")
    assert isinstance(jobs, yaml.MappingNode)
    shared = _take_token_variables(root)
    # An anchor may be shared between jobs, whose tokens differ.
    jobs.value = [(key, copy.deepcopy(job)) for key, job in jobs.value]
    for key, job in jobs.value:
        _rewrite_job(key.value, job, shared)
    _leave_out(root)
    return str(yaml.serialize(root, Dumper=yaml.SafeDumper, allow_unicode=True, width=2**20))


def _rewrite_job(name: str, job: yaml.MappingNode, shared: list[tuple[yaml.Node, yaml.Node]]) -> None:
    """One job with its own token and its gate."""
    steps = _get(job, "steps")
    gated = any(_get(job, key) is not None for key in GATED)
    _leave_out(job)
    if shared:
        own = _get_or_add(job, "env")
        own.value = copy.deepcopy(shared) + own.value
    if isinstance(steps, yaml.SequenceNode):
        for step in steps.value:
            _give_token(step)
        if gated:
            steps.value.insert(0, _gate())
    _replace(job, f"secrets.{secret(name)}")


def _take_token_variables(root: yaml.MappingNode) -> list[tuple[yaml.Node, yaml.Node]]:
    """Take the variables that hold a token out of the workflow's `env`."""
    env = _get(root, "env")
    if not isinstance(env, yaml.MappingNode):
        return []
    taken = [(key, value) for key, value in env.value if TOKEN.search(str(value.value))]
    env.value = [pair for pair in env.value if pair not in taken]
    return taken


def _give_token(step: yaml.MappingNode) -> None:
    """Say what is GitHub's default: an action's `token` is the job's."""
    uses = _get(step, "uses")
    if uses is not None and standins.takes_token(uses.value):
        given = _get_or_add(step, "with")
        if _get(given, "token") is None:
            given.value.append((_scalar("token"), _scalar("${{ github.token }}")))


def _gate() -> yaml.MappingNode:
    """A step that waits for the runner's leave, wherever the job's own steps run and in whatever shell.

    It says where it waits, for the legs of a matrix each have their own gate.
    """
    wait = 'gate=$(mktemp -u "$LOCAL_GATES/XXXXXXXX"); echo "$gate"; until [ -e "$gate" ]; do sleep 0.05; done'
    step = {"id": GATE, "run": wait, "shell": "sh", "working-directory": "${{ github.workspace }}"}
    return yaml.MappingNode(
        "tag:yaml.org,2002:map", [(_scalar(key), _scalar(value)) for key, value in step.items()], flow_style=False
    )


def _replace(node: yaml.Node, token: str) -> None:
    """Let every expression below a node read this token instead."""
    if isinstance(node, yaml.ScalarNode):
        node.value = EMBEDDED.sub(lambda found: TOKEN.sub(token, found[0]), node.value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _replace(value, token)
    elif isinstance(node, yaml.MappingNode):
        for _, value in node.value:
            _replace(value, token)


def _leave_out(node: yaml.MappingNode) -> None:
    """Drop the keys that the runner has read already."""
    node.value = [(key, value) for key, value in node.value if key.value not in LEFT_OUT]


def _get(node: yaml.MappingNode, name: str) -> yaml.Node | None:
    """The value of a key."""
    return next((value for key, value in node.value if key.value == name), None)


def _get_or_add(node: yaml.MappingNode, name: str) -> yaml.MappingNode:
    """The mapping under a key, made where it is missing."""
    found = _get(node, name)
    if isinstance(found, yaml.MappingNode):
        return found
    made = yaml.MappingNode("tag:yaml.org,2002:map", [], flow_style=False)
    node.value = [pair for pair in node.value if pair[0].value != name] + [(_scalar(name), made)]
    return made


def _scalar(value: str) -> yaml.ScalarNode:
    """A text."""
    return yaml.ScalarNode("tag:yaml.org,2002:str", value)
