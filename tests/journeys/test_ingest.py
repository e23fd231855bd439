"""`gitops ingest` against the local GitHub: one data pull request, whatever happens on the way to it."""

import re

import pytest

from arrivals import BRANCH, DATA, GRANTS, Arrivals
from desk import PULLS_ALLOWED, Desk
from github.faults import Kind
from house import run

DISPATCH = ("POST", "/actions/workflows/ci.yml/dispatches")
AGAIN = ("POST", "/actions/workflows/ingest.yml/dispatches")
STATUS = ("POST", "/statuses/SHA")


@pytest.fixture
def source(desk: Desk) -> Arrivals:
    """A source with sixty new rows, checked."""
    made = Arrivals(desk)
    made.arrive(60)
    made.check()
    desk.forget()
    return made


@pytest.fixture
def offered(source: Arrivals) -> Arrivals:
    """The same, offered."""
    source.offer()
    source.desk.forget()
    return source


def only_adds(desk: Desk, rows: int) -> bool:
    """Whether the branch adds so many lines to the data, and does nothing else."""
    return desk.git("diff", "--numstat", f"main...{BRANCH}").split() == [str(rows), "0", DATA]


def test_new_rows_open_a_pull_request(source: Arrivals) -> None:
    """Branch, pull request, pending status, CI; in this order, each once; by a bot, cut from main."""
    desk = source.desk
    told = source.offer()
    pull = desk.pull
    assert re.fullmatch(rf"Add 60 rows to {DATA} \([0-9a-f]{{12}}\)", pull["title"])
    assert pull["html_url"] in told
    assert pull["user"]["type"] == "Bot"
    assert only_adds(desk, 60)
    assert desk.git("rev-parse", f"{BRANCH}^") == desk.git("rev-parse", "main")
    assert desk.statuses(desk.git("rev-parse", BRANCH)) == [("required", "pending")]
    writes = [write for write in desk.writes if "receive-pack" not in write[1]]
    assert writes == [("POST", "/pulls"), STATUS, DISPATCH]
    assert desk.dispatched == []
    for said in (
        "## 60 new rows for",
        "held out by the split",
        "benign",
        "How the new rows differ",
        "**Merge** to train",
    ):
        assert said in pull["body"]
    assert len(pull["body"]) < 60_000


def test_the_same_rows_are_not_touched(offered: Arrivals) -> None:
    """No push, no edit, no second run of CI; and none either where main moved by a docs push."""
    assert "Nothing to do" in offered.ingest()
    offered.desk.as_person("commit", "--quiet", "--allow-empty", "--message", "Words")
    offered.desk.as_person("push", "--quiet", "origin", "main")
    offered.desk.forget()
    assert "Nothing to do" in offered.ingest()
    assert offered.desk.writes == []


def test_more_rows_refresh_it_once(offered: Arrivals) -> None:
    """The same pull request, one comment, CI for the new head."""
    desk, before = offered.desk, offered.desk.pull
    offered.arrive(70)
    offered.ingest()
    assert "Nothing to do" in offered.ingest()
    now = desk.pull
    assert now["number"] == before["number"]
    assert now["title"].startswith("Add 70 rows to")
    assert only_adds(desk, 70)
    (comment,) = desk.comments(now["number"])
    assert "now offers 70 rows" in comment
    assert desk.statuses(now["head"]["sha"]) == [("required", "pending")]


def test_a_main_with_other_data_has_it_cut_anew(offered: Arrivals) -> None:
    """The branch is always one commit on top of a main with today's data."""
    desk = offered.desk
    desk.as_person("fetch", "--quiet")
    desk.as_person("reset", "--quiet", "--hard", "origin/main")
    file = desk.clone.with_name("person") / DATA
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    desk.as_person("commit", "--quiet", "--all", "--message", "One row was wrong")
    desk.as_person("push", "--quiet", "origin", "main")
    assert "Refreshed" in offered.ingest()
    assert only_adds(desk, 60)
    assert desk.git("rev-parse", f"{BRANCH}^") == desk.git("rev-parse", "main")


def test_merged_there_is_nothing_new(offered: Arrivals) -> None:
    """And the next rows come in a pull request of their own."""
    desk = offered.desk
    desk.merge(desk.pull["number"])
    assert "needs labels" in offered.ingest()
    offered.arrive(80)
    offered.ingest()
    assert desk.pull["title"].startswith("Add 20 rows to")
    assert only_adds(desk, 20)


def test_what_a_person_closed_is_not_offered_again(offered: Arrivals) -> None:
    """The very same rows, from whatever run; other rows are."""
    desk = offered.desk
    desk.close(desk.pull["number"])
    desk.forget()
    assert "a person closed" in offered.ingest()
    assert desk.writes == []
    offered.arrive(61)
    assert "Opened" in offered.ingest()


def test_commits_of_others_are_not_overwritten(offered: Arrivals) -> None:
    """It names them, and says how to go on; once the branch is gone, it comes again."""
    desk = offered.desk
    desk.as_person("fetch", "--quiet")
    desk.as_person("switch", "--quiet", "--detach", f"origin/{BRANCH}")
    desk.as_person("commit", "--quiet", "--allow-empty", "--message", "Mine")
    desk.as_person("push", "--quiet", "origin", f"HEAD:{BRANCH}")
    tip = desk.git("rev-parse", BRANCH)
    offered.arrive(61)
    assert "by Ada" in offered.ingest(code=8)
    assert desk.git("rev-parse", BRANCH) == tip
    desk.as_person("push", "--quiet", "origin", f":{BRANCH}")
    offered.ingest()
    assert desk.pull["title"].startswith("Add 61 rows")


def test_an_approval_is_for_what_was_read(offered: Arrivals) -> None:
    """The approved pull request is closed with a word, and the other rows come in another."""
    desk, first = offered.desk, offered.desk.pull
    desk.ask("POST", f"/pulls/{first['number']}/reviews", event="APPROVE")
    offered.arrive(61)
    offered.ingest()
    closed, opened = desk.pulls
    assert (closed["state"], opened["state"]) == ("closed", "open")
    assert "approved" in desk.comments(first["number"])[0]


def test_rows_that_were_checked_against_other_data_are_checked_again(source: Arrivals) -> None:
    """Somebody pushed data between check and offer: a new run is asked for, and nothing is offered."""
    desk = source.desk
    desk.push(DATA, "BC-0001,17.99", "BC-0001,17.98")
    assert "checked again" in source.offer()
    assert desk.writes == [AGAIN]
    assert desk.pulls == []


def test_where_the_setting_forbids_pull_requests_it_says_which(source: Arrivals) -> None:
    """Exit code 12; the branch is kept, and its address named; the next run recovers."""
    desk = source.desk
    setattr(desk.hub.settings, PULLS_ALLOWED, False)
    told = source.offer(code=12)
    assert f"compare/main...{BRANCH}" in told
    assert "Allow GitHub Actions to create and approve pull requests" in told
    setattr(desk.hub.settings, PULLS_ALLOWED, True)
    source.offer()
    assert len(desk.pulls) == 1


@pytest.mark.parametrize("grant", GRANTS)
def test_without_a_grant_it_says_which(source: Arrivals, grant: str) -> None:
    """Each grant of the job is needed, and its absence is named."""
    del source.grants[grant]
    assert grant.replace("_", "-") in source.offer(code=8)


@pytest.mark.faults
@pytest.mark.parametrize("kind", ["lost", "dropped", "502", "429"])
@pytest.mark.parametrize("path", [r"/pulls$", r"/statuses/", r"/dispatches$", r"git-receive-pack$"])
def test_a_write_without_a_clear_answer_is_not_done_twice(source: Arrivals, path: str, kind: Kind) -> None:
    """Run again, it ends in one pull request with CI on its way, whatever the answer was."""
    desk = source.desk
    desk.hub.faults.add(method="POST", path=path, kind=kind)
    token = desk.hub.issue_token(GRANTS)
    env = {**desk.environment(token), "GITOPS_STAGE": "offer", "GITOPS_DIGEST": source.digest}
    desk.driver.run(desk.clone, "ingest", env=env)
    source.offer()
    assert len(desk.pulls) == 1
    assert ("required", "pending") in desk.statuses(desk.pull["head"]["sha"])
    assert DISPATCH in desk.writes
    assert only_adds(desk, 60)


@pytest.mark.faults
def test_a_refresh_that_is_cut_off_is_finished(offered: Arrivals) -> None:
    """The branch moved, the title did not: title, body and comment follow, each once."""
    desk = offered.desk
    offered.arrive(61)
    offered.check()
    desk.hub.faults.add(method="PATCH", path=r"/pulls/\d+$", kind="502", times=9)
    offered.offer(code=8)
    desk.hub.faults.clear()
    offered.offer()
    assert desk.pull["title"].startswith("Add 61 rows")
    assert len(desk.comments(desk.pull["number"])) == 1


def test_a_person_proposes_on_their_own_branch_without_a_token(source: Arrivals) -> None:
    """Offline, all three steps in one; nothing is asked of GitHub."""
    desk = source.desk
    run(desk.clone, "git", "fetch", "--quiet", "origin", "main")
    run(desk.clone, "git", "switch", "--quiet", "--detach", "origin/main")
    told = desk.driver.must(desk.clone, "ingest").out
    assert f"Proposed: branch {BRANCH} adds 60 row(s)" in told
    assert run(desk.clone, "git", "diff", "--numstat", f"origin/main...{BRANCH}").split() == ["60", "0", DATA]
    assert desk.pulls == []
