"""Routes of the REST API: the handler and the required grant of each operation."""

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
    """One call of the REST API.

    Attributes:
        hub: State of the server.
        token: Token of the caller; None for anonymous calls.
        path: Requested path, without the query.
        values: Path parameters by name.
        query: Query parameters.
        body: JSON body of the request.
        headers: Headers of the response.
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
        """Token of the caller, for operations that require one."""
        assert self.token is not None
        return self.token

    def number(self, name: str) -> int:
        """Return a number from the path; -1, which no resource has, if it is not a number."""
        value = self.values[name]
        return int(value) if value.isdecimal() else -1

    def paginate(self, items: list[Any]) -> list[Any]:
        """Return the requested page, and set a Link header to the others."""
        size = min(max(_to_int(self.query.get("per_page"), 30), 1), 100)
        page = max(_to_int(self.query.get("page"), 1), 1)
        last = max(-(-len(items) // size), 1)
        links = {"prev": page - 1, "first": 1} if page > 1 else {}
        links |= {"next": page + 1, "last": last} if page < last else {}
        if links:
            self.headers["Link"] = ", ".join(f'<{self._page(at, size)}>; rel="{name}"' for name, at in links.items())
        return items[(page - 1) * size : page * size]

    def _page(self, page: int, size: int) -> str:
        query = {**self.query, "per_page": str(size), "page": str(page)}
        return f"{self.hub.url}{self.path}?{urlencode(query)}"


def _to_int(text: str | None, default: int) -> int:
    return int(text) if text and text.isdecimal() else default


@dataclass(frozen=True)
class RestResponse:
    """A successful response with another status than 200."""

    status: int
    body: Any = None


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Route:
    """One operation of the REST API.

    Attributes:
        method: HTTP method.
        template: Path, as GitHub's OpenAPI writes it.
        needs: Required grant, as GitHub's header names it: "contents=write"; "a=write; b=write" for either.
        handler: Function that returns the response.
    """

    method: str
    template: str
    needs: str
    handler: Handler

    @property
    def rule(self) -> str:
        """Path as Flask writes it, with path converters for values that can contain slashes."""
        return re.sub(r"\{(\w+)\}", lambda match: f"<{_kind(match[1])}{match[1]}>", self.template)


def _kind(name: str) -> str:
    return "path:" if name in {"ref", "branch", "environment_name", "tag"} else ""


_ROUTES: list[Route] = []


def route(method: str, template: str, needs: str) -> Callable[[Handler], Handler]:
    """Register a function as the handler of an operation."""

    def declare(handler: Handler) -> Handler:
        _ROUTES.append(Route(method, template, needs, handler))
        return handler

    return declare


def declared_routes() -> list[Route]:
    """Return every operation registered so far."""
    return list(_ROUTES)
