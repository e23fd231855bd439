"""The local GitHub's pull requests, and the rules that protect a branch, are GitHub's."""

from typing import Any

import pytest
import requests

from server_world import ServerWorld, create_seed, errors, open_world

seed = pytest.fixture(scope="module")(create_seed)
world = pytest.fixture(open_world)


PULL_RULE = {
    "type": "pull_request",
    "parameters": {
        "dismiss_stale_reviews_on_push": False,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_approving_review_count": 0,
        "required_review_thread_resolution": False,
    },
}
CHECK_RULE = {
    "type": "required_status_checks",
    "parameters": {"strict_required_status_checks_policy": False, "required_status_checks": [{"context": "required"}]},
}


# Pull requests


def test_a_pull_request_is_merged_for_real(world: ServerWorld) -> None:
    """The test merge is in refs/pull/N/merge, the merge in main; events for the push and the close are sent."""
    sha = world.branch("topic")
    world.pull()
    event = world.events[-1]
    assert (event.ref, event.head) == ("refs/pull/1/merge", ("topic", sha))
    assert world.hub.git.commit(event.sha).parents == (world.hub.git.branch("main"), sha)
    world.events.clear()
    assert world.request("PUT", "/pulls/1/merge").json()["merged"] is True
    assert world.event_names() == ["pull_request closed", "push"]
    assert world.events[0].payload["pull_request"]["merged"] is True
    main = world.hub.git.branch("main")
    assert (world.events[0].ref, world.events[0].sha, world.events[1].sha) == ("refs/heads/main", main, main)
    assert world.hub.git.read_text("main", "model.txt") == "new"
    document = world.request("GET", "/pulls/1").json()
    assert (document["state"], document["merged"], document["merged_by"]["login"]) == ("closed", True, "ada")


@pytest.mark.parametrize(("method", "parents", "title"), [
    ("merge", 2, "Merge pull request #1 from ada/topic"), ("squash", 1, "T (#1)"), ("rebase", 1, "Write model.txt"),
])  # fmt: skip
def test_there_are_three_ways_to_merge(world: ServerWorld, method: str, parents: int, title: str) -> None:
    """Each makes the commit that GitHub would make."""
    world.branch("topic")
    world.commit("other.txt", "x\n")
    world.push("main")
    world.branch("topic")
    world.pull()
    sha = world.request("PUT", "/pulls/1/merge", merge_method=method).json()["sha"]
    commit = world.hub.git.commit(sha)
    assert (len(commit.parents), commit.message.splitlines()[0]) == (parents, title)


def test_a_pull_request_follows_its_branch_until_it_is_closed(world: ServerWorld) -> None:
    """The head is the branch's while it is open, and stays once it is not."""
    first = world.branch("topic")
    assert world.pull()["head"]["sha"] == first
    world.commit("model.txt", "newer\n")
    world.push("topic")
    second = world.git("rev-parse", "HEAD").strip()
    assert world.event_names()[-1] == "pull_request synchronize"
    assert world.request("GET", "/pulls/1").json()["head"]["sha"] == second
    world.request("PATCH", "/pulls/1", state="closed")
    world.branch("topic", text="third\n")
    assert world.request("GET", "/pulls/1").json()["head"]["sha"] == second
    assert world.event_names().count("pull_request synchronize") == 1


def test_a_conflict_is_not_merged(world: ServerWorld) -> None:
    """A pull request that conflicts is not mergeable and starts nothing."""
    world.branch("topic", text="one\n")
    world.branch("main", text="two\n")
    document = world.pull()
    assert (document["mergeable"], document["mergeable_state"]) == (False, "dirty")
    assert world.event_names() == ["push", "push"]
    response = world.request("PUT", "/pulls/1/merge")
    assert (response.status_code, response.json()["message"]) == (405, "Pull Request is not mergeable")


def test_a_merge_closes_the_issues_that_the_pull_request_names(world: ServerWorld) -> None:
    """By GitHub's keywords, in any case; a mention is none, and a pull request that is not merged closes nothing."""
    for title in ("one", "two", "three"):
        world.request("POST", "/issues", title=title)
    world.branch("topic")
    number = world.pull(body="Closes #1. It resolves: #2, see #3.")["number"]
    world.request("PATCH", f"/pulls/{number}", state="closed")
    assert world.request("GET", "/issues/1").json()["state"] == "open"
    world.request("PATCH", f"/pulls/{number}", state="open")
    assert world.request("PUT", f"/pulls/{number}/merge").json()["merged"] is True
    assert [world.request("GET", f"/issues/{each}").json()["state"] for each in (1, 2, 3)] == [
        "closed", "closed", "open",
    ]  # fmt: skip


def test_a_merge_by_hand_is_noticed(world: ServerWorld) -> None:
    """A local merge that is pushed to main marks the pull request as merged."""
    world.branch("topic")
    world.pull()
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    world.push("main")
    assert world.request("GET", "/pulls/1").json()["merged"] is True
    assert world.request("GET", "/pulls/1/merge").status_code == 204


def test_deleting_the_branch_closes_the_pull_request(world: ServerWorld) -> None:
    """It cannot be reopened without the branch."""
    world.branch("topic")
    world.pull()
    assert world.request("GET", "/pulls/1/merge").status_code == 404
    world.push(":topic")
    assert world.request("GET", "/pulls/1").json()["state"] == "closed"
    message = errors(world.request("PATCH", "/pulls/1", state="open"))
    assert message == ["state cannot be changed. The topic branch has been deleted."]


def test_a_setting_deletes_the_branch_after_the_merge(world: ServerWorld) -> None:
    """A setting of the repository."""
    assert world.request("PATCH", "", delete_branch_on_merge=True).json()["delete_branch_on_merge"] is True
    world.branch("topic")
    world.pull()
    world.request("PUT", "/pulls/1/merge")
    assert world.hub.git.branch("topic") is None


def test_a_merged_pull_request_is_not_merged_again(world: ServerWorld) -> None:
    """405 the second time; 409 for another commit than the caller saw; nothing is reopened."""
    world.branch("topic")
    world.pull()
    assert world.request("PUT", "/pulls/1/merge", sha="a" * 40).status_code == 409
    assert world.request("PUT", "/pulls/1/merge", sha=world.hub.git.branch("topic")).status_code == 200
    assert world.request("PUT", "/pulls/1/merge").status_code == 405
    assert errors(world.request("PATCH", "/pulls/1", state="open")) == [
        "state cannot be changed. The pull request cannot be reopened."
    ]


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "no such head": ({"head": "nowhere"}, "head invalid"),
    "another user's head": ({"head": "grace:topic"}, "head invalid"),
    "no such base": ({"base": "nowhere"}, "base invalid"),
    "nothing to merge": ({"head": "main"}, "No commits between main and main"),
    "no title": ({"title": " "}, "title missing_field"),
    "a long title": ({"title": "x" * 257}, "title is too long (maximum is 256 characters)"),
    "a long body": ({"body": "x" * 65_537}, "body is too long (maximum is 65536 characters)"),
}


@pytest.mark.parametrize("named", REFUSED)
def test_a_wrong_pull_request_is_refused(world: ServerWorld, named: str) -> None:
    """The error has GitHub's format and message."""
    change, sentence = REFUSED[named]
    world.branch("topic")
    assert errors(world.request("POST", "/pulls", **{"title": "T", "head": "topic", "base": "main", **change})) == [
        sentence
    ]
    assert world.hub.state.pulls == {}


def test_there_is_one_pull_request_per_branch(world: ServerWorld) -> None:
    """The second is refused; after the first is closed there may be another."""
    world.branch("topic")
    world.pull("ada:topic")
    body = {"title": "T", "head": "topic", "base": "main"}
    assert errors(world.request("POST", "/pulls", **body)) == ["A pull request already exists for ada:topic."]
    world.request("PATCH", "/pulls/1", state="closed")
    assert world.pull()["number"] == 2
    message = errors(world.request("PATCH", "/pulls/1", state="open"))
    assert message == ["state cannot be changed. There is already an open pull request from topic to main."]


def test_a_job_opens_no_pull_request_unless_the_owner_allows_it(world: ServerWorld) -> None:
    """The setting is off in a new repository; an App does not mind it."""
    grants = {"pull_requests": "write"}
    job, app = world.hub.issue_token(grants), world.hub.issue_token(grants, "app", "shipper[bot]")  # type: ignore[arg-type]
    world.branch("topic")
    body = {"title": "T", "head": "topic", "base": "main"}
    response = world.request("POST", "/pulls", job, **body)
    sentence = "GitHub Actions is not permitted to create or approve pull requests."
    assert (response.status_code, response.json()["message"]) == (403, sentence)
    assert (
        world.request("PUT", "/actions/permissions/workflow", can_approve_pull_request_reviews=True).status_code == 204
    )
    assert world.request("GET", "/actions/permissions/workflow").json()["can_approve_pull_request_reviews"] is True
    assert world.request("POST", "/pulls", job, **body).status_code == 201
    world.request("PATCH", "/pulls/1", state="closed")
    world.hub.settings.actions_may_open_pull_requests = False
    assert world.request("POST", "/pulls", app, **body).status_code == 201


def test_pull_requests_are_listed_by_state_head_and_base(world: ServerWorld) -> None:
    """A head without its owner is ignored, as GitHub ignores it."""
    for name in ("one", "two"):
        world.branch(name)
        world.pull(name)
    world.request("PATCH", "/pulls/1", state="closed")

    def listed(query: str) -> list[int]:
        return [pull["number"] for pull in world.request("GET", f"/pulls?{query}").json()]

    assert listed("") == [2]
    assert listed("state=all") == [2, 1]
    assert listed("state=all&direction=asc") == [1, 2]
    assert listed("state=all&head=ada:one") == [1]
    assert listed("state=all&head=one") == [2, 1]
    assert listed("state=all&base=other") == []


def test_long_lists_come_in_pages(world: ServerWorld) -> None:
    """The response has links to the next, last, previous and first page."""
    for number in range(5):
        world.request("POST", "/labels", name=f"label {number}")
    response = world.request("GET", "/labels?per_page=2&page=2")
    assert [label["name"] for label in response.json()] == ["label 2", "label 3"]
    assert {name: link["url"].rpartition("page=")[2] for name, link in response.links.items()} == {
        "prev": "1", "first": "1", "next": "3", "last": "3",
    }  # fmt: skip
    assert [label["name"] for label in requests.get(response.links["next"]["url"], timeout=9).json()] == ["label 4"]


def test_a_pull_request_is_counted(world: ServerWorld) -> None:
    """Commits, files and lines, as Git has them."""
    world.branch("topic", text="a\nb\n")
    document = world.pull()
    assert [document[name] for name in ("commits", "changed_files", "additions", "deletions")] == [1, 1, 2, 1]


def test_an_update_is_logged_even_if_it_changes_nothing(world: ServerWorld) -> None:
    """All writes are logged, but only a change sends an event."""
    world.branch("topic")
    world.pull(body="b")
    world.events.clear()
    assert world.request("PATCH", "/pulls/1", title="T", body="b").status_code == 200
    assert world.events == []
    assert world.hub.requests[-1][:4] == ("PATCH", "/api/v3/repos/ada/tumour-screening/pulls/1", 200, "ada")
    assert world.hub.requests[-1].body == {"title": "T", "body": "b"}
    assert world.request("PATCH", "/pulls/1", body="c").json()["body"] == "c"
    assert world.event_names() == ["pull_request edited"]
    assert errors(world.request("PATCH", "/pulls/1", body="x" * 65_537)) == [
        "body is too long (maximum is 65536 characters)"
    ]


def test_authors_cannot_approve_their_own_pull_requests(world: ServerWorld) -> None:
    """Another user may; a job may not while the setting forbids it."""
    world.branch("topic")
    world.pull()
    own = world.request("POST", "/pulls/1/reviews", event="APPROVE")
    assert (own.status_code, own.json()["errors"]) == (422, ["Can not approve your own pull request"])
    job = world.hub.issue_token({"pull_requests": "write"})
    assert world.request("POST", "/pulls/1/reviews", job, event="APPROVE").status_code == 403
    grace = world.hub.issue_token({"pull_requests": "write"}, "person", "grace")
    assert world.request("POST", "/pulls/1/reviews", grace, event="APPROVE").json()["state"] == "APPROVED"
    assert world.request("POST", "/pulls/1/reviews", grace, event="REQUEST_CHANGES").status_code == 422
    assert [review["user"]["login"] for review in world.request("GET", "/pulls/1/reviews").json()] == ["grace"]


# Rules


def test_a_rule_forbids_direct_pushes_to_main(world: ServerWorld) -> None:
    """The whole push is refused with GitHub's message; a merge is accepted."""
    world.add_ruleset(PULL_RULE)
    world.commit("model.txt", "new\n")
    message = world.push("main", code=1)
    assert "GH013: Repository rule violations found for refs/heads/main." in message
    assert "Changes must be made through a pull request." in message
    world.push("main:topic")
    world.pull()
    assert world.request("PUT", "/pulls/1/merge").status_code == 200


def test_bypass_actors_bypass_a_rule(world: ServerWorld) -> None:
    """Listed by role; a job is not the owner."""
    world.add_ruleset(
        PULL_RULE, bypass_actors=[{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]
    )
    world.commit("model.txt", "new\n")
    assert "GH013" in world.push("main", world.hub.issue_token({"contents": "write"}), code=1)
    world.push("main")


def test_rules_forbid_forced_pushes_and_deletion_of_main(world: ServerWorld) -> None:
    """Other branches are."""
    world.add_ruleset({"type": "non_fast_forward"}, {"type": "deletion"})
    world.commit("model.txt", "new\n")
    world.push("main")
    assert "Cannot force-push to this branch" in world.push("+main~1:main", code=1)
    assert "Cannot delete this branch" in world.push(":main", code=1)
    world.push("main:topic")
    world.push(":topic")


@pytest.mark.parametrize("kind", ["status", "check"])
def test_a_merge_waits_for_required_checks(world: ServerWorld, kind: str) -> None:
    """A commit status satisfies them, and so does a run's job."""
    world.add_ruleset(CHECK_RULE)
    sha = world.branch("topic")
    world.pull()
    assert world.request("GET", "/pulls/1").json()["mergeable_state"] == "blocked"
    response = world.request("PUT", "/pulls/1/merge")
    sentence = 'Repository rule violations found\n\nRequired status check "required" is expected.'
    assert (response.status_code, response.json()["message"]) == (405, sentence)
    if kind == "status":
        world.request("POST", f"/statuses/{sha}", state="success", context="required")
    else:
        world.add_run(1, sha)
    assert world.request("PUT", "/pulls/1/merge").status_code == 200


def test_a_check_and_a_status_of_one_name_must_both_pass(world: ServerWorld) -> None:
    """A failed status blocks the merge although the job of that name succeeded: GitHub requires both."""
    world.add_ruleset(CHECK_RULE)
    sha = world.branch("topic")
    world.pull()
    world.add_run(1, sha)
    world.request("POST", f"/statuses/{sha}", state="failure", context="required")
    assert world.request("PUT", "/pulls/1/merge").status_code == 405
    world.request("POST", f"/statuses/{sha}", state="success", context="required")
    assert world.request("PUT", "/pulls/1/merge").status_code == 200


def test_a_merge_waits_for_an_approval(world: ServerWorld) -> None:
    """The ruleset's number of approvals is required, and no open request for changes."""
    world.add_ruleset({**PULL_RULE, "parameters": {**PULL_RULE["parameters"], "required_approving_review_count": 1}})  # type: ignore[dict-item]
    world.branch("topic")
    world.pull()
    assert world.request("PUT", "/pulls/1/merge").status_code == 405
    grace = world.hub.issue_token({"pull_requests": "write"}, "person", "grace")
    world.request("POST", "/pulls/1/reviews", grace, event="REQUEST_CHANGES", body="no")
    assert "Changes have been requested." in world.request("PUT", "/pulls/1/merge").json()["message"]
    world.request("POST", "/pulls/1/reviews", grace, event="APPROVE")
    assert world.request("PUT", "/pulls/1/merge").status_code == 200


def test_rulesets_are_read_and_changed(world: ServerWorld) -> None:
    """A disabled ruleset has no effect; names are unique; a private repository on a free plan has no rulesets."""
    made = world.add_ruleset(PULL_RULE)
    assert [rule["type"] for rule in world.request("GET", "/rules/branches/main").json()] == ["pull_request"]
    assert [ruleset["name"] for ruleset in world.request("GET", "/rulesets").json()] == ["main"]
    body = {"name": "main", "enforcement": "active"}
    assert errors(world.request("POST", "/rulesets", **body)) == ["Name must be unique"]
    assert world.request("PUT", f"/rulesets/{made['id']}", enforcement="disabled").status_code == 200
    assert world.request("GET", f"/rulesets/{made['id']}").json()["enforcement"] == "disabled"
    assert world.request("GET", "/rules/branches/main").json() == []
    world.commit("model.txt", "new\n")
    world.push("main")
    assert world.request("GET", "/rulesets/1").status_code == 404
    world.hub.settings.private = True
    assert world.request("POST", "/rulesets", **body).status_code == 403


def test_a_private_free_repository_has_no_reviewers(world: ServerWorld) -> None:
    """The environment itself can be created."""
    body: dict[str, Any] = {"reviewers": [{"type": "User", "id": world.request("GET", "//user").json()["id"]}]}
    assert world.request("PUT", "/environments/production", **body).status_code == 200
    rules = world.request("GET", "/environments/production").json()["protection_rules"]
    assert [rule["type"] for rule in rules] == ["required_reviewers"]
    world.hub.settings.private = True
    response = world.request("PUT", "/environments/production", **body)
    assert (response.status_code, "billing plan" in response.json()["message"]) == (422, True)
    assert world.request("PUT", "/environments/trial").status_code == 200
    assert world.request("GET", "/environments").json()["total_count"] == 2
    assert world.request("GET", "/environments/none").status_code == 404
