"""Each grant that a workflow declares is needed: without it, the job fails."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from github.model import Grant, Token
from gitops_ml.commands.merged_update import MergedUpdate, write_merged
from gitops_ml.git import UPDATE_BRANCH
from gitops_ml.update_report import UpdateReport
from hub_fixture import PULLS_ALLOWED, PreparedHub
from ingest_jobs import IngestJobs
from repositories import GENERATED, run

FOLDER = GENERATED / ".github" / "workflows"
DECLARED: list[tuple[str, str, str, Grant]] = [
    (file.stem, name, grant, level)
    for file in sorted(FOLDER.glob("*.yml"))
    for name, job in yaml.safe_load(file.read_text())["jobs"].items()
    for grant, level in job["permissions"].items()
]


def reads_store(prepared_hub: PreparedHub, token: Token) -> bool:
    """Read the store as a job with read permissions only, on a private repository."""
    prepared_hub.hub.settings.private = True
    return prepared_hub.worker.run(prepared_hub.clone, "store", "status", env=prepared_hub.environment(token)).code == 0


def registers(prepared_hub: PreparedHub, token: Token) -> bool:
    """Train something new, and register it."""
    toml = prepared_hub.clone / "model.toml"
    toml.write_text(toml.read_text().replace("seed = 0", "seed = 9"))
    prepared_hub.worker.must(prepared_hub.clone, "train", "--force")
    return prepared_hub.worker.run(prepared_hub.clone, "register", env=prepared_hub.environment(token)).code == 0


def promotes(prepared_hub: PreparedHub, token: Token) -> bool:
    """Open the promotion pull request."""
    comparison = str(prepared_hub.comparisons / "1")
    env = prepared_hub.environment(token)
    return prepared_hub.worker.run(prepared_hub.clone, "promote", "--comparison", comparison, env=env).code == 0


def asks_for_permission(prepared_hub: PreparedHub, token: Token) -> bool:
    """Open the issue about the setting that forbids pull requests."""
    setattr(prepared_hub.hub.settings, PULLS_ALLOWED, False)
    promotes(prepared_hub, token)
    return any("waits for promotion" in issue["title"] for issue in prepared_hub.request("GET", "/issues"))


def concludes(prepared_hub: PreparedHub, token: Token) -> bool:
    """Post the result of a dispatched CI."""
    env = {**prepared_hub.environment(token), "GITHUB_EVENT_NAME": "workflow_dispatch"}
    return prepared_hub.worker.run(prepared_hub.clone, "conclude", "--results", "code=success", env=env).code == 0


def expires(prepared_hub: PreparedHub, token: Token) -> bool:
    """Let Train expire a proposal that was judged by other gates."""
    prepared_hub.hub.settings.private = True
    if not prepared_hub.pulls:
        prepared_hub.promote("1")
        prepared_hub.push("model.toml", "margin = 0.1", "margin = 0.2")
    return prepared_hub.worker.run(prepared_hub.clone, "expire", env=prepared_hub.environment(token)).code == 0


def reconciles_main(prepared_hub: PreparedHub, token: Token) -> bool:
    """Let Deploy open a rollback pull request and an issue about a failed version on main."""
    if not any(pull["merged_at"] for pull in prepared_hub.pulls):
        prepared_hub.promote("1")
        prepared_hub.merge(prepared_hub.pull["number"])
        failed = {
            "kind": "held",
            "environment": "production",
            "digest": prepared_hub.record("main")["digest"],
            "by": "a test",
            "at": "2026-11-21T00:00:00Z",
            "why": "It was wrong.",
            "failed": True,
        }
        prepared_hub.git_as_person("switch", "--quiet", "mlflow")
        (prepared_hub.clone.with_name("person") / "ledger.jsonl").write_text(json.dumps(failed) + "\n")
        prepared_hub.git_as_person("add", "--all")
        prepared_hub.git_as_person("commit", "--quiet", "--message", "A fact")
        prepared_hub.git_as_person("push", "--quiet", "origin", "mlflow")
    run(prepared_hub.clone, "git", "fetch", "--quiet", "origin", "main")
    run(prepared_hub.clone, "git", "switch", "--quiet", "--detach", "origin/main")
    return prepared_hub.worker.run(prepared_hub.clone, "deploy", env=prepared_hub.environment(token)).code == 0


def offers(prepared_hub: PreparedHub, token: Token) -> bool:
    """Open the data pull request for rows that were checked."""
    checked = prepared_hub.clone / ".gitops" / "ingestion" / "manifest.json"
    if not checked.exists():
        source = IngestJobs(prepared_hub)
        source.set_rows(20)
        source.pull_and_check()
    digest = hashlib.sha256(checked.read_bytes()).hexdigest()
    env = {**prepared_hub.environment(token), "GITOPS_STAGE": "offer", "GITOPS_DIGEST": f"sha256:{digest}"}
    return prepared_hub.worker.run(prepared_hub.clone, "ingest", env=env).code == 0


def monitors(prepared_hub: PreparedHub, token: Token) -> bool:
    """Let Monitor read the result of a training that an alarm started, and keep the issue."""
    prepared_hub.hub.settings.private = False  # while people and the test look
    if not any(pull["merged_at"] for pull in prepared_hub.pulls):
        prepared_hub.promote("1")
        prepared_hub.merge(prepared_hub.pull["number"])
        digest, now = prepared_hub.record("main")["digest"], f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        asked = {
            "at": "2026-01-01T00:00:00Z",
            "keys": ["data drift: x"],
            "digest": digest,
            "data": None,
            "by": "a test",
        }
        state = {"digest": digest, "until": now, "alarms": {"data drift: x": {"since": now}}, "asked": [asked]}
        prepared_hub.git_as_person("switch", "--quiet", "mlflow")
        (prepared_hub.clone.with_name("person") / "monitoring").mkdir()
        (prepared_hub.clone.with_name("person") / "monitoring" / "production.state.json").write_text(json.dumps(state))
        prepared_hub.git_as_person("add", "--all")
        prepared_hub.git_as_person("commit", "--quiet", "--message", "An alarm")
        prepared_hub.git_as_person("push", "--quiet", "origin", "mlflow")
        prepared_hub.push(
            "model.toml", 'source = "none"            # "metrics', 'source = "metrics"         # "metrics'
        )
        prepared_hub.push("model.toml", "# urls = ", "urls = ")
    run(prepared_hub.clone, "git", "fetch", "--quiet", "origin", "main")
    run(prepared_hub.clone, "git", "switch", "--quiet", "--detach", "origin/main")
    prepared_hub.hub.settings.private = True
    return prepared_hub.worker.run(prepared_hub.clone, "monitor", env=prepared_hub.environment(token)).code == 0


def publishes(prepared_hub: PreparedHub, token: Token) -> bool:
    """Write the pages, with GitHub's data on the first of them."""
    prepared_hub.hub.settings.private = True
    assert prepared_hub.worker.must(prepared_hub.clone, "report", env=prepared_hub.environment(token)).out.startswith(
        "Pages: "
    )
    return "GitHub could not be reached" not in (prepared_hub.clone / ".gitops" / "site" / "index.html").read_text()


def proposes_update(prepared_hub: PreparedHub, token: Token) -> bool:
    """Push the update that the job `merge` has left, and open its pull request."""
    return _proposes(prepared_hub, token, "README.md")


def asks_for_update(prepared_hub: PreparedHub, token: Token) -> bool:
    """Open the issue about an update of workflow files."""
    return _proposes(prepared_hub, token, ".github/workflows/ci.yml")


def _proposes(prepared_hub: PreparedHub, token: Token, path: str) -> bool:
    clone, folder = prepared_hub.clone, prepared_hub.clone / ".gitops" / "merged"
    if not folder.exists():
        main = run(clone, "git", "rev-parse", "main").strip()
        run(clone, "git", "switch", "--quiet", "--create", UPDATE_BRANCH)
        (clone / path).write_text((clone / path).read_text() + "# Another line\n")
        run(clone, "git", "commit", "--quiet", "--all", "--message", "Update")
        tree = run(clone, "git", "rev-parse", "HEAD^{tree}").strip()
        report = UpdateReport(
            "0.2.0", "9.0.0", "This update retrains nothing: no lock changes.", False, (), (), main, tree
        )
        write_merged(clone, folder, MergedUpdate(report), UPDATE_BRANCH)
        run(clone, "git", "switch", "--quiet", "main")
        run(clone, "git", "branch", "--quiet", "-D", UPDATE_BRANCH)
    digest = f"sha256:{hashlib.sha256((folder / 'manifest.json').read_bytes()).hexdigest()}"
    env = {**prepared_hub.environment(token), "GITOPS_PROPOSE": "true", "GITOPS_MERGED": str(folder)}
    return prepared_hub.worker.run(clone, "update", env={**env, "GITOPS_DIGEST": digest}).code == 0


# The local GitHub has no registry and no Pages, so these grants have no effect here.
NOT_ON_LOCAL_GITHUB = {
    *((name, job, "packages") for name, job in (("train", "image"), ("deploy", "deploy"), ("rollback", "rollback"))),
    *(("pages", "publish", grant) for grant in ("pages", "id-token")),
}
Probe = Callable[[PreparedHub, Token], bool]
PROBES: dict[tuple[str, str], Probe] = {
    ("required", "statuses"): concludes,
    ("register", "contents"): registers,
    **{("expire", grant): expires for grant in ("pull-requests", "statuses", "actions")},
    **{("monitor", grant): monitors for grant in ("contents", "issues", "actions", "pull-requests")},
    **{("build", grant): publishes for grant in ("actions", "pull-requests", "issues")},
    ("promote", "issues"): asks_for_permission,
    **{("promote", grant): promotes for grant in ("contents", "pull-requests", "statuses", "actions")},
    **{("offer", grant): offers for grant in ("contents", "pull-requests", "statuses", "actions")},
    **{("upkeep", grant): proposes_update for grant in ("contents", "pull-requests", "statuses", "actions")},
    ("upkeep", "issues"): asks_for_update,
    **{
        (job, grant): reconciles_main
        for job in ("deploy", "rollback")
        for grant in ("contents", "pull-requests", "issues", "statuses", "actions")
    },
}
PROBED = [one for one in DECLARED if one[:3] not in NOT_ON_LOCAL_GITHUB]


@pytest.mark.parametrize(
    ("workflow", "job", "grant", "level"), PROBED, ids=[f"{one[0]}-{one[1]}-{one[2]}" for one in PROBED]
)
def test_without_this_grant_the_job_fails(
    prepared_hub: PreparedHub, workflow: str, job: str, grant: str, level: Grant
) -> None:
    """The job's command succeeds with all declared grants, and fails with one grant less."""
    declared: dict[str, Any] = yaml.safe_load((FOLDER / f"{workflow}.yml").read_text())["jobs"][job]["permissions"]
    probe = reads_store if (grant, level) == ("contents", "read") else PROBES[job, grant]
    less = {name: each for name, each in declared.items() if name != grant}
    assert not probe(prepared_hub, prepared_hub.hub.issue_token(less))
    assert probe(prepared_hub, prepared_hub.hub.issue_token(declared))


def test_a_grant_is_not_larger_than_needed() -> None:
    """Each write permission has a comment with its purpose."""
    for file in FOLDER.glob("*.yml"):
        for reason in re.findall(r": write # (.*)", file.read_text()):
            assert reason.startswith(("to ", "where ")), reason
