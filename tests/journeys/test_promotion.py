"""`gitops promote` against the local GitHub: every case of the living pull request, and every way GitHub can fail."""

import json
import re

import pytest

from desk import BRANCH, FEATURES, GRANTS, PULLS_ALLOWED, Desk
from github.faults import Kind
from house import run

GATE = ("model.toml", "margin = 0.1", "margin = 0.2")
BACK = ("model.toml", "margin = 0.2", "margin = 0.1")
COMPARE = ("POST", "/actions/workflows/train.yml/dispatches")
STATUS = ("POST", "/statuses/SHA")
# What a promotion changes.
OURS = ["docs/model-card.md", "registry/production.json"]
DISPATCH = ("POST", "/actions/workflows/ci.yml/dispatches")


@pytest.fixture
def offered(desk: Desk) -> Desk:
    """The same, with version 1 offered."""
    desk.promote("1")
    desk.forget()
    return desk


def test_without_a_pull_request_one_is_opened(desk: Desk) -> None:
    """Branch, pull request, label, pending status, CI; in this order, each once."""
    told = desk.promote("1")
    pull = desk.pull
    assert pull["title"].startswith("Promote tumour-screening version 1 to production (")
    assert pull["title"].split("(")[1].rstrip(")") == desk.record(BRANCH)["digest"][7:19]
    assert pull["html_url"] in told
    assert pull["user"]["type"] == "Bot"
    assert [label["name"] for label in pull["labels"]] == ["promotion"]
    assert desk.git("diff", "--name-only", f"main...{BRANCH}").split() == OURS
    assert desk.git("rev-parse", f"{BRANCH}^") == desk.git("rev-parse", "main")
    head = desk.git("rev-parse", BRANCH)
    assert desk.statuses(head) == [("required", "pending")]
    assert [write for write in desk.writes if "receive-pack" not in write[1]] == [
        ("POST", "/pulls"), ("POST", f"/issues/{pull['number']}/labels"), ("POST", "/statuses/SHA"), DISPATCH,
    ]  # fmt: skip


def test_the_body_is_what_a_reviewer_needs(offered: Desk) -> None:
    """The verdict first; gates, lineage, pictures, how to try, how to refuse; within GitHub's limit."""
    body = offered.pull["body"]
    assert body.splitlines()[0].startswith("## ✅ Version 1 can be promoted")
    for needed in ("| BASELINE", "Lineage", "Pictures", "gitops compare --version 1", "**Close** to refuse"):
        assert needed in body
    assert len(body) < 60_000
    page = offered.hub.page
    pictures = [part.split(")")[0] for part in body.split("](")[1:] if "/blob/" in part]
    assert pictures
    for address in pictures:
        commit, path = address.removeprefix(f"{page}/blob/").split("/", 1)
        assert offered.git("cat-file", "-t", f"{commit}:{path}") == "blob"


def test_the_same_content_is_not_touched(offered: Desk) -> None:
    """No push, no edit: each would ask the reviewer to look again."""
    told = offered.promote("1")
    assert "Nothing to do" in told
    assert offered.writes == []


def test_a_docs_push_changes_nothing(offered: Desk) -> None:
    """Main moved, its record did not: the pull request stays as it was read."""
    offered.as_person("commit", "--quiet", "--allow-empty", "--message", "Words")
    offered.as_person("push", "--quiet", "origin", "main")
    offered.forget()
    offered.promote("1")
    assert offered.writes == []


def test_a_better_version_refreshes_branch_and_body_once(offered: Desk) -> None:
    """The same pull request, one comment that says what changed, CI for the new head."""
    first = offered.pull
    told = offered.promote("2-over-1")
    now = offered.pull
    assert now["number"] == first["number"]
    assert "version 2 to production" in now["title"]
    assert offered.record(BRANCH)["version"] == "2"
    assert f"Refreshed {now['html_url']}" in told
    (comment,) = offered.comments(now["number"])
    assert "now offers version 2" in comment
    assert offered.statuses(now["head"]["sha"]) == [("required", "pending")]
    offered.forget()
    offered.promote("2")
    assert offered.writes == []
    assert len(offered.comments(now["number"])) == 1


def test_a_worse_version_leaves_it(offered: Desk) -> None:
    """Its own measure on the same holdout decides, and the summary says so."""
    told = offered.promote("3-over-1")
    assert "Left" in told
    assert offered.writes == []
    assert offered.record(BRANCH)["version"] == "1"


def test_an_approved_one_is_superseded_not_rewritten(offered: Desk) -> None:
    """An approval is for what was read, and for nothing else."""
    first = offered.pull
    offered.ask("POST", f"/pulls/{first['number']}/reviews", event="APPROVE")
    offered.promote("2-over-1")
    closed, opened = offered.pulls
    assert (closed["number"], closed["state"], closed["merged_at"]) == (first["number"], "closed", None)
    assert closed["title"] == first["title"]
    assert "version 2" in opened["title"]
    assert offered.pull["number"] == opened["number"]
    assert "approved" in offered.comments(first["number"])[0]


def test_what_a_person_closed_is_not_offered_again(offered: Desk) -> None:
    """That digest stays refused; a new one may come, even on the branch that stayed behind."""
    offered.close(offered.pull["number"])
    offered.forget()
    assert "a person closed" in offered.promote("1")
    assert [write for write in offered.writes if write[1] != f"{offered.hub.page}.git"] == offered.writes
    assert [pull["state"] for pull in offered.pulls] == ["closed"]
    offered.promote("2")
    assert "version 2" in offered.pull["title"]


def test_the_alias_challenger_goes_when_the_pull_request_is_closed(offered: Desk) -> None:
    """An alias is a projection of what is offered."""
    offered.close(offered.pull["number"])
    assert "Alias challenger removed" in offered.promote("1")


def test_a_branch_that_somebody_deleted_comes_back_for_a_new_version(offered: Desk) -> None:
    """Deleting the branch closes the pull request, which is a person's no to that version alone."""
    offered.as_person("push", "--quiet", "origin", f":{BRANCH}")
    assert "a person closed" in offered.promote("1")
    offered.promote("2")
    assert offered.record(BRANCH)["version"] == "2"
    assert [pull["state"] for pull in offered.pulls] == ["closed", "open"]


@pytest.mark.faults
def test_a_branch_without_a_pull_request_gets_one(desk: Desk) -> None:
    """Killed between the two: the next run finishes, without a second push."""
    desk.hub.faults.add(method="POST", path=r"/pulls$", kind="422")
    desk.promote("1", code=8)
    tip = desk.git("rev-parse", BRANCH)
    desk.promote("1")
    assert desk.git("rev-parse", BRANCH) == tip
    assert desk.pull["head"]["sha"] == tip


def test_commits_of_others_are_never_overwritten(offered: Desk) -> None:
    """It stops, names them, and says what to do."""
    offered.as_person("fetch", "--quiet")
    offered.as_person("switch", "--quiet", BRANCH)
    offered.as_person("commit", "--quiet", "--allow-empty", "--message", "Mine")
    offered.as_person("push", "--quiet", "origin", BRANCH)
    tip = offered.git("rev-parse", BRANCH)
    told = offered.promote("2-over-1", code=8)
    assert "by Ada" in told
    assert f"git push origin :{BRANCH}" in told
    assert offered.git("rev-parse", BRANCH) == tip


def test_a_new_record_on_main_rebuilds_the_branch(offered: Desk) -> None:
    """It is always cut from the main that has that record."""
    offered.as_person("fetch", "--quiet")
    offered.as_person("switch", "--quiet", "main")
    offered.as_person("checkout", f"origin/{BRANCH}", "--", "registry")
    offered.as_person("commit", "--quiet", "--message", "Promote by hand")
    offered.as_person("push", "--quiet", "origin", "main")
    told = offered.promote("2-over-champion-1")
    assert "Refreshed" in told
    assert offered.git("rev-parse", f"{BRANCH}^") == offered.git("rev-parse", "main")
    assert (offered.record(BRANCH)["version"], offered.record(BRANCH)["release"]) == ("2", "1.1.0")


def test_a_comparison_with_an_earlier_champion_is_made_again(offered: Desk) -> None:
    """Somebody merged between compare and promote."""
    offered.merge(offered.pull["number"])
    offered.forget()
    assert "the champion changed since" in offered.promote("2")
    assert offered.writes[0] == ("POST", "/actions/workflows/train.yml/dispatches")
    assert not [path for _, path in offered.writes if "pulls" in path]


def test_after_a_merge_the_next_version_has_a_pull_request_of_its_own(offered: Desk) -> None:
    """The branch that the merge left behind is used again."""
    first = offered.pull["number"]
    offered.merge(first)
    offered.promote("2-over-champion-1")
    assert offered.pull["number"] != first
    assert offered.record(BRANCH)["release"] == "1.1.0"
    assert offered.git("rev-parse", f"{BRANCH}^") == offered.git("rev-parse", "main")


def _hold_version_1(desk: Desk) -> None:
    """The ledger says so."""
    digest = json.loads((desk.comparisons / "1" / "comparison.json").read_text())["challenger"]["digest"]
    fact = {"kind": "held", "environment": "production", "digest": digest, "at": "2026-01-01T00:00:00Z", "by": "ada",
            "why": "it failed"}  # fmt: skip
    desk.as_person("switch", "--quiet", "mlflow")
    (desk.clone.with_name("person") / "ledger.jsonl").write_text(json.dumps(fact) + "\n")
    desk.as_person("add", "ledger.jsonl")
    desk.as_person("commit", "--quiet", "--message", "Hold")
    desk.as_person("push", "--quiet", "origin", "mlflow")
    desk.forget()


def test_what_is_offered_and_held_by_now_is_withdrawn(offered: Desk) -> None:
    """The pull request is closed with a sentence, which is no person's refusal; what comes next has one of its own."""
    first = offered.pull
    _hold_version_1(offered)
    assert f"Closed {first['html_url']}: version 1 is held in production." in offered.promote("2")
    assert "held in production: it failed" in offered.comments(first["number"])[-1]
    assert [pull["state"] for pull in offered.pulls] == ["closed", "open"]
    assert "version 2" in offered.pull["title"]
    assert offered.pulls[0]["title"] == "Withdrawn: version 1 is held in production"
    offered.close(offered.pull["number"])
    offered.as_person("push", "--quiet", "--force", "origin", "mlflow~:mlflow")  # the hold is gone
    assert "Opened" in offered.promote("1")


def test_a_held_version_is_not_offered(desk: Desk) -> None:
    """The brake is faster than a review."""
    _hold_version_1(desk)
    assert "it is held in production" in desk.promote("1")
    assert [write for write in desk.writes if "/pulls" in write[1]] == []


def test_a_stale_comparison_is_made_again(desk: Desk) -> None:
    """Something else was offered meanwhile: this version is compared with it, in a run of its own."""
    desk.promote("1")
    desk.forget()
    told = desk.promote("2")
    assert "compared again" in told
    assert desk.writes == [("POST", "/actions/workflows/train.yml/dispatches")]
    (asked,) = (asked for asked in desk.hub.requests if "train.yml" in asked.path)
    assert asked.body["inputs"]["version"] == "2"
    assert asked.body["inputs"]["digest"].startswith("sha256:")


def test_a_changed_gate_turns_it_red_and_has_it_compared_again_once(offered: Desk) -> None:
    """What was judged by other gates says nothing any more; a second look asks nobody a second time."""
    offered.push(*GATE)
    assert "the gates changed. Version 1 is compared again." in offered.job("expire")
    head = offered.pull["head"]["sha"]
    status = offered.ask("GET", f"/commits/{head}/statuses")[0]
    assert (status["context"], status["state"]) == ("required", "failure")
    assert re.fullmatch(
        r"Evidence expired, compared again \([0-9a-f]{8}\): the gates changed since", status["description"]
    )
    assert offered.writes == [COMPARE, STATUS]
    digest = offered.record(BRANCH)["digest"]
    assert offered.dispatched == [{"version": "1", "digest": digest, "environment": "production", "force": "false"}]
    offered.forget()
    assert "Nothing to do" in offered.job("expire")
    assert offered.writes == []


CHANGES = {
    "data": ("data/breast_cancer.csv", "17.99", "17.98", "the data"),
    "code": (FEATURES, "COLUMNS = [", "COLUMNS = [  # chosen", "your package"),
    "split": ("model.toml", "holdout = 0.3", "holdout = 0.4", "the split"),
    "training": ("model.toml", "seed = 0", "seed = 1", "the training tables"),
    "lock": ("requirements/train.txt", "#", "# more\n#", "the lock"),
}


@pytest.mark.parametrize(("path", "old", "new", "what"), CHANGES.values(), ids=CHANGES)
def test_whatever_the_evidence_rests_on_is_named(offered: Desk, path: str, old: str, new: str, what: str) -> None:
    """The sentence says where to look."""
    offered.push(path, old, new)
    assert f"has expired: {what} changed." in offered.job("expire")


def test_words_and_places_expire_nothing(offered: Desk) -> None:
    """A docs push, another port, another owner: the reviewer reads on."""
    offered.push("README.md", "git push", "git  push")
    offered.push("model.toml", "port = 8080", "port = 8081")
    offered.push("model.toml", 'owner = ""', 'owner = "Ada"')
    assert "Nothing to do" in offered.job("expire")
    assert offered.writes == []


def test_compared_again_it_is_refreshed_and_checked_anew(offered: Desk) -> None:
    """The same pull request and version, with evidence that holds; then nothing more."""
    before = offered.pull
    offered.push(*GATE)
    offered.job("expire")
    assert "Refreshed" in offered.promote(offered.compare_again("again", "1"))
    now = offered.pull
    assert (now["number"], now["title"]) == (before["number"], before["title"])
    assert now["head"]["sha"] != before["head"]["sha"]
    assert now["body"] != before["body"]
    assert offered.statuses(now["head"]["sha"]) == [("required", "pending")]
    offered.forget()
    assert "Nothing to do" in offered.promote(str(offered.clone.parent / "again"))
    assert "Nothing to do" in offered.job("expire")
    assert offered.writes == []


@pytest.mark.faults
def test_a_refresh_of_evidence_that_is_cut_off_is_finished(offered: Desk) -> None:
    """The branch has the new evidence, the text does not speak of it yet."""
    offered.push(*GATE)
    again = offered.compare_again("again", "1")
    before = offered.pull
    offered.hub.faults.add(method="PATCH", path=r"/pulls/\d+$", kind="502", times=9)
    offered.promote(again, code=8)
    offered.hub.faults.clear()
    assert offered.pull["body"] == before["body"]
    assert "Refreshed" in offered.promote(again)
    assert offered.pull["body"] != before["body"]


def test_an_approval_does_not_outlive_its_evidence(offered: Desk) -> None:
    """The approved pull request is closed, and the same version comes in another."""
    first = offered.pull
    offered.ask("POST", f"/pulls/{first['number']}/reviews", event="APPROVE")
    offered.push(*GATE)
    offered.promote(offered.compare_again("again", "1"))
    closed, opened = offered.pulls
    assert (closed["state"], opened["state"]) == ("closed", "open")
    assert closed["title"] == opened["title"]
    assert "compared again, for the gates changed" in offered.comments(first["number"])[0]


def test_where_main_is_again_what_it_was_ci_decides_anew(offered: Desk) -> None:
    """The gate was put back: the evidence holds, and red would be a lie."""
    offered.push(*GATE)
    offered.job("expire")
    offered.push(*BACK)
    assert "holds again" in offered.job("expire")
    assert offered.writes == [DISPATCH, STATUS]
    assert offered.statuses(offered.pull["head"]["sha"])[0] == ("required", "pending")
    offered.forget()
    offered.job("expire")
    assert offered.writes == []


def test_another_change_has_it_compared_once_more(offered: Desk) -> None:
    """Each state of main is asked about once."""
    offered.push(*GATE)
    offered.job("expire")
    offered.push("model.toml", "margin = 0.2", "margin = 0.3")
    offered.job("expire")
    assert len(offered.dispatched) == 2


def test_success_of_ci_does_not_hide_what_has_expired(offered: Desk) -> None:
    """Main moved while CI was at work; whoever comes first, the proposal is red and compared again once."""
    offered.push(*GATE)
    head = offered.pull["head"]["sha"]
    run(offered.clone, "git", "fetch", "--quiet", "origin", BRANCH)
    run(offered.clone, "git", "switch", "--quiet", "--detach", head)
    env = {**offered.environment(offered.hub.issue_token(GRANTS)), "GITHUB_EVENT_NAME": "workflow_dispatch"}
    concluded = offered.driver.must(offered.clone, "conclude", "--results", "code=success data=success", env=env)
    assert "the gates changed since" in concluded.out
    assert offered.statuses(head)[0] == ("required", "failure")
    offered.job("expire")
    run(offered.clone, "git", "switch", "--quiet", "--detach", head)
    offered.driver.must(offered.clone, "conclude", "--results", "code=success data=success", env=env)
    offered.job("expire")
    assert offered.statuses(head)[0] == ("required", "failure")
    assert len(offered.dispatched) == 1


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502", "422"])
@pytest.mark.parametrize("path", [r"/statuses/", r"train.yml/dispatches$"])
def test_an_expiry_that_is_cut_off_is_made_good(offered: Desk, path: str, kind: Kind) -> None:
    """Asked at least once, and red in the end."""
    offered.push(*GATE)
    offered.hub.faults.add(method="POST", path=path, kind=kind)
    offered.driver.run(offered.clone, "expire", env=offered.environment(offered.hub.issue_token(GRANTS)))
    offered.job("expire")
    assert offered.statuses(offered.pull["head"]["sha"])[0] == ("required", "failure")
    assert offered.dispatched


def test_a_comparison_on_earlier_gates_is_made_again(desk: Desk) -> None:
    """Somebody pushed between compare and promote."""
    desk.push(*GATE)
    assert "the gates changed since" in desk.promote("1")
    assert desk.writes[0] == COMPARE
    assert desk.pulls == []


def test_where_the_setting_forbids_pull_requests_an_issue_says_which(desk: Desk) -> None:
    """Exit code 12; the branch is kept; one issue, not two; the next run recovers and closes it."""
    setattr(desk.hub.settings, PULLS_ALLOWED, False)
    told = desk.promote("1", code=12)
    assert "Allow GitHub Actions to create and approve pull requests" in told
    desk.promote("1", code=12)
    (issue,) = desk.ask("GET", "/issues?state=open")
    assert f"compare/main...{BRANCH}" in issue["body"]
    assert "Allow GitHub Actions to create and approve pull requests" in issue["body"]
    tip = desk.git("rev-parse", BRANCH)
    setattr(desk.hub.settings, PULLS_ALLOWED, True)
    desk.promote("1")
    assert desk.pull["head"]["sha"] == tip
    assert desk.ask("GET", f"/issues/{issue['number']}")["state"] == "closed"


@pytest.mark.parametrize("grant", GRANTS)
def test_without_a_grant_it_says_which(desk: Desk, grant: str) -> None:
    """Each grant of the job is needed, and its absence is named."""
    del desk.grants[grant]
    if grant == "issues":
        setattr(desk.hub.settings, PULLS_ALLOWED, False)
    told = desk.promote("1", code=8)
    assert grant.replace("_", "-") in told


@pytest.mark.faults
def test_ci_is_asked_again_where_the_answer_was_lost(desk: Desk) -> None:
    """The status is pending and no run exists: the next run dispatches it."""
    desk.hub.faults.add(method="POST", path=r"/dispatches$", kind="404")
    desk.promote("1", code=8)
    desk.forget()
    desk.promote("1")
    assert DISPATCH in desk.writes
    assert ("POST", "/pulls") not in desk.writes


def test_another_comparison_than_the_named_one_is_refused(desk: Desk) -> None:
    """The digest came as a job's output; the file did not."""
    done = desk.driver.run(
        desk.clone, "promote", "--comparison", str(desk.comparisons / "1"), "--comparison-digest", "sha256:" + "0" * 64,
        env=desk.environment(desk.hub.issue_token(GRANTS)),
    )  # fmt: skip
    assert done.code == 11
    assert desk.writes == []


READS: tuple[Kind, ...] = ("401", "403-integration", "404")
AGAIN: tuple[Kind, ...] = ("429", "403-secondary", "502", "slow")


@pytest.mark.faults
@pytest.mark.parametrize("kind", AGAIN)
def test_a_read_that_fails_on_the_way_is_tried_again(desk: Desk, kind: Kind) -> None:
    """Limits, bad gateways and slow answers pass."""
    desk.hub.faults.add(method="GET", path=r"/pulls$", kind=kind)
    desk.promote("1")
    assert "version 1" in desk.pull["title"]


@pytest.mark.faults
@pytest.mark.parametrize("kind", READS)
def test_a_read_that_is_refused_stops_with_a_sentence(desk: Desk, kind: Kind) -> None:
    """Exit code 8, nothing written, no traceback."""
    desk.hub.faults.add(method="GET", path=r"/pulls$", kind=kind, times=20)
    told = desk.promote("1", code=8)
    assert "Traceback" not in told
    desk.hub.faults.clear()
    assert desk.pulls == []


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502", "429", "403-secondary", "slow"])
@pytest.mark.parametrize("path", [r"/pulls$", r"/statuses/", r"/dispatches$", r"/labels$"])
def test_a_write_without_a_clear_answer_is_not_done_twice(desk: Desk, path: str, kind: Kind) -> None:
    """The state is read again before anything is decided: one pull request, whatever the answer was."""
    desk.hub.faults.add(method="POST", path=path, kind=kind)
    desk.promote("1")
    assert len(desk.pulls) == 1
    assert ("required", "pending") in desk.statuses(desk.pull["head"]["sha"])
    assert DISPATCH in desk.writes


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["401", "403-integration", "404", "409", "422"])
@pytest.mark.parametrize("path", [r"/pulls$", r"/statuses/", r"/dispatches$"])
def test_a_refused_write_stops_and_the_next_run_goes_on(desk: Desk, path: str, kind: Kind) -> None:
    """Exit code 8 with GitHub's words; run again, it ends as if nothing had happened."""
    desk.hub.faults.add(method="POST", path=path, kind=kind)
    assert "GitHub: " in desk.promote("1", code=8)
    desk.promote("1")
    assert len(desk.pulls) == 1
    assert ("required", "pending") in desk.statuses(desk.pull["head"]["sha"])


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502"])
def test_a_refresh_that_is_cut_off_is_finished_by_the_next_run(offered: Desk, kind: Kind) -> None:
    """The branch moved, the title did not: title, body, comment and CI follow, each once."""
    offered.hub.faults.add(method="PATCH", path=r"/pulls/\d+$", kind=kind, times=9)
    env = offered.environment(offered.hub.issue_token(GRANTS))
    offered.driver.run(offered.clone, "promote", "--comparison", str(offered.comparisons / "2-over-1"), env=env)
    offered.hub.faults.clear()
    offered.promote("2")
    assert "version 2" in offered.pull["title"]
    assert len(offered.comments(offered.pull["number"])) == 1


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502", "403-integration"])
def test_a_push_that_is_cut_off_is_made_up_for(desk: Desk, kind: Kind) -> None:
    """What arrived is found; what did not is sent again."""
    desk.hub.faults.add(method="POST", path=r"git-receive-pack$", kind=kind)
    env = desk.environment(desk.hub.issue_token(GRANTS))
    desk.driver.run(desk.clone, "promote", "--comparison", str(desk.comparisons / "1"), env=env)
    desk.promote("1")
    assert len(desk.pulls) == 1
    assert desk.record(BRANCH)["version"] == "1"


@pytest.mark.faults
def test_somebody_pushes_at_the_same_moment(desk: Desk) -> None:
    """A branch that appeared in between is looked at again, and nothing of it is overwritten."""
    desk.promote("2")
    desk.close(desk.pull["number"])
    tip = desk.git("rev-parse", BRANCH)
    run(desk.clone, "git", "fetch", "--quiet", "--prune", desk.hub.remote, "+refs/heads/*:refs/remotes/origin/*")
    desk.promote("1")
    assert desk.git("rev-parse", BRANCH) != tip
    assert desk.record(BRANCH)["version"] == "1"


def test_gitops_says_what_was_done_in_the_summary(desk: Desk) -> None:
    """The run's page links the pull request."""
    desk.promote("1")
    assert desk.pull["html_url"] in (desk.clone.parent / "summary.md").read_text()
