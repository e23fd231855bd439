"""People can look at the local GitHub and press its buttons."""

import pytest
import requests

from github.pages.markdown import render
from github.rest import actions
from server_world import ServerWorld, create_seed, open_world

seed = pytest.fixture(scope="module")(create_seed)
world = pytest.fixture(open_world)


def test_a_pull_requests_page_is_read_and_its_button_merges(world: ServerWorld) -> None:
    """The owner merges it; Markdown is rendered without comments and scripts."""
    sha = world.branch("topic")
    world.add_run(1, sha)
    table, more = "|a|b|\n|-|-|\n|1|2|\n\n", "<details><summary>More</summary>text</details>\n"
    body = f"<!-- hidden -->\n{table}{more}<script>evil()</script>"
    world.pull(body=body)
    page = f"{world.hub.html_url}/pull/1"
    text = requests.get(page, timeout=9).text
    assert all(piece in text for piece in ("<td>1</td>", "<summary>More</summary>", "Train / required"))
    assert "hidden" not in text
    assert "evil" not in text
    assert requests.post(f"{page}/merge", headers={"Origin": "http://evil.example"}, timeout=9).status_code == 403
    assert requests.post(f"{page}/merge", timeout=9).status_code == 200
    assert world.event_names()[-2:] == ["pull_request closed", "push"]
    assert "merged commit" in requests.get(page, timeout=9).text
    assert requests.post(f"{page}/merge", timeout=9).status_code == 405


def test_every_page_is_read(world: ServerWorld) -> None:
    """The repository, an issue, a run, a file, a comparison, the settings."""
    sha = world.branch("some/topic", "notes.md", "**bold**\n")
    world.add_run(1, sha)
    world.request("POST", "/issues", title="A question", body="why?")
    pieces = {
        "": "A question", "/issues/1": "why?", "/actions/runs/1": "<h2>It works</h2>",
        "/blob/some/topic/notes.md": "<strong>bold</strong>", "/raw/some/topic/notes.md": "**bold**",
        "/compare/main...some/topic": "Create pull request", "/settings/actions": "Allow GitHub Actions",
    }  # fmt: skip
    for path, piece in pieces.items():
        response = requests.get(f"{world.hub.html_url}{path}", timeout=9)
        assert (path, response.status_code, piece in response.text) == (path, 200, True)
    assert requests.get(f"{world.hub.html_url}/pull/9", timeout=9).status_code == 404


def test_the_other_buttons_work(world: ServerWorld) -> None:
    """Open a pull request from a comparison, close it, allow jobs to open some."""
    world.branch("topic")
    page = world.hub.html_url
    opened = requests.post(f"{page}/compare/main...topic", data={"title": "Mine"}, timeout=9)
    assert (opened.url, "Mine" in opened.text) == (f"{page}/pull/1", True)
    requests.post(f"{page}/pull/1/close", timeout=9)
    assert world.request("GET", "/pulls/1").json()["state"] == "closed"
    requests.post(f"{page}/settings/actions", data={"allowed": "on"}, timeout=9)
    assert world.hub.settings.actions_may_open_pull_requests is True


def test_a_person_approves_a_waiting_run(world: ServerWorld) -> None:
    """A button and an API call do it; a job cannot."""
    waiting = world.add_run(1, world.branch("topic"), None, waits=True)
    let: list[tuple[int, str]] = []
    world.hub.approvers.append(lambda run, token: let.append((run.id, token.login)))
    job = world.hub.issue_token({"actions": "write"})
    assert world.request("POST", "/actions/runs/1/approve", job).status_code == 403
    assert world.request("POST", "/actions/runs/1/approve").status_code == 201
    requests.post(f"{world.hub.html_url}/actions/runs/1/approve", timeout=9)
    assert let == [(1, "ada"), (1, "ada")]
    assert actions.awaits_approval(waiting)


@pytest.mark.parametrize(("text", "html"), [
    ("> [!NOTE]\n> Mind", "<strong>Note</strong>"), ("- [x] done", "☑ done"), ("~~no~~", "<s>no</s>"),
        ("|a|\n|-:|\n|1|", '<td align="right">1</td>'),
    ("[a](javascript:alert(1))", "[a](javascript:alert(1))"), ('<a href="java&#10;script:x">a</a>', "<a>a</a>"),
    ('<img src="x" onerror="evil()">', '<img src="x">'), ("a &lt; b", "a &lt; b"),
])  # fmt: skip
def test_markdown_is_rendered_as_github_renders_it(text: str, html: str) -> None:
    """Alerts and tasks are rendered; active content is removed."""
    assert html in render(text)
