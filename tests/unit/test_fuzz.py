"""Generated valid and invalid requests to all paths of the OpenAPI document: the server never fails."""

import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from unit.http_caller import (
    ARROW,
    CSV,
    PARQUET,
    encode_body,
    manifest_digest,
    request_rows,
    run_server,
    wait_until_ready,
)
from unit.sample import create_project, prepare_environment

pytestmark = pytest.mark.slow

ERROR_KEYS = {"code", "message", "problems", "more", "request_id"}
GOOD = {form: encode_body(request_rows(3), form)[0] for form in ("csv", "parquet", "arrow")}


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """Return a valid body with a few bytes replaced, and perhaps without its end."""
    body = bytearray(good)
    for index in draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[index] = draw(st.integers(0, 255))
    return bytes(body[: draw(st.integers(0, len(body)))]) if draw(st.booleans()) else bytes(body)


for kind, form in ((CSV, "csv"), (PARQUET, "parquet"), (ARROW, "arrow")):
    schemathesis.openapi.media_type(kind, damaged(GOOD[form]) | st.binary(max_size=200))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    """Return the OpenAPI document of a real server."""
    folder = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        project = create_project(folder / "sample")
        project.edit("model.toml", "[gates]\n", '[log]\nsink = "log"\nqueue_rows = 1_000_000\n\n[gates]\n')
        project.must("train", "--force")
        run = project.root / ".gitops" / "run"
        environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": manifest_digest(run),
                       "GITOPS_OUTCOMES_TOKEN": "truth"}  # fmt: skip
        with run_server(project, environment) as (server, address):
            wait_until_ready(address, server)
            yield schemathesis.openapi.from_url(f"{address}/openapi.json")


BOUNDED = settings(
    max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def check_response(case: "schemathesis.Case[Any]") -> None:
    """Check that a response is no 5xx, matches the document, has an id and, if it is an error, the error format."""
    response = case.call(headers={"Authorization": "Bearer truth"})
    case.validate_response(response, checks=[not_a_server_error, response_schema_conformance])
    assert response.headers["x-request-id"]
    if response.status_code >= 400:
        assert set(json.loads(response.content)["error"]) == ERROR_KEYS, response.content


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.name).lower())
@pytest.mark.parametrize("path", ["/predict", "/outcomes"])
def test_no_request_makes_server_fail(api: schemathesis.BaseSchema, path: str, mode: GenerationMode) -> None:
    """Send valid rows, invalid rows, and damaged bodies in all formats; and outcomes."""
    BOUNDED(given(case=api[path]["POST"].as_strategy(generation_mode=mode))(check_response))()


@pytest.mark.parametrize("path", ["/metadata", "/metrics", "/health/live", "/health/ready"])
def test_other_paths_match_document(api: schemathesis.BaseSchema, path: str) -> None:
    """Check status, content type and content."""
    check_response(api[path]["GET"].Case())
