"""Each grant that a workflow declares is needed: take it away, and what the job does fails."""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import yaml

from arrivals import Arrivals
from desk import PULLS_ALLOWED, Desk
from github.model import Grant, Token
from house import GENERATED, run

FOLDER = GENERATED / ".github" / "workflows"
DECLARED: list[tuple[str, str, str, Grant]] = [
    (file.stem, name, grant, level)
    for file in sorted(FOLDER.glob("*.yml"))
    for name, job in yaml.safe_load(file.read_text())["jobs"].items()
    for grant, level in job["permissions"].items()
]


def reads_store(desk: Desk, token: Token) -> bool:
    """What a job that may only read does with its token, on a private repository."""
    desk.hub.settings.private = True
    return desk.driver.run(desk.clone, "store", "status", env=desk.environment(token)).code == 0


def registers(desk: Desk, token: Token) -> bool:
    """Train something new, and register it."""
    toml = desk.clone / "model.toml"
    toml.write_text(toml.read_text().replace("seed = 0", "seed = 9"))
    desk.driver.must(desk.clone, "train", "--force")
    return desk.driver.run(desk.clone, "register", env=desk.environment(token)).code == 0


def promotes(desk: Desk, token: Token) -> bool:
    """Open the promotion pull request."""
    comparison = str(desk.comparisons / "1")
    env = desk.environment(token)
    return desk.driver.run(desk.clone, "promote", "--comparison", comparison, env=env).code == 0


def asks_for_permission(desk: Desk, token: Token) -> bool:
    """Leave the issue that says which setting forbids pull requests."""
    setattr(desk.hub.settings, PULLS_ALLOWED, False)
    promotes(desk, token)
    return any("waits for promotion" in issue["title"] for issue in desk.ask("GET", "/issues"))


def concludes(desk: Desk, token: Token) -> bool:
    """Post the result of a dispatched CI."""
    env = {**desk.environment(token), "GITHUB_EVENT_NAME": "workflow_dispatch"}
    return desk.driver.run(desk.clone, "conclude", "--results", "code=success", env=env).code == 0


def expires(desk: Desk, token: Token) -> bool:
    """What was offered was judged by other gates: Train turns it red, and has it compared again."""
    desk.hub.settings.private = True
    if not desk.pulls:
        desk.promote("1")
        desk.push("model.toml", "margin = 0.1", "margin = 0.2")
    return desk.driver.run(desk.clone, "expire", env=desk.environment(token)).code == 0


def mends(desk: Desk, token: Token) -> bool:
    """What main names failed: Deploy opens the pull request that takes it back, has it checked, and opens an issue."""
    if not any(pull["merged_at"] for pull in desk.pulls):
        desk.promote("1")
        desk.merge(desk.pull["number"])
        failed = {"kind": "held", "environment": "production", "digest": desk.record("main")["digest"], "by": "a test",
                  "at": "2026-11-21T00:00:00Z", "why": "It was wrong.", "failed": True}  # fmt: skip
        desk.as_person("switch", "--quiet", "mlflow")
        (desk.clone.with_name("person") / "ledger.jsonl").write_text(json.dumps(failed) + "\n")
        desk.as_person("add", "--all")
        desk.as_person("commit", "--quiet", "--message", "A fact")
        desk.as_person("push", "--quiet", "origin", "mlflow")
    run(desk.clone, "git", "fetch", "--quiet", "origin", "main")
    run(desk.clone, "git", "switch", "--quiet", "--detach", "origin/main")
    return desk.driver.run(desk.clone, "deploy", env=desk.environment(token)).code == 0


def offers(desk: Desk, token: Token) -> bool:
    """Open the data pull request for rows that were checked."""
    checked = desk.clone / ".gitops" / "ingestion" / "manifest.json"
    if not checked.exists():
        source = Arrivals(desk)
        source.arrive(20)
        source.check()
    digest = hashlib.sha256(checked.read_bytes()).hexdigest()
    env = {**desk.environment(token), "GITOPS_STAGE": "offer", "GITOPS_DIGEST": f"sha256:{digest}"}
    return desk.driver.run(desk.clone, "ingest", env=env).code == 0


def monitors(desk: Desk, token: Token) -> bool:
    """An alarm stands, and a training was asked for: Monitor looks how it ended, and keeps the issue."""
    desk.hub.settings.private = False  # while people and the test look
    if not any(pull["merged_at"] for pull in desk.pulls):
        desk.promote("1")
        desk.merge(desk.pull["number"])
        digest, now = desk.record("main")["digest"], f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        asked = {
            "at": "2026-01-01T00:00:00Z",
            "keys": ["data drift: x"],
            "digest": digest,
            "data": None,
            "by": "a test",
        }
        state = {"digest": digest, "until": now, "alarms": {"data drift: x": {"since": now}}, "asked": [asked]}
        desk.as_person("switch", "--quiet", "mlflow")
        (desk.clone.with_name("person") / "monitoring").mkdir()
        (desk.clone.with_name("person") / "monitoring" / "production.state.json").write_text(json.dumps(state))
        desk.as_person("add", "--all")
        desk.as_person("commit", "--quiet", "--message", "An alarm")
        desk.as_person("push", "--quiet", "origin", "mlflow")
        desk.push("model.toml", 'source = "none"            # "metrics', 'source = "metrics"         # "metrics')
        desk.push("model.toml", "# urls = ", "urls = ")
    run(desk.clone, "git", "fetch", "--quiet", "origin", "main")
    run(desk.clone, "git", "switch", "--quiet", "--detach", "origin/main")
    desk.hub.settings.private = True
    return desk.driver.run(desk.clone, "monitor", env=desk.environment(token)).code == 0


def publishes(desk: Desk, token: Token) -> bool:
    """Write the pages, and what GitHub knows on the first of them."""
    desk.hub.settings.private = True
    assert desk.driver.must(desk.clone, "report", env=desk.environment(token)).out.startswith("Pages: ")
    return "GitHub could not be asked" not in (desk.clone / ".gitops" / "site" / "index.html").read_text()


# GitHub's own registry and its Pages are not on the local GitHub: what these allow is seen in nothing here.
ELSEWHERE = {
    *((name, job, "packages") for name, job in (("train", "image"), ("deploy", "deploy"), ("rollback", "rollback"))),
    *(("pages", "publish", grant) for grant in ("pages", "id-token")),
}
Probe = Callable[[Desk, Token], bool]
PROBES: dict[tuple[str, str], Probe] = {
    ("required", "statuses"): concludes,
    ("register", "contents"): registers,
    **{("expire", grant): expires for grant in ("pull-requests", "statuses", "actions")},
    **{("monitor", grant): monitors for grant in ("contents", "issues", "actions", "pull-requests")},
    **{("build", grant): publishes for grant in ("actions", "pull-requests", "issues")},
    ("promote", "issues"): asks_for_permission,
    **{("promote", grant): promotes for grant in ("contents", "pull-requests", "statuses", "actions")},
    **{("offer", grant): offers for grant in ("contents", "pull-requests", "statuses", "actions")},
    **{
        (job, grant): mends
        for job in ("deploy", "rollback")
        for grant in ("contents", "pull-requests", "issues", "statuses", "actions")
    },
}
PROBED = [one for one in DECLARED if one[:3] not in ELSEWHERE]


@pytest.mark.parametrize(
    ("workflow", "job", "grant", "level"), PROBED, ids=[f"{one[0]}-{one[1]}-{one[2]}" for one in PROBED]
)
def test_without_this_grant_the_job_fails(desk: Desk, workflow: str, job: str, grant: str, level: Grant) -> None:
    """With all that it declares the job's command succeeds; with one grant less it does not."""
    declared: dict[str, Any] = yaml.safe_load((FOLDER / f"{workflow}.yml").read_text())["jobs"][job]["permissions"]
    probe = reads_store if (grant, level) == ("contents", "read") else PROBES[job, grant]
    less = {name: each for name, each in declared.items() if name != grant}
    assert not probe(desk, desk.hub.issue_token(less))
    assert probe(desk, desk.hub.issue_token(declared))


def test_a_grant_is_not_larger_than_needed() -> None:
    """A job with a pen says for each what it writes with it."""
    for file in FOLDER.glob("*.yml"):
        for reason in re.findall(r": write # (.*)", file.read_text()):
            assert reason.startswith(("to ", "where ")), reason
