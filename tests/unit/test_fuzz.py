"""Whatever is sent to the paths of the generated OpenAPI, by a generator of wrong requests: never a 500."""

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

from unit.sample import prepare_environment, start
from unit.served import ARROW, CSV, PARQUET, asked, body_of, digest_of, running, wait_until_ready

pytestmark = pytest.mark.slow

SHAPE = {"code", "message", "problems", "more", "request_id"}
GOOD = {form: body_of(asked(3), form)[0] for form in ("csv", "parquet", "arrow")}


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """A good body, with a few bytes replaced and perhaps without its end."""
    body = bytearray(good)
    for place in draw(st.lists(st.integers(0, len(body) - 1), max_size=4)):
        body[place] = draw(st.integers(0, 255))
    return bytes(body[: draw(st.integers(0, len(body)))]) if draw(st.booleans()) else bytes(body)


for kind, form in ((CSV, "csv"), (PARQUET, "parquet"), (ARROW, "arrow")):
    schemathesis.openapi.media_type(kind, damaged(GOOD[form]) | st.binary(max_size=200))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[schemathesis.BaseSchema]:
    """What a real server says of itself."""
    folder = tmp_path_factory.mktemp("fuzz")
    with pytest.MonkeyPatch.context() as patch:
        prepare_environment(patch, folder)
        project = start(folder / "sample")
        project.edit("model.toml", "[gates]\n", '[log]\nsink = "log"\nqueue_rows = 1_000_000\n\n[gates]\n')
        project.must("train", "--force")
        run = project.root / ".gitops" / "run"
        environment = {**os.environ, "GITOPS_RUN": str(run), "GITOPS_DIGEST": digest_of(run),
                       "GITOPS_OUTCOMES_TOKEN": "truth"}  # fmt: skip
        with running(project, environment) as (server, address):
            wait_until_ready(address, server)
            yield schemathesis.openapi.from_url(f"{address}/openapi.json")


BOUNDED = settings(
    max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def look(case: "schemathesis.Case[Any]") -> None:
    """No 5xx; an answer is as the document says; what is refused is refused in one shape, and all have an id."""
    answer = case.call(headers={"Authorization": "Bearer truth"})
    case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance])
    assert answer.headers["x-request-id"]
    if answer.status_code >= 400:
        assert set(json.loads(answer.content)["error"]) == SHAPE, answer.content


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: str(mode.name).lower())
@pytest.mark.parametrize("path", ["/predict", "/outcomes"])
def test_no_rows_make_it_fail(api: schemathesis.BaseSchema, path: str, mode: GenerationMode) -> None:
    """Rows that keep the document, rows that break it, and bodies in every form with a few bytes damaged; outcomes."""
    BOUNDED(given(case=api[path]["POST"].as_strategy(generation_mode=mode))(look))()


@pytest.mark.parametrize("path", ["/metadata", "/metrics", "/health/live", "/health/ready"])
def test_every_other_path_answers_as_the_document_says(api: schemathesis.BaseSchema, path: str) -> None:
    """Status, type and content."""
    look(api[path]["GET"].Case())
