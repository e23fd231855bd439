"""docs/landscape.md: every system has one status, and a row that says `works` names tests that exist."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise

import pytest

from gitops_ml.cli import COMMANDS
from repositories import TEMPLATE

PAGE = TEMPLATE / "docs" / "landscape.md"
STATUSES = ("works", "hand-off", "planned", "declined")
CODE = re.compile(r"`([^`]+)`")
TEST_ID = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
# Systems that teams ask about first.
NAMED = """
    Airflow; Argo CD; Argo Workflows; autoscaling; Azure ML jobs; BentoML; caching of predictions; Dagster; Dask;
    Databricks; Docker; DVC; Evidently; FastAPI; Feast; federated learning; Flask; GitHub Pages; GitLab CI; Grafana;
    Great Expectations; Hugging Face Hub; infrastructure as code (Terraform, OpenTofu, Pulumi); Jenkins; Kafka;
    KServe; Kubeflow Pipelines; lakeFS; MLflow server; NannyML; ONNX Runtime; Optuna; pandera; podman; PostgreSQL;
    Prefect; Prometheus; Ray; Redis; S3, GCS and Azure storage; SageMaker jobs; Seldon Core; self-hosted runners;
    SHAP; Spark; Tecton; TensorBoard; TensorFlow Serving; TorchServe; Triton; Vertex AI jobs; Weights & Biases;
    WhyLabs
"""


@dataclass(frozen=True)
class Row:
    """A row of the page.

    Attributes:
        group: Heading above its table.
        system: Name of the system.
        status: Second cell.
        text: Third cell.
    """

    group: str
    system: str
    status: str
    text: str

    def fault(self) -> str | None:
        """Return what the text of this status lacks."""
        tests = TEST_ID.findall(self.text)
        if self.status not in STATUSES:
            return f"the status is {self.status!r}: write one of {', '.join(STATUSES)}"
        if self.status == "works" and not tests:
            return "name a test: `tests/FILE.py::test_NAME`"
        if missing := [f"{file}::{name}" for file, name in tests if name not in names_of_tests(file)]:
            return f"there is no test {missing[0]}"
        if self.status == "hand-off" and not any(" " in code for code in CODE.findall(self.text)):
            return "write the line of code that calls this project, or that the project has for the system"
        if self.status == "planned" and not re.search(r"\(issue \d+\)", self.text):
            return "name the issue: (issue N)"
        if self.status == "declined" and "Instead: " not in self.text:
            return "write what to use: `Instead: ...`"
        return None


@cache
def names_of_tests(file: str) -> frozenset[str]:
    """Return the names of the tests in a file; none if the file does not exist."""
    path = TEMPLATE / file
    if not path.is_file():
        return frozenset()
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return frozenset(node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def parse_rows(page: str) -> list[Row]:
    """Return the rows of all tables below headings of the second level."""
    rows = []
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        group, _, text = section.partition("\n")
        lines = [line for line in text.splitlines() if line.startswith("|")][2:]
        for line in lines:
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows.append(Row(group, *cells[:3]) if len(cells) == 3 else Row(group, cells[0], "", line))
    return rows


def faults_of(rows: list[Row]) -> list[str]:
    """Return a sentence for each fault of the rows."""
    faults = [f"{row.system}: {fault}" for row in rows if (fault := row.fault())]
    names = [row.system.casefold() for row in rows]
    faults += [f"{name}: has {names.count(name)} rows" for name in dict.fromkeys(names) if names.count(name) > 1]
    faults += [
        f"{later.system}: belongs before {earlier.system}"
        for earlier, later in pairwise(rows)
        if earlier.group == later.group and earlier.system.casefold() > later.system.casefold()
    ]
    groups = [group for group, _ in groupby(rows, key=lambda row: row.group)]
    return faults + [f"{group}: has {groups.count(group)} tables" for group in set(groups) if groups.count(group) > 1]


@pytest.fixture(scope="module", name="rows")
def _rows() -> list[Row]:
    """The rows of the page."""
    return parse_rows(PAGE.read_text(encoding="utf-8"))


def test_every_row_has_one_status_and_what_it_needs(rows: list[Row]) -> None:
    """Rows are unique and sorted inside their group; `works` names existing tests."""
    assert faults_of(rows) == []


def test_the_systems_that_teams_ask_about_have_a_row(rows: list[Row]) -> None:
    """A reader finds the system that their team uses."""
    named = {" ".join(name.split()) for name in NAMED.split(";")}
    assert named - {row.system for row in rows} == set()
    assert {row.status for row in rows} == set(STATUSES)


def test_commands_of_the_page_exist() -> None:
    """Every `gitops COMMAND` is a command of the library."""
    named = set(re.findall(r"\bgitops ([a-z]+)", " ".join(CODE.findall(PAGE.read_text(encoding="utf-8")))))
    assert {"train", "register"} <= named
    assert named - set(COMMANDS) == set()


def test_the_container_command_is_written_the_same_way() -> None:
    """The command line for Docker runs what the operators run."""
    page = PAGE.read_text(encoding="utf-8")
    (command,) = re.findall(r'^RUN = "(.*)"$', page, re.MULTILINE)
    assert f"\ndocker run --rm --env REPOSITORY python:3.11 sh -ec '{command}'\n" in page


FAULTY = """# A page

## Data

| system | status | how |
|---|---|---|
| Zebra | works | Without a test. |
| Ant | works | `tests/template/test_landscape.py::test_nothing` |
| Bee | works, planned | Two statuses (issue 1). |
| Cow | hand-off | No line. |
| Dog | planned | Later. |
| Eel | declined | Never. |
| Eel | declined | Never. Instead: the fish. |

## Other

| system | status | how |
|---|---|---|
| Ape | works | `tests/template/test_landscape.py::test_commands_of_the_page_exist` |
"""


def test_the_checks_find_what_they_look_for() -> None:
    """Each rule, on a page that breaks all of them."""
    assert faults_of(parse_rows(FAULTY)) == [
        "Zebra: name a test: `tests/FILE.py::test_NAME`",
        "Ant: there is no test tests/template/test_landscape.py::test_nothing",
        "Bee: the status is 'works, planned': write one of works, hand-off, planned, declined",
        "Cow: write the line of code that calls this project, or that the project has for the system",
        "Dog: name the issue: (issue N)",
        "Eel: write what to use: `Instead: ...`",
        "eel: has 2 rows",
        "Ant: belongs before Zebra",
    ]
