"""`gitops ingest` against the local GitHub: one data pull request, whatever happens on the way to it."""

import re

import pytest

from github.faults import Kind
from hub_fixture import PULLS_ALLOWED, PreparedHub
from ingest_jobs import BRANCH, DATA, GRANTS, IngestJobs
from repositories import run

DISPATCH = ("POST", "/actions/workflows/ci.yml/dispatches")
AGAIN = ("POST", "/actions/workflows/ingest.yml/dispatches")
STATUS = ("POST", "/statuses/SHA")


@pytest.fixture
def source(prepared_hub: PreparedHub) -> IngestJobs:
    """A source with sixty new rows, checked."""
    made = IngestJobs(prepared_hub)
    made.set_rows(60)
    made.pull_and_check()
    prepared_hub.clear_requests()
    return made


@pytest.fixture
def offered(source: IngestJobs) -> IngestJobs:
    """The same, proposed."""
    source.propose()
    source.prepared_hub.clear_requests()
    return source


def only_adds(prepared_hub: PreparedHub, rows: int) -> bool:
    """Return whether the branch only adds this many lines to the data."""
    return prepared_hub.git("diff", "--numstat", f"main...{BRANCH}").split() == [str(rows), "0", DATA]


def test_new_rows_open_a_pull_request(source: IngestJobs) -> None:
    """Branch, pull request, pending status, CI; in this order, each once; by a bot, starting at main."""
    prepared_hub = source.prepared_hub
    output = source.propose()
    pull = prepared_hub.pull
    assert re.fullmatch(rf"Add 60 rows to {DATA} \([0-9a-f]{{12}}\)", pull["title"])
    assert pull["html_url"] in output
    assert pull["user"]["type"] == "Bot"
    assert only_adds(prepared_hub, 60)
    assert prepared_hub.git("rev-parse", f"{BRANCH}^") == prepared_hub.git("rev-parse", "main")
    assert prepared_hub.statuses(prepared_hub.git("rev-parse", BRANCH)) == [("required", "pending")]
    writes = [write for write in prepared_hub.writes if "receive-pack" not in write[1]]
    assert writes == [("POST", "/pulls"), STATUS, DISPATCH]
    assert prepared_hub.dispatched_inputs == []
    for text in (
        "## 60 new rows for",
        "held out by the split",
        "benign",
        "How the new rows differ",
        "**Merge** to add these rows: the push to main starts Train. It then trains on ",
    ):
        assert text in pull["body"]
    assert len(pull["body"]) < 60_000


def test_the_same_rows_are_not_touched(offered: IngestJobs) -> None:
    """No push, no edit, no second run of CI; also after a documentation push to main."""
    assert "Nothing to do" in offered.ingest()
    offered.prepared_hub.git_as_person("commit", "--quiet", "--allow-empty", "--message", "Words")
    offered.prepared_hub.git_as_person("push", "--quiet", "origin", "main")
    offered.prepared_hub.clear_requests()
    assert "Nothing to do" in offered.ingest()
    assert offered.prepared_hub.writes == []


def test_more_rows_refresh_it_once(offered: IngestJobs) -> None:
    """The same pull request, one comment, CI for the new head."""
    prepared_hub, before = offered.prepared_hub, offered.prepared_hub.pull
    offered.set_rows(70)
    offered.ingest()
    assert "Nothing to do" in offered.ingest()
    now = prepared_hub.pull
    assert now["number"] == before["number"]
    assert now["title"].startswith("Add 70 rows to")
    assert only_adds(prepared_hub, 70)
    (comment,) = prepared_hub.comments(now["number"])
    assert "now proposes 70 rows" in comment
    assert prepared_hub.statuses(now["head"]["sha"]) == [("required", "pending")]


def test_other_data_on_main_recreates_the_branch(offered: IngestJobs) -> None:
    """The branch is always one commit on top of a main with the present data."""
    prepared_hub = offered.prepared_hub
    prepared_hub.git_as_person("fetch", "--quiet")
    prepared_hub.git_as_person("reset", "--quiet", "--hard", "origin/main")
    file = prepared_hub.clone.with_name("person") / DATA
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    prepared_hub.git_as_person("commit", "--quiet", "--all", "--message", "One row was wrong")
    prepared_hub.git_as_person("push", "--quiet", "origin", "main")
    assert "Refreshed" in offered.ingest()
    assert only_adds(prepared_hub, 60)
    assert prepared_hub.git("rev-parse", f"{BRANCH}^") == prepared_hub.git("rev-parse", "main")


def test_after_the_merge_there_are_no_new_rows(offered: IngestJobs) -> None:
    """The next rows come in another pull request."""
    prepared_hub = offered.prepared_hub
    prepared_hub.merge(prepared_hub.pull["number"])
    assert "needs labels" in offered.ingest()
    offered.set_rows(80)
    offered.ingest()
    assert prepared_hub.pull["title"].startswith("Add 20 rows to")
    assert only_adds(prepared_hub, 20)


def test_a_closed_proposal_is_not_repeated(offered: IngestJobs) -> None:
    """The same rows are not proposed again by any run; other rows are."""
    prepared_hub = offered.prepared_hub
    prepared_hub.close(prepared_hub.pull["number"])
    prepared_hub.clear_requests()
    assert "a person closed" in offered.ingest()
    assert prepared_hub.writes == []
    offered.set_rows(61)
    assert "Opened" in offered.ingest()


def test_commits_of_others_are_not_overwritten(offered: IngestJobs) -> None:
    """The message names them and the next step; once the branch is deleted, it is created again."""
    prepared_hub = offered.prepared_hub
    prepared_hub.git_as_person("fetch", "--quiet")
    prepared_hub.git_as_person("switch", "--quiet", "--detach", f"origin/{BRANCH}")
    prepared_hub.git_as_person("commit", "--quiet", "--allow-empty", "--message", "Mine")
    prepared_hub.git_as_person("push", "--quiet", "origin", f"HEAD:{BRANCH}")
    tip = prepared_hub.git("rev-parse", BRANCH)
    offered.set_rows(61)
    assert "by Ada" in offered.ingest(code=8)
    assert prepared_hub.git("rev-parse", BRANCH) == tip
    prepared_hub.git_as_person("push", "--quiet", "origin", f":{BRANCH}")
    offered.ingest()
    assert prepared_hub.pull["title"].startswith("Add 61 rows")


def test_an_approved_pull_request_is_replaced(offered: IngestJobs) -> None:
    """The approved pull request is closed with a comment, and the new rows come in another one."""
    prepared_hub, first = offered.prepared_hub, offered.prepared_hub.pull
    prepared_hub.request("POST", f"/pulls/{first['number']}/reviews", event="APPROVE")
    offered.set_rows(61)
    offered.ingest()
    closed, opened = prepared_hub.pulls
    assert (closed["state"], opened["state"]) == ("closed", "open")
    assert "approved" in prepared_hub.comments(first["number"])[0]


def test_rows_that_were_checked_against_other_data_are_checked_again(source: IngestJobs) -> None:
    """Data was pushed between check and offer: a new run is dispatched, and no rows are proposed."""
    prepared_hub = source.prepared_hub
    prepared_hub.push(DATA, "BC-0001,17.99", "BC-0001,17.98")
    assert "fetches and checks the rows again" in source.propose()
    assert prepared_hub.writes == [AGAIN]
    assert prepared_hub.pulls == []


def test_where_the_setting_forbids_pull_requests_it_says_which(source: IngestJobs) -> None:
    """Exit code 12; the branch is kept, and its address printed; the next run recovers."""
    prepared_hub = source.prepared_hub
    setattr(prepared_hub.hub.settings, PULLS_ALLOWED, False)
    output = source.propose(code=12)
    assert f"compare/main...{BRANCH}" in output
    assert "Allow GitHub Actions to create and approve pull requests" in output
    setattr(prepared_hub.hub.settings, PULLS_ALLOWED, True)
    source.propose()
    assert len(prepared_hub.pulls) == 1


@pytest.mark.parametrize("grant", GRANTS)
def test_without_a_grant_it_says_which(source: IngestJobs, grant: str) -> None:
    """Each grant of the job is needed, and its absence is named."""
    del source.grants[grant]
    assert grant.replace("_", "-") in source.propose(code=8)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502", "429"])
@pytest.mark.parametrize("path", [r"/pulls$", r"/statuses/", r"/dispatches$", r"git-receive-pack$"])
def test_a_write_without_a_clear_answer_is_not_done_twice(source: IngestJobs, path: str, kind: Kind) -> None:
    """After a second run there is one pull request with pending CI, whatever the response was."""
    prepared_hub = source.prepared_hub
    prepared_hub.hub.faults.add(method="POST", path=path, kind=kind)
    token = prepared_hub.hub.issue_token(GRANTS)
    env = {**prepared_hub.environment(token), "GITOPS_STAGE": "offer", "GITOPS_DIGEST": source.digest}
    prepared_hub.worker.run(prepared_hub.clone, "ingest", env=env)
    source.propose()
    assert len(prepared_hub.pulls) == 1
    assert ("required", "pending") in prepared_hub.statuses(prepared_hub.pull["head"]["sha"])
    assert DISPATCH in prepared_hub.writes
    assert only_adds(prepared_hub, 60)


@pytest.mark.faults
def test_a_refresh_that_is_cut_off_is_finished(offered: IngestJobs) -> None:
    """The branch moved, the title did not: title, body and comment follow, each once."""
    prepared_hub = offered.prepared_hub
    offered.set_rows(61)
    offered.pull_and_check()
    prepared_hub.hub.faults.add(method="PATCH", path=r"/pulls/\d+$", kind="502", times=9)
    offered.propose(code=8)
    prepared_hub.hub.faults.clear()
    offered.propose()
    assert prepared_hub.pull["title"].startswith("Add 61 rows")
    assert len(prepared_hub.comments(prepared_hub.pull["number"])) == 1


def test_a_person_proposes_on_their_own_branch_without_a_token(source: IngestJobs) -> None:
    """All three steps run offline, without GitHub."""
    prepared_hub = source.prepared_hub
    run(prepared_hub.clone, "git", "fetch", "--quiet", "origin", "main")
    run(prepared_hub.clone, "git", "switch", "--quiet", "--detach", "origin/main")
    output = prepared_hub.worker.must(prepared_hub.clone, "ingest").out
    assert f"Proposed: branch {BRANCH} adds 60 row(s)" in output
    assert run(prepared_hub.clone, "git", "diff", "--numstat", f"origin/main...{BRANCH}").split() == ["60", "0", DATA]
    assert prepared_hub.pulls == []
