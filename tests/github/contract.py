"""Checks of every request and response against GitHub's own OpenAPI document."""

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

OPENAPI_FILE = Path(__file__).with_name("openapi.json")
JSON = "application/json"
# GitHub documents a search syntax for this parameter, but its OpenAPI declares a timestamp; rest/actions.py checks it.
SEARCH_PARAMETER = "created"


@dataclass
class ContractRequest:
    """Request in the form that openapi-core expects."""

    method: str
    path_pattern: str
    parameters: RequestParameters
    body: bytes | None
    content_type: str = JSON
    host_url: str = "http://localhost"

    @property
    def path(self) -> str:
        """The pattern, because the operation is already known."""
        return self.path_pattern


@dataclass
class ContractResponse:
    """Response in the form that openapi-core expects."""

    status_code: int
    data: bytes | None
    content_type: str = JSON
    headers: Mapping[str, Any] = field(default_factory=dict)


@cache
def load_contract() -> OpenAPI:
    """Load the document once, without validating it as OpenAPI."""
    return OpenAPI.from_dict(json.loads(OPENAPI_FILE.read_text()), config=Config(spec_validator_cls=None))


@cache
def _statuses(template: str, method: str) -> set[str]:
    return set(json.loads(OPENAPI_FILE.read_text())["paths"][template][method.lower()]["responses"])


def make_request(route: Route, values: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Request:
    """Return a request of one of the operations."""
    checked = {name: value for name, value in query.items() if name != SEARCH_PARAMETER}
    parameters = RequestParameters(query=ImmutableMultiDict(checked), header=Headers(), path=dict(values))
    return ContractRequest(route.method.lower(), route.template, parameters, body or None)


def request_violations(request: Request) -> list[str]:
    """Return how a request violates GitHub's OpenAPI."""
    return [line for error in load_contract().iter_request_errors(request) for line in _lines(error)]


def response_violations(request: Request, route: Route, status: int, body: bytes) -> list[str]:
    """Return how a response violates GitHub's OpenAPI; unknown error statuses are allowed."""
    if status >= 400 and str(status) not in _statuses(route.template, route.method):
        return []
    response = ContractResponse(status, body or None)
    return [line for error in load_contract().iter_response_errors(request, response) for line in _lines(error)]


def _lines(error: Exception) -> Iterator[str]:
    schema_errors: list[Any] = list(getattr(error.__cause__ or error, "schema_errors", []))
    for schema_error in schema_errors:
        # GitHub writes "" for a missing URL, although its schema requires the format `uri`.
        if not (schema_error.validator == "format" and schema_error.instance == ""):
            yield _message(schema_error)
    if not schema_errors:
        yield f"{type(error).__name__}: {error} {error.__cause__ or ''}".strip()


def _message(error: Any) -> str:
    """Return GitHub's message for a violation of its schema, where it is known."""
    if error.validator == "required":
        return str(error.message).replace("'", '"').replace("is a required property", "wasn't supplied.")
    if error.validator == "maxProperties":
        supplied, allowed = len(error.instance), error.validator_value
        return f"No more than {allowed} properties are allowed; {supplied} were supplied."
    where = "/".join(f"properties/{part}" for part in error.absolute_path)
    return f"For '{where or 'body'}', {error.message[:300]}."
