"""`gitops promote` against the local GitHub: every case of the living pull request, and every way GitHub can fail."""

import json
import re

import pytest

from github.faults import Kind
from hub_fixture import BRANCH, FEATURES, GRANTS, PULLS_ALLOWED, PreparedHub
from repositories import run

GATE = ("model.toml", "margin = 0.1", "margin = 0.2")
BACK = ("model.toml", "margin = 0.2", "margin = 0.1")
COMPARE = ("POST", "/actions/workflows/train.yml/dispatches")
STATUS = ("POST", "/statuses/SHA")
# What a promotion changes.
OURS = ["docs/model-card.md", "registry/production.json"]
DISPATCH = ("POST", "/actions/workflows/ci.yml/dispatches")


@pytest.fixture
def offered(prepared_hub: PreparedHub) -> PreparedHub:
    """The same, with version 1 proposed."""
    prepared_hub.promote("1")
    prepared_hub.clear_requests()
    return prepared_hub


def test_without_a_pull_request_one_is_opened(prepared_hub: PreparedHub) -> None:
    """Branch, pull request, label, pending status, CI; in this order, each once."""
    output = prepared_hub.promote("1")
    pull = prepared_hub.pull
    assert pull["title"].startswith("Promote tumour-screening version 1 to production (")
    assert pull["title"].split("(")[1].rstrip(")") == prepared_hub.record(BRANCH)["digest"][7:19]
    assert pull["html_url"] in output
    assert pull["user"]["type"] == "Bot"
    assert [label["name"] for label in pull["labels"]] == ["promotion"]
    assert prepared_hub.git("diff", "--name-only", f"main...{BRANCH}").split() == OURS
    assert prepared_hub.git("rev-parse", f"{BRANCH}^") == prepared_hub.git("rev-parse", "main")
    head = prepared_hub.git("rev-parse", BRANCH)
    assert prepared_hub.statuses(head) == [("required", "pending")]
    assert [write for write in prepared_hub.writes if "receive-pack" not in write[1]] == [
        ("POST", "/pulls"), ("POST", f"/issues/{pull['number']}/labels"), ("POST", "/statuses/SHA"), DISPATCH,
    ]  # fmt: skip


def test_the_body_is_what_a_reviewer_needs(offered: PreparedHub) -> None:
    """The verdict first; gates, lineage, plots, instructions to try and to refuse; within GitHub's limit."""
    body = offered.pull["body"]
    assert body.splitlines()[0].startswith("## ✅ Version 1 can be promoted")
    for needed in ("| BASELINE", "Lineage", "Plots", "gitops compare --version 1", "**Close** to reject"):
        assert needed in body
    assert len(body) < 60_000
    page = offered.hub.html_url
    pictures = [part.split(")")[0] for part in body.split("](")[1:] if "/blob/" in part]
    assert pictures
    for address in pictures:
        commit, path = address.removeprefix(f"{page}/blob/").split("/", 1)
        assert offered.git("cat-file", "-t", f"{commit}:{path}") == "blob"


def test_the_same_content_is_not_touched(offered: PreparedHub) -> None:
    """No push, no edit: each would ask the reviewer to look again."""
    output = offered.promote("1")
    assert "Nothing to do" in output
    assert offered.writes == []


def test_a_docs_push_changes_nothing(offered: PreparedHub) -> None:
    """Main changed, but not its record: the pull request does not change."""
    offered.git_as_person("commit", "--quiet", "--allow-empty", "--message", "Words")
    offered.git_as_person("push", "--quiet", "origin", "main")
    offered.clear_requests()
    offered.promote("1")
    assert offered.writes == []


def test_a_better_version_refreshes_branch_and_body_once(offered: PreparedHub) -> None:
    """The same pull request, one comment with the change, CI for the new head."""
    first = offered.pull
    output = offered.promote("2-over-1")
    now = offered.pull
    assert now["number"] == first["number"]
    assert "version 2 to production" in now["title"]
    assert offered.record(BRANCH)["version"] == "2"
    assert f"Refreshed {now['html_url']}" in output
    (comment,) = offered.comments(now["number"])
    assert "now proposes version 2" in comment
    assert offered.statuses(now["head"]["sha"]) == [("required", "pending")]
    offered.clear_requests()
    offered.promote("2")
    assert offered.writes == []
    assert len(offered.comments(now["number"])) == 1


def test_a_worse_version_leaves_it(offered: PreparedHub) -> None:
    """Its metric on the same holdout decides, and the summary says so."""
    output = offered.promote("3-over-1")
    assert "was not changed and proposes version 1" in output
    assert offered.writes == []
    assert offered.record(BRANCH)["version"] == "1"


def test_an_approved_one_is_superseded_not_rewritten(offered: PreparedHub) -> None:
    """An approval is only for the text that was read."""
    first = offered.pull
    offered.request("POST", f"/pulls/{first['number']}/reviews", event="APPROVE")
    offered.promote("2-over-1")
    closed, opened = offered.pulls
    assert (closed["number"], closed["state"], closed["merged_at"]) == (first["number"], "closed", None)
    assert closed["title"] == first["title"]
    assert "version 2" in opened["title"]
    assert offered.pull["number"] == opened["number"]
    assert "approved" in offered.comments(first["number"])[0]


def test_a_closed_proposal_is_not_repeated(offered: PreparedHub) -> None:
    """That digest stays refused; a new one may be proposed, also on the existing branch."""
    offered.close(offered.pull["number"])
    offered.clear_requests()
    assert "a user closed" in offered.promote("1")
    assert [write for write in offered.writes if write[1] != f"{offered.hub.html_url}.git"] == offered.writes
    assert [pull["state"] for pull in offered.pulls] == ["closed"]
    offered.promote("2")
    assert "version 2" in offered.pull["title"]


def test_the_alias_challenger_goes_when_the_pull_request_is_closed(offered: PreparedHub) -> None:
    """The alias follows the proposal."""
    offered.close(offered.pull["number"])
    assert "Alias challenger removed" in offered.promote("1")


def test_a_deleted_branch_is_created_again_for_a_new_version(offered: PreparedHub) -> None:
    """Deleting the branch closes the pull request, which refuses only that version."""
    offered.git_as_person("push", "--quiet", "origin", f":{BRANCH}")
    assert "a user closed" in offered.promote("1")
    offered.promote("2")
    assert offered.record(BRANCH)["version"] == "2"
    assert [pull["state"] for pull in offered.pulls] == ["closed", "open"]


@pytest.mark.faults
def test_a_branch_without_a_pull_request_gets_one(prepared_hub: PreparedHub) -> None:
    """Killed between the two: the next run finishes, without a second push."""
    prepared_hub.hub.faults.add(method="POST", path=r"/pulls$", kind="422")
    prepared_hub.promote("1", code=8)
    tip = prepared_hub.git("rev-parse", BRANCH)
    prepared_hub.promote("1")
    assert prepared_hub.git("rev-parse", BRANCH) == tip
    assert prepared_hub.pull["head"]["sha"] == tip


def test_commits_of_others_are_never_overwritten(offered: PreparedHub) -> None:
    """It stops, names them, and says how to continue."""
    offered.git_as_person("fetch", "--quiet")
    offered.git_as_person("switch", "--quiet", BRANCH)
    offered.git_as_person("commit", "--quiet", "--allow-empty", "--message", "Mine")
    offered.git_as_person("push", "--quiet", "origin", BRANCH)
    tip = offered.git("rev-parse", BRANCH)
    output = offered.promote("2-over-1", code=8)
    assert "by Ada" in output
    assert f"git push origin :{BRANCH}" in output
    assert offered.git("rev-parse", BRANCH) == tip


def test_a_new_record_on_main_rebuilds_the_branch(offered: PreparedHub) -> None:
    """It always starts at the main with that record."""
    offered.git_as_person("fetch", "--quiet")
    offered.git_as_person("switch", "--quiet", "main")
    offered.git_as_person("checkout", f"origin/{BRANCH}", "--", "registry")
    offered.git_as_person("commit", "--quiet", "--message", "Promote by hand")
    offered.git_as_person("push", "--quiet", "origin", "main")
    output = offered.promote("2-over-champion-1")
    assert "Refreshed" in output
    assert offered.git("rev-parse", f"{BRANCH}^") == offered.git("rev-parse", "main")
    assert (offered.record(BRANCH)["version"], offered.record(BRANCH)["release"]) == ("2", "1.1.0")


def test_a_comparison_with_an_earlier_champion_is_made_again(offered: PreparedHub) -> None:
    """The pull request was merged between compare and promote."""
    offered.merge(offered.pull["number"])
    offered.clear_requests()
    assert "the champion changed since" in offered.promote("2")
    assert offered.writes[0] == ("POST", "/actions/workflows/train.yml/dispatches")
    assert not [path for _, path in offered.writes if "pulls" in path]


def test_after_a_merge_the_next_version_has_a_pull_request_of_its_own(offered: PreparedHub) -> None:
    """The branch that the merge left behind is used again."""
    first = offered.pull["number"]
    offered.merge(first)
    offered.promote("2-over-champion-1")
    assert offered.pull["number"] != first
    assert offered.record(BRANCH)["release"] == "1.1.0"
    assert offered.git("rev-parse", f"{BRANCH}^") == offered.git("rev-parse", "main")


def _hold_version_1(prepared_hub: PreparedHub) -> None:
    """Write a hold into the ledger."""
    digest = json.loads((prepared_hub.comparisons / "1" / "comparison.json").read_text())["challenger"]["digest"]
    fact = {"kind": "held", "environment": "production", "digest": digest, "at": "2026-01-01T00:00:00Z", "by": "ada",
            "why": "it failed"}  # fmt: skip
    prepared_hub.git_as_person("switch", "--quiet", "mlflow")
    (prepared_hub.clone.with_name("person") / "ledger.jsonl").write_text(json.dumps(fact) + "\n")
    prepared_hub.git_as_person("add", "ledger.jsonl")
    prepared_hub.git_as_person("commit", "--quiet", "--message", "Hold")
    prepared_hub.git_as_person("push", "--quiet", "origin", "mlflow")
    prepared_hub.clear_requests()


def test_a_proposal_that_is_held_is_withdrawn(offered: PreparedHub) -> None:
    """The command closes the pull request with a comment; this is no refusal, and the next version gets its own."""
    first = offered.pull
    _hold_version_1(offered)
    assert f"Closed {first['html_url']}: version 1 is held in production." in offered.promote("2")
    assert "on hold in production: it failed" in offered.comments(first["number"])[-1]
    assert [pull["state"] for pull in offered.pulls] == ["closed", "open"]
    assert "version 2" in offered.pull["title"]
    assert offered.pulls[0]["title"] == "Withdrawn: version 1 is on hold in production"
    offered.close(offered.pull["number"])
    offered.git_as_person("push", "--quiet", "--force", "origin", "mlflow~:mlflow")  # the hold is gone
    assert "Opened" in offered.promote("1")


def test_a_held_version_is_not_proposed(prepared_hub: PreparedHub) -> None:
    """A hold takes effect without a review."""
    _hold_version_1(prepared_hub)
    assert "it is held in production" in prepared_hub.promote("1")
    assert [write for write in prepared_hub.writes if "/pulls" in write[1]] == []


def test_a_stale_comparison_is_made_again(prepared_hub: PreparedHub) -> None:
    """Another version was proposed in the meantime: this version is compared with it, in another run."""
    prepared_hub.promote("1")
    prepared_hub.clear_requests()
    output = prepared_hub.promote("2")
    assert "compared again" in output
    assert prepared_hub.writes == [("POST", "/actions/workflows/train.yml/dispatches")]
    (asked,) = (asked for asked in prepared_hub.hub.requests if "train.yml" in asked.path)
    assert asked.body["inputs"]["version"] == "2"
    assert asked.body["inputs"]["digest"].startswith("sha256:")


def test_a_changed_gate_turns_it_red_and_has_it_compared_again_once(offered: PreparedHub) -> None:
    """The evidence of other gates has expired; a second run dispatches no second comparison."""
    offered.push(*GATE)
    assert "the gates changed. Version 1 is compared again." in offered.job("expire")
    head = offered.pull["head"]["sha"]
    status = offered.request("GET", f"/commits/{head}/statuses")[0]
    assert (status["context"], status["state"]) == ("required", "failure")
    assert re.fullmatch(
        r"Evidence expired, compared again \([0-9a-f]{8}\): the gates changed since the comparison",
        status["description"],
    )
    assert offered.writes == [COMPARE, STATUS]
    digest = offered.record(BRANCH)["digest"]
    assert offered.dispatched_inputs == [
        {"version": "1", "digest": digest, "environment": "production", "force": "false"}
    ]
    offered.clear_requests()
    assert "Nothing to do" in offered.job("expire")
    assert offered.writes == []


CHANGES = {
    "data": ("data/breast_cancer.csv", "17.99", "17.98", "the data"),
    "code": (FEATURES, "COLUMNS = [", "COLUMNS = [  # chosen", "your package"),
    "split": ("model.toml", "holdout = 0.3", "holdout = 0.4", "the split"),
    "training": ("model.toml", "seed = 0", "seed = 1", "the training settings"),
    "lock": ("requirements/train.txt", "#", "# more\n#", "the lock"),
}


@pytest.mark.parametrize(("path", "old", "new", "what"), CHANGES.values(), ids=CHANGES)
def test_a_changed_input_of_the_evidence_is_named(
    offered: PreparedHub, path: str, old: str, new: str, what: str
) -> None:
    """The message names the changed part."""
    offered.push(path, old, new)
    assert f"has expired: {what} changed." in offered.job("expire")


def test_documentation_and_deployment_settings_expire_nothing(offered: PreparedHub) -> None:
    """A documentation push, another port, another owner: the evidence stays valid."""
    offered.push("README.md", "git push", "git  push")
    offered.push("model.toml", "port = 8080", "port = 8081")
    offered.push("model.toml", 'owner = ""', 'owner = "Ada"')
    assert "Nothing to do" in offered.job("expire")
    assert offered.writes == []


def test_compared_again_it_is_refreshed_and_checked_again(offered: PreparedHub) -> None:
    """The same pull request and version, with valid evidence; then no further change."""
    before = offered.pull
    offered.push(*GATE)
    offered.job("expire")
    assert "Refreshed" in offered.promote(offered.compare_again("again", "1"))
    now = offered.pull
    assert (now["number"], now["title"]) == (before["number"], before["title"])
    assert now["head"]["sha"] != before["head"]["sha"]
    assert now["body"] != before["body"]
    assert offered.statuses(now["head"]["sha"]) == [("required", "pending")]
    offered.clear_requests()
    assert "Nothing to do" in offered.promote(str(offered.clone.parent / "again"))
    assert "Nothing to do" in offered.job("expire")
    assert offered.writes == []


@pytest.mark.faults
def test_a_refresh_of_evidence_that_is_cut_off_is_finished(offered: PreparedHub) -> None:
    """The branch has the new evidence, but the text is old."""
    offered.push(*GATE)
    again = offered.compare_again("again", "1")
    before = offered.pull
    offered.hub.faults.add(method="PATCH", path=r"/pulls/\d+$", kind="502", times=9)
    offered.promote(again, code=8)
    offered.hub.faults.clear()
    assert offered.pull["body"] == before["body"]
    assert "Refreshed" in offered.promote(again)
    assert offered.pull["body"] != before["body"]


def test_an_approval_does_not_outlive_its_evidence(offered: PreparedHub) -> None:
    """The approved pull request is closed, and the same version comes in another."""
    first = offered.pull
    offered.request("POST", f"/pulls/{first['number']}/reviews", event="APPROVE")
    offered.push(*GATE)
    offered.promote(offered.compare_again("again", "1"))
    closed, opened = offered.pulls
    assert (closed["state"], opened["state"]) == ("closed", "open")
    assert closed["title"] == opened["title"]
    assert "compared again, because the gates changed" in offered.comments(first["number"])[0]


def test_after_a_revert_on_main_ci_sets_the_status_again(offered: PreparedHub) -> None:
    """The gate was restored: the evidence is valid, so the status must not stay red."""
    offered.push(*GATE)
    offered.job("expire")
    offered.push(*BACK)
    assert "holds again" in offered.job("expire")
    assert offered.writes == [DISPATCH, STATUS]
    assert offered.statuses(offered.pull["head"]["sha"])[0] == ("required", "pending")
    offered.clear_requests()
    offered.job("expire")
    assert offered.writes == []


def test_another_change_has_it_compared_once_more(offered: PreparedHub) -> None:
    """Each state of main gets one comparison."""
    offered.push(*GATE)
    offered.job("expire")
    offered.push("model.toml", "margin = 0.2", "margin = 0.3")
    offered.job("expire")
    assert len(offered.dispatched_inputs) == 2


def test_success_of_ci_does_not_hide_what_has_expired(offered: PreparedHub) -> None:
    """Main changed while CI ran; in any order, the proposal is red and compared again once."""
    offered.push(*GATE)
    head = offered.pull["head"]["sha"]
    run(offered.clone, "git", "fetch", "--quiet", "origin", BRANCH)
    run(offered.clone, "git", "switch", "--quiet", "--detach", head)
    env = {**offered.environment(offered.hub.issue_token(GRANTS)), "GITHUB_EVENT_NAME": "workflow_dispatch"}
    concluded = offered.worker.must(offered.clone, "conclude", "--results", "code=success data=success", env=env)
    assert "the gates changed since" in concluded.out
    assert offered.statuses(head)[0] == ("required", "failure")
    offered.job("expire")
    run(offered.clone, "git", "switch", "--quiet", "--detach", head)
    offered.worker.must(offered.clone, "conclude", "--results", "code=success data=success", env=env)
    offered.job("expire")
    assert offered.statuses(head)[0] == ("required", "failure")
    assert len(offered.dispatched_inputs) == 1


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502", "422"])
@pytest.mark.parametrize("path", [r"/statuses/", r"train.yml/dispatches$"])
def test_an_interrupted_expiry_is_completed(offered: PreparedHub, path: str, kind: Kind) -> None:
    """At least one comparison is dispatched, and the status is red in the end."""
    offered.push(*GATE)
    offered.hub.faults.add(method="POST", path=path, kind=kind)
    offered.worker.run(offered.clone, "expire", env=offered.environment(offered.hub.issue_token(GRANTS)))
    offered.job("expire")
    assert offered.statuses(offered.pull["head"]["sha"])[0] == ("required", "failure")
    assert offered.dispatched_inputs


def test_a_comparison_on_earlier_gates_is_made_again(prepared_hub: PreparedHub) -> None:
    """The gates were changed between compare and promote."""
    prepared_hub.push(*GATE)
    assert "the gates changed since" in prepared_hub.promote("1")
    assert prepared_hub.writes[0] == COMPARE
    assert prepared_hub.pulls == []


def test_where_the_setting_forbids_pull_requests_an_issue_says_which(prepared_hub: PreparedHub) -> None:
    """Exit code 12; the branch is kept; one issue, not two; the next run recovers and closes it."""
    setattr(prepared_hub.hub.settings, PULLS_ALLOWED, False)
    output = prepared_hub.promote("1", code=12)
    assert "Allow GitHub Actions to create and approve pull requests" in output
    prepared_hub.promote("1", code=12)
    (issue,) = prepared_hub.request("GET", "/issues?state=open")
    assert f"compare/main...{BRANCH}" in issue["body"]
    assert "Allow GitHub Actions to create and approve pull requests" in issue["body"]
    tip = prepared_hub.git("rev-parse", BRANCH)
    setattr(prepared_hub.hub.settings, PULLS_ALLOWED, True)
    prepared_hub.promote("1")
    assert prepared_hub.pull["head"]["sha"] == tip
    assert prepared_hub.request("GET", f"/issues/{issue['number']}")["state"] == "closed"


@pytest.mark.parametrize("grant", GRANTS)
def test_without_a_grant_it_says_which(prepared_hub: PreparedHub, grant: str) -> None:
    """Each grant of the job is needed, and its absence is named."""
    del prepared_hub.grants[grant]
    if grant == "issues":
        setattr(prepared_hub.hub.settings, PULLS_ALLOWED, False)
    output = prepared_hub.promote("1", code=8)
    assert grant.replace("_", "-") in output


@pytest.mark.faults
def test_ci_is_dispatched_again_if_the_response_was_lost(prepared_hub: PreparedHub) -> None:
    """The status is pending without a run: the next run dispatches it."""
    prepared_hub.hub.faults.add(method="POST", path=r"/dispatches$", kind="404")
    prepared_hub.promote("1", code=8)
    prepared_hub.clear_requests()
    prepared_hub.promote("1")
    assert DISPATCH in prepared_hub.writes
    assert ("POST", "/pulls") not in prepared_hub.writes


def test_another_comparison_than_the_named_one_is_refused(prepared_hub: PreparedHub) -> None:
    """The digest is a job's output; the file has another one."""
    done = prepared_hub.worker.run(
        prepared_hub.clone,
        "promote",
        "--comparison",
        str(prepared_hub.comparisons / "1"),
        "--comparison-digest",
        "sha256:" + "0" * 64,
        env=prepared_hub.environment(prepared_hub.hub.issue_token(GRANTS)),
    )
    assert done.code == 11
    assert prepared_hub.writes == []


READS: tuple[Kind, ...] = ("401", "403-integration", "404")
AGAIN: tuple[Kind, ...] = ("429", "403-secondary", "502", "slow")


@pytest.mark.faults
@pytest.mark.parametrize("kind", AGAIN)
def test_a_read_that_fails_on_the_way_is_tried_again(prepared_hub: PreparedHub, kind: Kind) -> None:
    """Rate limits, bad gateways and slow responses are temporary."""
    prepared_hub.hub.faults.add(method="GET", path=r"/pulls$", kind=kind)
    prepared_hub.promote("1")
    assert "version 1" in prepared_hub.pull["title"]


@pytest.mark.faults
@pytest.mark.parametrize("kind", READS)
def test_a_read_that_is_refused_stops_with_a_sentence(prepared_hub: PreparedHub, kind: Kind) -> None:
    """Exit code 8, nothing written, no traceback."""
    prepared_hub.hub.faults.add(method="GET", path=r"/pulls$", kind=kind, times=20)
    output = prepared_hub.promote("1", code=8)
    assert "Traceback" not in output
    prepared_hub.hub.faults.clear()
    assert prepared_hub.pulls == []


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502", "429", "403-secondary", "slow"])
@pytest.mark.parametrize("path", [r"/pulls$", r"/statuses/", r"/dispatches$", r"/labels$"])
def test_a_write_without_a_clear_answer_is_not_done_twice(prepared_hub: PreparedHub, path: str, kind: Kind) -> None:
    """The state is read again first: one pull request, whatever the response was."""
    prepared_hub.hub.faults.add(method="POST", path=path, kind=kind)
    prepared_hub.promote("1")
    assert len(prepared_hub.pulls) == 1
    assert ("required", "pending") in prepared_hub.statuses(prepared_hub.pull["head"]["sha"])
    assert DISPATCH in prepared_hub.writes


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["401", "403-integration", "404", "409", "422"])
@pytest.mark.parametrize("path", [r"/pulls$", r"/statuses/", r"/dispatches$"])
def test_a_refused_write_stops_and_the_next_run_goes_on(prepared_hub: PreparedHub, path: str, kind: Kind) -> None:
    """Exit code 8 with GitHub's message; a second run completes."""
    prepared_hub.hub.faults.add(method="POST", path=path, kind=kind)
    assert "GitHub: " in prepared_hub.promote("1", code=8)
    prepared_hub.promote("1")
    assert len(prepared_hub.pulls) == 1
    assert ("required", "pending") in prepared_hub.statuses(prepared_hub.pull["head"]["sha"])


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502"])
def test_a_refresh_that_is_cut_off_is_finished_by_the_next_run(offered: PreparedHub, kind: Kind) -> None:
    """The branch moved, the title did not: title, body, comment and CI follow, each once."""
    offered.hub.faults.add(method="PATCH", path=r"/pulls/\d+$", kind=kind, times=9)
    env = offered.environment(offered.hub.issue_token(GRANTS))
    offered.worker.run(offered.clone, "promote", "--comparison", str(offered.comparisons / "2-over-1"), env=env)
    offered.hub.faults.clear()
    offered.promote("2")
    assert "version 2" in offered.pull["title"]
    assert len(offered.comments(offered.pull["number"])) == 1


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502", "403-integration"])
def test_an_interrupted_push_is_repeated(prepared_hub: PreparedHub, kind: Kind) -> None:
    """A push that arrived is found; one that did not is sent again."""
    prepared_hub.hub.faults.add(method="POST", path=r"git-receive-pack$", kind=kind)
    env = prepared_hub.environment(prepared_hub.hub.issue_token(GRANTS))
    prepared_hub.worker.run(prepared_hub.clone, "promote", "--comparison", str(prepared_hub.comparisons / "1"), env=env)
    prepared_hub.promote("1")
    assert len(prepared_hub.pulls) == 1
    assert prepared_hub.record(BRANCH)["version"] == "1"


@pytest.mark.faults
def test_a_concurrent_push_is_not_overwritten(prepared_hub: PreparedHub) -> None:
    """A branch that appeared in between is read again, and not overwritten."""
    prepared_hub.promote("2")
    prepared_hub.close(prepared_hub.pull["number"])
    tip = prepared_hub.git("rev-parse", BRANCH)
    run(
        prepared_hub.clone,
        "git",
        "fetch",
        "--quiet",
        "--prune",
        prepared_hub.hub.remote,
        "+refs/heads/*:refs/remotes/origin/*",
    )
    prepared_hub.promote("1")
    assert prepared_hub.git("rev-parse", BRANCH) != tip
    assert prepared_hub.record(BRANCH)["version"] == "1"


def test_gitops_says_what_was_done_in_the_summary(prepared_hub: PreparedHub) -> None:
    """The run's page links the pull request."""
    prepared_hub.promote("1")
    assert prepared_hub.pull["html_url"] in (prepared_hub.clone.parent / "summary.md").read_text()
