"""The local GitHub's pull requests, and the rules that protect a branch, are GitHub's."""

from typing import Any

import pytest
import requests

from local_world import World, enter, errors, plant

seed = pytest.fixture(scope="module")(plant)
world = pytest.fixture(enter)


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


def test_a_pull_request_is_merged_for_real(world: World) -> None:
    """Its merge commit is in refs/pull/N/merge before, in main after; a push and a close are heard."""
    sha = world.branch("topic")
    world.pull()
    event = world.heard[-1]
    assert (event.ref, event.head) == ("refs/pull/1/merge", ("topic", sha))
    assert world.hub.git.commit(event.sha).parents == (world.hub.git.branch("main"), sha)
    world.heard.clear()
    assert world.ask("PUT", "/pulls/1/merge").json()["merged"] is True
    assert world.names() == ["pull_request closed", "push"]
    assert world.heard[0].payload["pull_request"]["merged"] is True
    main = world.hub.git.branch("main")
    assert (world.heard[0].ref, world.heard[0].sha, world.heard[1].sha) == ("refs/heads/main", main, main)
    assert world.hub.git.text("main", "model.txt") == "new"
    found = world.ask("GET", "/pulls/1").json()
    assert (found["state"], found["merged"], found["merged_by"]["login"]) == ("closed", True, "ada")


@pytest.mark.parametrize(("method", "parents", "title"), [
    ("merge", 2, "Merge pull request #1 from ada/topic"), ("squash", 1, "T (#1)"), ("rebase", 1, "Write model.txt"),
])  # fmt: skip
def test_there_are_three_ways_to_merge(world: World, method: str, parents: int, title: str) -> None:
    """Each makes the commit that GitHub would make."""
    world.branch("topic")
    world.commit("other.txt", "x\n")
    world.push("main")
    world.branch("topic")
    world.pull()
    sha = world.ask("PUT", "/pulls/1/merge", merge_method=method).json()["sha"]
    commit = world.hub.git.commit(sha)
    assert (len(commit.parents), commit.message.splitlines()[0]) == (parents, title)


def test_a_pull_request_follows_its_branch_until_it_is_closed(world: World) -> None:
    """The head is the branch's while it is open, and stays once it is not."""
    first = world.branch("topic")
    assert world.pull()["head"]["sha"] == first
    world.commit("model.txt", "newer\n")
    world.push("topic")
    second = world.git("rev-parse", "HEAD").strip()
    assert world.names()[-1] == "pull_request synchronize"
    assert world.ask("GET", "/pulls/1").json()["head"]["sha"] == second
    world.ask("PATCH", "/pulls/1", state="closed")
    world.branch("topic", text="third\n")
    assert world.ask("GET", "/pulls/1").json()["head"]["sha"] == second
    assert world.names().count("pull_request synchronize") == 1


def test_a_conflict_is_not_merged(world: World) -> None:
    """A pull request that conflicts is not mergeable and starts nothing."""
    world.branch("topic", text="one\n")
    world.branch("main", text="two\n")
    found = world.pull()
    assert (found["mergeable"], found["mergeable_state"]) == (False, "dirty")
    assert world.names() == ["push", "push"]
    answer = world.ask("PUT", "/pulls/1/merge")
    assert (answer.status_code, answer.json()["message"]) == (405, "Pull Request is not mergeable")


def test_a_merge_by_hand_is_noticed(world: World) -> None:
    """Whoever merges locally and pushes main has merged the pull request."""
    world.branch("topic")
    world.pull()
    world.git("checkout", "--quiet", "main")
    world.git("merge", "--quiet", "--no-ff", "--no-edit", "topic")
    world.push("main")
    assert world.ask("GET", "/pulls/1").json()["merged"] is True
    assert world.ask("GET", "/pulls/1/merge").status_code == 204


def test_deleting_the_branch_closes_the_pull_request(world: World) -> None:
    """And it is not reopened without the branch."""
    world.branch("topic")
    world.pull()
    assert world.ask("GET", "/pulls/1/merge").status_code == 404
    world.push(":topic")
    assert world.ask("GET", "/pulls/1").json()["state"] == "closed"
    said = errors(world.ask("PATCH", "/pulls/1", state="open"))
    assert said == ["state cannot be changed. The topic branch has been deleted."]


def test_the_branch_is_deleted_after_the_merge_if_the_owner_wants_it(world: World) -> None:
    """A setting of the repository."""
    world.hub.settings.delete_branch_on_merge = True
    world.branch("topic")
    world.pull()
    world.ask("PUT", "/pulls/1/merge")
    assert world.hub.git.branch("topic") is None


def test_what_is_merged_is_not_merged_again(world: World) -> None:
    """405 the second time; 409 for another commit than the caller saw; nothing is reopened."""
    world.branch("topic")
    world.pull()
    assert world.ask("PUT", "/pulls/1/merge", sha="a" * 40).status_code == 409
    assert world.ask("PUT", "/pulls/1/merge", sha=world.hub.git.branch("topic")).status_code == 200
    assert world.ask("PUT", "/pulls/1/merge").status_code == 405
    assert errors(world.ask("PATCH", "/pulls/1", state="open")) == [
        "state cannot be changed. The pull request cannot be reopened."
    ]


REFUSED: dict[str, tuple[dict[str, str], str]] = {
    "no such head": ({"head": "nowhere"}, "head invalid"),
    "somebody else's head": ({"head": "grace:topic"}, "head invalid"),
    "no such base": ({"base": "nowhere"}, "base invalid"),
    "nothing to merge": ({"head": "main"}, "No commits between main and main"),
    "no title": ({"title": " "}, "title missing_field"),
    "a long title": ({"title": "x" * 257}, "title is too long (maximum is 256 characters)"),
    "a long body": ({"body": "x" * 65_537}, "body is too long (maximum is 65536 characters)"),
}


@pytest.mark.parametrize("named", REFUSED)
def test_a_wrong_pull_request_is_refused(world: World, named: str) -> None:
    """In GitHub's shape and words."""
    change, sentence = REFUSED[named]
    world.branch("topic")
    assert errors(world.ask("POST", "/pulls", **{"title": "T", "head": "topic", "base": "main", **change})) == [
        sentence
    ]
    assert world.hub.state.pulls == {}


def test_there_is_one_pull_request_per_branch(world: World) -> None:
    """The second is refused; after the first is closed there may be another."""
    world.branch("topic")
    world.pull("ada:topic")
    body = {"title": "T", "head": "topic", "base": "main"}
    assert errors(world.ask("POST", "/pulls", **body)) == ["A pull request already exists for ada:topic."]
    world.ask("PATCH", "/pulls/1", state="closed")
    assert world.pull()["number"] == 2
    said = errors(world.ask("PATCH", "/pulls/1", state="open"))
    assert said == ["state cannot be changed. There is already an open pull request from topic to main."]


def test_a_job_opens_no_pull_request_unless_the_owner_allows_it(world: World) -> None:
    """The setting is off in a new repository; an App does not mind it."""
    grants = {"pull_requests": "write"}
    job, app = world.hub.issue_token(grants), world.hub.issue_token(grants, "app", "shipper[bot]")  # type: ignore[arg-type]
    world.branch("topic")
    body = {"title": "T", "head": "topic", "base": "main"}
    answer = world.ask("POST", "/pulls", job, **body)
    sentence = "GitHub Actions is not permitted to create or approve pull requests."
    assert (answer.status_code, answer.json()["message"]) == (403, sentence)
    assert world.ask("PUT", "/actions/permissions/workflow", can_approve_pull_request_reviews=True).status_code == 204
    assert world.ask("GET", "/actions/permissions/workflow").json()["can_approve_pull_request_reviews"] is True
    assert world.ask("POST", "/pulls", job, **body).status_code == 201
    world.ask("PATCH", "/pulls/1", state="closed")
    world.hub.settings.actions_may_open_pull_requests = False
    assert world.ask("POST", "/pulls", app, **body).status_code == 201


def test_pull_requests_are_listed_by_state_head_and_base(world: World) -> None:
    """A head without its owner is ignored, as GitHub ignores it."""
    for name in ("one", "two"):
        world.branch(name)
        world.pull(name)
    world.ask("PATCH", "/pulls/1", state="closed")

    def listed(query: str) -> list[int]:
        return [pull["number"] for pull in world.ask("GET", f"/pulls?{query}").json()]

    assert listed("") == [2]
    assert listed("state=all") == [2, 1]
    assert listed("state=all&direction=asc") == [1, 2]
    assert listed("state=all&head=ada:one") == [1]
    assert listed("state=all&head=one") == [2, 1]
    assert listed("state=all&base=other") == []


def test_long_lists_come_in_pages(world: World) -> None:
    """With links to the next and the last, the previous and the first."""
    for number in range(5):
        world.ask("POST", "/labels", name=f"label {number}")
    answer = world.ask("GET", "/labels?per_page=2&page=2")
    assert [label["name"] for label in answer.json()] == ["label 2", "label 3"]
    assert {name: link["url"].rpartition("page=")[2] for name, link in answer.links.items()} == {
        "prev": "1", "first": "1", "next": "3", "last": "3",
    }  # fmt: skip
    assert [label["name"] for label in requests.get(answer.links["next"]["url"], timeout=9).json()] == ["label 4"]


def test_a_pull_request_is_counted(world: World) -> None:
    """Commits, files and lines, as Git has them."""
    world.branch("topic", text="a\nb\n")
    found = world.pull()
    assert [found[name] for name in ("commits", "changed_files", "additions", "deletions")] == [1, 1, 2, 1]


def test_an_update_is_logged_even_if_it_changes_nothing(world: World) -> None:
    """Tests count the writes; only a change is heard."""
    world.branch("topic")
    world.pull(body="b")
    world.heard.clear()
    assert world.ask("PATCH", "/pulls/1", title="T", body="b").status_code == 200
    assert world.heard == []
    assert world.hub.requests[-1][:4] == ("PATCH", "/api/v3/repos/ada/tumour-screening/pulls/1", 200, "ada")
    assert world.hub.requests[-1].body == {"title": "T", "body": "b"}
    assert world.ask("PATCH", "/pulls/1", body="c").json()["body"] == "c"
    assert world.names() == ["pull_request edited"]
    assert errors(world.ask("PATCH", "/pulls/1", body="x" * 65_537)) == [
        "body is too long (maximum is 65536 characters)"
    ]


def test_nobody_approves_his_own_work(world: World) -> None:
    """Another may; a job may not while the owner forbids it."""
    world.branch("topic")
    world.pull()
    own = world.ask("POST", "/pulls/1/reviews", event="APPROVE")
    assert (own.status_code, own.json()["errors"]) == (422, ["Can not approve your own pull request"])
    job = world.hub.issue_token({"pull_requests": "write"})
    assert world.ask("POST", "/pulls/1/reviews", job, event="APPROVE").status_code == 403
    grace = world.hub.issue_token({"pull_requests": "write"}, "person", "grace")
    assert world.ask("POST", "/pulls/1/reviews", grace, event="APPROVE").json()["state"] == "APPROVED"
    assert world.ask("POST", "/pulls/1/reviews", grace, event="REQUEST_CHANGES").status_code == 422
    assert [review["user"]["login"] for review in world.ask("GET", "/pulls/1/reviews").json()] == ["grace"]


# Rules


def test_main_takes_no_direct_push_where_rules_say_so(world: World) -> None:
    """The push is refused whole, in GitHub's words; a merge arrives."""
    world.rules(PULL_RULE)
    world.commit("model.txt", "new\n")
    said = world.push("main", code=1)
    assert "GH013: Repository rule violations found for refs/heads/main." in said
    assert "Changes must be made through a pull request." in said
    world.push("main:topic")
    world.pull()
    assert world.ask("PUT", "/pulls/1/merge").status_code == 200


def test_who_may_bypass_a_rule_bypasses_it(world: World) -> None:
    """Listed by role; a job is not the owner."""
    world.rules(PULL_RULE, bypass_actors=[{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}])
    world.commit("model.txt", "new\n")
    assert "GH013" in world.push("main", world.hub.issue_token({"contents": "write"}), code=1)
    world.push("main")


def test_main_is_neither_rewound_nor_deleted_where_rules_say_so(world: World) -> None:
    """Other branches are."""
    world.rules({"type": "non_fast_forward"}, {"type": "deletion"})
    world.commit("model.txt", "new\n")
    world.push("main")
    assert "Cannot force-push to this branch" in world.push("+main~1:main", code=1)
    assert "Cannot delete this branch" in world.push(":main", code=1)
    world.push("main:topic")
    world.push(":topic")


@pytest.mark.parametrize("how", ["status", "check"])
def test_a_merge_waits_for_required_checks(world: World, how: str) -> None:
    """A commit status satisfies them, and so does a run's job."""
    world.rules(CHECK_RULE)
    sha = world.branch("topic")
    world.pull()
    assert world.ask("GET", "/pulls/1").json()["mergeable_state"] == "blocked"
    answer = world.ask("PUT", "/pulls/1/merge")
    sentence = 'Repository rule violations found\n\nRequired status check "required" is expected.'
    assert (answer.status_code, answer.json()["message"]) == (405, sentence)
    if how == "status":
        world.ask("POST", f"/statuses/{sha}", state="success", context="required")
    else:
        world.ran(1, sha)
    assert world.ask("PUT", "/pulls/1/merge").status_code == 200


def test_a_check_and_a_status_of_one_name_must_both_pass(world: World) -> None:
    """Once a status is red, the green job of that name does not help: GitHub requires both."""
    world.rules(CHECK_RULE)
    sha = world.branch("topic")
    world.pull()
    world.ran(1, sha)
    world.ask("POST", f"/statuses/{sha}", state="failure", context="required")
    assert world.ask("PUT", "/pulls/1/merge").status_code == 405
    world.ask("POST", f"/statuses/{sha}", state="success", context="required")
    assert world.ask("PUT", "/pulls/1/merge").status_code == 200


def test_a_merge_waits_for_an_approval(world: World) -> None:
    """As many as the ruleset asks for, and no open request for changes."""
    world.rules({**PULL_RULE, "parameters": {**PULL_RULE["parameters"], "required_approving_review_count": 1}})  # type: ignore[dict-item]
    world.branch("topic")
    world.pull()
    assert world.ask("PUT", "/pulls/1/merge").status_code == 405
    grace = world.hub.issue_token({"pull_requests": "write"}, "person", "grace")
    world.ask("POST", "/pulls/1/reviews", grace, event="REQUEST_CHANGES", body="no")
    assert "Changes have been requested." in world.ask("PUT", "/pulls/1/merge").json()["message"]
    world.ask("POST", "/pulls/1/reviews", grace, event="APPROVE")
    assert world.ask("PUT", "/pulls/1/merge").status_code == 200


def test_rulesets_are_read_and_changed(world: World) -> None:
    """One that is disabled binds nobody; a name is taken once; a private repository on a free plan has none."""
    made = world.rules(PULL_RULE)
    assert [rule["type"] for rule in world.ask("GET", "/rules/branches/main").json()] == ["pull_request"]
    assert [ruleset["name"] for ruleset in world.ask("GET", "/rulesets").json()] == ["main"]
    body = {"name": "main", "enforcement": "active"}
    assert errors(world.ask("POST", "/rulesets", **body)) == ["Name must be unique"]
    assert world.ask("PUT", f"/rulesets/{made['id']}", enforcement="disabled").status_code == 200
    assert world.ask("GET", f"/rulesets/{made['id']}").json()["enforcement"] == "disabled"
    assert world.ask("GET", "/rules/branches/main").json() == []
    world.commit("model.txt", "new\n")
    world.push("main")
    assert world.ask("GET", "/rulesets/1").status_code == 404
    world.hub.settings.private = True
    assert world.ask("POST", "/rulesets", **body).status_code == 403


def test_a_private_free_repository_has_no_reviewers(world: World) -> None:
    """The environment itself may be made."""
    body: dict[str, Any] = {"reviewers": [{"type": "User", "id": world.ask("GET", "//user").json()["id"]}]}
    assert world.ask("PUT", "/environments/production", **body).status_code == 200
    rules = world.ask("GET", "/environments/production").json()["protection_rules"]
    assert [rule["type"] for rule in rules] == ["required_reviewers"]
    world.hub.settings.private = True
    answer = world.ask("PUT", "/environments/production", **body)
    assert (answer.status_code, "billing plan" in answer.json()["message"]) == (422, True)
    assert world.ask("PUT", "/environments/trial").status_code == 200
    assert world.ask("GET", "/environments").json()["total_count"] == 2
    assert world.ask("GET", "/environments/none").status_code == 404
