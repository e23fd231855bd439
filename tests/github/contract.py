"""GitHub's own OpenAPI as judge of every request and every answer."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.protocols import Request
from werkzeug.datastructures import Headers, ImmutableMultiDict

from .routing import Route

HERE = Path(__file__).with_name("openapi.json")
JSON = "application/json"
# Takes the search's syntax for dates, as GitHub's documentation says; its OpenAPI calls it a moment. Ours to judge.
SEARCHED = "created"


@dataclass
class Asking:
    """A request, as openapi-core wants to see it."""

    method: str
    path_pattern: str
    parameters: RequestParameters
    body: bytes | None
    content_type: str = JSON
    host_url: str = "http://localhost"

    @property
    def path(self) -> str:
        """The pattern: which operation it is was found before."""
        return self.path_pattern


@dataclass
class Answering:
    """An answer, as openapi-core wants to see it."""

    status_code: int
    data: bytes | None
    content_type: str = JSON
    headers: Mapping[str, Any] = field(default_factory=dict)


@cache
def contract() -> OpenAPI:
    """The document, read once; that it is sound OpenAPI is GitHub's affair."""
    return OpenAPI.from_dict(json.loads(HERE.read_text()), config=Config(spec_validator_cls=None))


@cache
def _statuses(template: str, method: str) -> set[str]:
    return set(json.loads(HERE.read_text())["paths"][template][method.lower()]["responses"])


def asking(route: Route, values: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Request:
    """A request of one of our operations."""
    judged = {name: value for name, value in query.items() if name != SEARCHED}
    parameters = RequestParameters(query=ImmutableMultiDict(judged), header=Headers(), path=dict(values))
    return Asking(route.method.lower(), route.template, parameters, body or None)


def of_request(request: Request) -> list[str]:
    """What GitHub's OpenAPI has against a request."""
    return [line for error in contract().iter_request_errors(request) for line in _lines(error)]


def of_answer(request: Request, route: Route, status: int, body: bytes) -> list[str]:
    """What it has against an answer; statuses that it does not know are only complained of in successes."""
    if status >= 400 and str(status) not in _statuses(route.template, route.method):
        return []
    answer = Answering(status, body or None)
    return [line for error in contract().iter_response_errors(request, answer) for line in _lines(error)]


def _lines(error: Exception) -> Iterator[str]:
    schema_errors: list[Any] = list(getattr(error.__cause__ or error, "schema_errors", []))
    for found in schema_errors:
        # Where GitHub has no address it says "", whatever its own schema's `uri` means.
        if not (found.validator == "format" and found.instance == ""):
            yield _words(found)
    if not schema_errors:
        yield f"{type(error).__name__}: {error} {error.__cause__ or ''}".strip()


def _words(found: Any) -> str:
    """What GitHub says when its own schema is broken, as far as it is known."""
    if found.validator == "required":
        return str(found.message).replace("'", '"').replace("is a required property", "wasn't supplied.")
    if found.validator == "maxProperties":
        supplied, allowed = len(found.instance), found.validator_value
        return f"No more than {allowed} properties are allowed; {supplied} were supplied."
    where = "/".join(f"properties/{part}" for part in found.absolute_path)
    return f"For '{where or 'body'}', {found.message[:300]}."
