"""Users, bots and GitHub Apps."""

import zlib
from typing import Any

from ..hub import Hub
from ..model import BOT, Token

LINKS = {
    "followers_url": "followers", "following_url": "following{/other_user}", "gists_url": "gists{/gist_id}",
    "starred_url": "starred{/owner}{/repo}", "subscriptions_url": "subscriptions", "organizations_url": "orgs",
    "repos_url": "repos", "events_url": "events{/privacy}", "received_events_url": "received_events",
}  # fmt: skip
IDS = {BOT: 41898282, "web-flow": 19864447}


def number(text: str) -> int:
    """Return an id that depends only on the name."""
    return IDS.get(text, zlib.crc32(text.encode()) % 10**8)


def node_id(kind: str, identity: int | str) -> str:
    """Return a GraphQL node id."""
    return f"{kind}_{identity}"


def user(hub: Hub, login: str) -> dict[str, Any]:
    """Return a user as it appears in other resources."""
    bot = login.endswith("[bot]")
    url = f"{hub.api}/users/{login.replace('[', '%5B').replace(']', '%5D')}"
    return {
        "login": login,
        "id": number(login),
        "node_id": node_id("U", number(login)),
        "avatar_url": f"{hub.url}/avatars/{number(login)}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{hub.url}/apps/{login.removesuffix('[bot]')}" if bot else f"{hub.url}/{login}",
        **{name: f"{url}/{rest}" for name, rest in LINKS.items()},
        "type": "Bot" if bot else "User",
        "site_admin": False,
        "user_view_type": "public",
    }


def myself(hub: Hub, token: Token) -> dict[str, Any]:
    """Return the calling user with all fields."""
    blank = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name"))
    none = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
    times = {"created_at": hub.state.created, "updated_at": hub.state.created}
    return {**user(hub, token.login), **blank, "blog": "", **none, **times}


def app(hub: Hub) -> dict[str, Any]:
    """Return the App GitHub Actions, whose token a job has."""
    return {
        "id": 15368,
        "slug": "github-actions",
        "node_id": node_id("A", 15368),
        "client_id": "Iv1.0000000000000000",
        "owner": user(hub, "github"),
        "name": "GitHub Actions",
        "description": "Automate your workflow from idea to production",
        "external_url": "https://help.github.com/en/actions",
        "html_url": f"{hub.url}/apps/github-actions",
        "created_at": "2018-07-30T09:30:17Z",
        "updated_at": "2024-04-10T20:33:16Z",
        "permissions": {"contents": "write", "checks": "write"},
        "events": ["push", "pull_request"],
    }
