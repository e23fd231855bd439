"""Which function answers which call, and what it asks of the caller."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from .hub import Hub
from .model import Token

ANYONE = ""


@dataclass
class Call:
    """One call of the REST interface.

    Attributes:
        hub: All that the server knows.
        token: Who calls; None for a stranger.
        path: As it was asked for, without the query.
        values: What stands in the path, by name.
        query: What stands after the question mark.
        body: What was sent.
        headers: What the answer will carry beside its body.
    """

    hub: Hub
    token: Token | None
    path: str
    values: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def caller(self) -> Token:
        """Who calls, where no stranger gets this far."""
        assert self.token is not None
        return self.token

    def number(self, name: str) -> int:
        """A number out of the path; one that nothing has, if it is none."""
        value = self.values[name]
        return int(value) if value.isdecimal() else -1

    def paged(self, items: list[Any]) -> list[Any]:
        """The page that was asked for, with a Link header to the others."""
        size = min(max(_whole(self.query.get("per_page"), 30), 1), 100)
        page = max(_whole(self.query.get("page"), 1), 1)
        last = max(-(-len(items) // size), 1)
        links = {"prev": page - 1, "first": 1} if page > 1 else {}
        links |= {"next": page + 1, "last": last} if page < last else {}
        if links:
            self.headers["Link"] = ", ".join(f'<{self._page(at, size)}>; rel="{name}"' for name, at in links.items())
        return items[(page - 1) * size : page * size]

    def _page(self, page: int, size: int) -> str:
        query = {**self.query, "per_page": str(size), "page": str(page)}
        return f"{self.hub.url}{self.path}?{urlencode(query)}"


def _whole(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


@dataclass(frozen=True)
class Answer:
    """A success that is not simply 200."""

    status: int
    body: Any = None


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Route:
    """One operation.

    Attributes:
        method: GET, POST, ...
        template: The path, as GitHub's OpenAPI writes it.
        needs: The grant, as GitHub's header names it: "contents=write"; "a=write; b=write" for either.
        answer: The function that answers.
    """

    method: str
    template: str
    needs: str
    answer: Handler

    @property
    def rule(self) -> str:
        """The path as Flask writes it; what may hold slashes may here."""
        return re.sub(r"\{(\w+)\}", lambda found: f"<{_kind(found[1])}{found[1]}>", self.template)


def _kind(name: str) -> str:
    return "path:" if name in {"ref", "branch", "environment_name", "tag"} else ""


_ROUTES: list[Route] = []


def route(method: str, template: str, needs: str) -> Callable[[Handler], Handler]:
    """Declare that a function answers an operation."""

    def declare(answer: Handler) -> Handler:
        _ROUTES.append(Route(method, template, needs, answer))
        return answer

    return declare


def declared() -> list[Route]:
    """Every operation declared so far."""
    return list(_ROUTES)
