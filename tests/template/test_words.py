"""Rules of style that can be measured: each failure prints the file, the limit, the value and the reason."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gitops_ml import config
from plain_language import (
    Module,
    Signatures,
    faults_of_first_lines,
    faults_of_names,
    faults_of_words,
    modules,
)
from repositories import DATA, GENERATED, LIBRARY, TEMPLATE

DOCS = DATA / "docs"

COMMANDS = (
    "validate",
    "review",
    "train",
    "register",
    "compare",
    "image",
    "promote",
    "expire",
    "deploy",
    "rollback",
    "lift",
    "start-over",
    "reconcile",
    "monitor",
    "ingest",
    "status",
    "report",
    "history",
    "at",
    "reproduce",
    "errors",
    "score",
    "serve",
    "store",
    "ui",
    "config",
    "conclude",
    "doctor",
    "setup",
    "eject",
    "update",
    "docs",
    "explain",
)
# Files of other programs, and lists that programs write; the rules and their checks name the words.
EXCLUDED = re.compile(
    r"requirements/|(?:evidently|update)\.txt$|\.csv$|tests/tools/|tests/github/openapi\.json$|keys-0\.1\.json$|LICENSE$"
    r"|tests/(?:plain_language|template/test_words)\.py$|docs/development/words\.md$"
)
# Keys of stored documents, whose names stay: in comparison.json the proposed version, in ingestion.json a prediction.
KEYS = (r'"rival"|\.rival\b|\brival=|(?m:^ +rival: )',)
# Exceptions in one file: keys of stored documents, names of other programs.
STANDARD: dict[str, tuple[str, ...]] = {
    "src/gitops_ml/forge/data_pull_request_text.py": (r'"said": "prediction"',),
    "tests/unit/test_ingest.py": (r'"said", "truth"|"said": 2',),
    "src/gitops_ml/training/new_row_performance.py": (r"\bsaid=|(?m:^ +said: )",),
    # The user of that name.
    "tests/images.py": (r"NOBODY_UID|the user nobody",),
    "tests/containers/test_watchers.py": (r"NOBODY_UID",),
    # A workflow of 0.1.
    "CHANGELOG.md": (r"machinery\.yml",),
    "docs/decisions/0007-machinery-workflow.md": (r"machinery\.yml",),
    "docs/decisions/0029-what-runs-where.md": (r"machinery\.yml",),
}
HOST = re.compile(r"\bpypi\.o\w+|\bpythonhosted\b|\bnpmjs\b|(?<=deb\.)debian\.o\w+|files\.pytho\w+")
BINARY = {".png", ".csv", ".xz"}
CONDITIONAL = re.compile(r"^\s*#%\s*if\b|<%-?\s*(?:if|for|set|macro)\b", re.MULTILINE)


def tracked(*suffixes: str) -> list[Path]:
    """Every file of the template that Git knows or would know, with one of these suffixes."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=TEMPLATE, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    found = [TEMPLATE / name for name in listed.split("\0") if name]
    return [file for file in found if file.is_file() and (not suffixes or file.suffix in suffixes)]


def test_at_most_five_conditionals_all_in_yours() -> None:
    """Choices belong in model.toml: Jinja inserts values, not structure."""
    found = {
        file.relative_to(GENERATED).as_posix(): len(CONDITIONAL.findall(file.read_text(encoding="utf-8")))
        for file in tracked(".py", ".toml", ".md", ".json", ".txt", ".in", ".yml", "")
        if file.is_relative_to(GENERATED)
    }
    found = {name: count for name, count in found.items() if count}
    assert sum(found.values()) <= 5, found
    assert all(name == "model.toml" or name.startswith("src/<<") for name in found), found


def _report(faults: list[str]) -> str:
    """The faults, one a line, for an assertion that fails."""
    return "\n".join([f"{len(faults)} places break docs/development/words.md:", *faults])


def test_code_and_prose_use_the_terms_of_the_field() -> None:
    """Each thing has one name everywhere, which readers of other projects know."""
    faults = [
        fault
        for file in tracked()
        if file.suffix not in BINARY
        if not EXCLUDED.search(name := file.relative_to(TEMPLATE).as_posix())
        for fault in faults_of_words(name, file.read_text(encoding="utf-8"), (*KEYS, *STANDARD.get(name, ())))
    ]
    assert not faults, _report(faults)


@pytest.fixture(scope="module", name="library")
def _library() -> list[Module]:
    """The parsed modules of the library."""
    return modules(LIBRARY)


def test_docstrings_begin_with_an_imperative_or_a_noun_phrase(library: list[Module]) -> None:
    """Lists of functions show first lines alone; an entry of `Args:` or `Attributes:` names a thing."""
    faults = [fault for module in library for fault in faults_of_first_lines(module)]
    assert not faults, _report(faults)


def test_each_module_and_each_class_has_its_own_name(library: list[Module]) -> None:
    """A name in a traceback, an import or a search leads to one place."""
    faults = faults_of_names(library)
    assert not faults, _report(faults)


def test_public_functions_document_parameters_and_results(library: list[Module]) -> None:
    """A reader of the docstring can call the function."""
    faults = Signatures(library).faults()
    assert not faults, _report(faults)


FAULTY = """
class Base:
    def save(self, path):
        "Save it."


class Derived(Base):
    def save(self, path):
        "Save it as text."


def load(path: str, size: int) -> bytes:
    \"\"\"What a file holds.

    Args:
        path: Of the file.
    \"\"\"


def count(rows: list[int]) -> int:
    \"\"\"Count them.

    Args:
        rows: Rows of data.
    \"\"\"


class Derived:
    \"\"\"Another class.\"\"\"
"""


def test_the_checks_find_what_they_look_for() -> None:
    """Each rule, on a module that breaks all of them."""
    module = Module("faulty.py", ast.parse(FAULTY))
    faults = [*faults_of_first_lines(module), *faults_of_names([module]), *Signatures([module]).faults()]
    assert [fault.partition(": write")[0] for fault in faults] == [
        "faulty.py:12: load: the docstring begins with 'What'",
        "faulty.py:12: load: Args: path: 'Of'",
        "faulty.py:7: class 'Derived' is also in faulty.py:28: give each its own name",
        "faulty.py:12: load: `Args:` lacks size",
        "faulty.py:20: count: add `Returns:`, or begin the docstring with 'Return' or with a noun phrase of the value",
        "faulty.py:3: save: add `Args:` with path",
    ]
    assert faults_of_words("page.md", "We were told_so.\nRecommend it.\n") == [
        "page.md:1: 'told': write 'reported, labeled, or the noun of the value'"
    ]


def test_no_registry_host_and_no_path_of_one_machine() -> None:
    """Locks are bound by hashes, so that any mirror will do."""
    path = re.compile(r"(?<![\w.~$}])/(?:w[o]rk/(?:m[a]in|shared)|r[o]ot/)")
    found = [
        f"{file.relative_to(TEMPLATE)}: {hit.group()}"
        for file in tracked()
        if file.suffix not in BINARY
        if (hit := HOST.search(text := file.read_text(encoding="utf-8")) or path.search(text))
    ]
    assert found == []


@pytest.mark.parametrize("lock", sorted((GENERATED / "requirements").glob("*.txt")), ids=lambda file: file.name)
def test_every_locked_package_has_a_hash(lock: Path) -> None:
    """`name==version` is followed by at least one digest."""
    text = lock.read_text()
    pinned = re.findall(r"^[a-zA-Z0-9_.-]+==[^\n]*\\\n", text, re.MULTILINE)
    assert pinned
    assert len(pinned) == len(re.findall(r"^[a-zA-Z0-9_.-]+==", text, re.MULTILINE))


def test_the_serving_lock_is_a_part_of_the_training_lock() -> None:
    """A version serves with the packages of its training."""
    pins = {name: set(re.findall(r"^\S+==\S+", (GENERATED / "requirements" / name).read_text(), re.MULTILINE))
            for name in ("serve.txt", "train.txt", "dev.txt", "build.txt")}  # fmt: skip
    assert pins["serve.txt"] <= pins["train.txt"] <= pins["dev.txt"]
    assert pins["build.txt"] <= pins["dev.txt"]


@pytest.mark.parametrize("readme", [TEMPLATE / "README.md", GENERATED / "README.md"], ids=["template", "generated"])
def test_the_readme_leads_with_the_command(readme: Path) -> None:
    """At most sixty words before the first command: people come to try it."""
    before = readme.read_text().split("```")[0]
    assert len(before.split()) <= 60, f"{readme}: {len(before.split())} words before the first command, at most 60"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_heading_in_the_docs(command: str) -> None:
    """Command, module and heading have the same name."""
    assert f"\n## {command}\n" in (DOCS / "commands.md").read_text()
    assert (LIBRARY / "commands" / f"{command.replace('-', '_')}.py").is_file()


def test_the_docs_list_exactly_the_commands() -> None:
    """The same commands as the command line."""
    source = (LIBRARY / "cli.py").read_text()
    assigned = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)
                    and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "COMMANDS")  # fmt: skip
    assert ast.literal_eval(assigned.value) == COMMANDS


def test_every_gate_has_a_heading_in_the_docs() -> None:
    """A refusal names an id; the docs explain it."""
    gates = sorted((LIBRARY / "training" / "gates").glob("*.py"))
    ids = {each for file in gates for each in re.findall(r'^    id = "([A-Z]+)"', file.read_text(), re.MULTILINE)}
    assert ids
    assert set(re.findall(r"^## ([A-Z]+)$", (DOCS / "gates.md").read_text(), re.MULTILINE)) == ids


def test_every_table_and_key_of_model_toml_is_in_the_docs() -> None:
    """A heading for each table, and each key named below it."""
    definitions = config.json_schema()["$defs"]
    docs = (DOCS / "model-toml.md").read_text()
    missing = [f"{table}: {key}" for table, definition in definitions.items() for key in definition["properties"]
               if f"`{key}`" not in docs and f"## {key}" not in docs and f".{key}\n" not in docs]  # fmt: skip
    assert missing == []


def test_the_version_of_the_project_is_one() -> None:
    """pyproject.toml, cookiecutter.json and the changelog agree; the changelog names the release to come."""
    version = tomllib.loads((TEMPLATE / "pyproject.toml").read_text())["project"]["version"]
    assert f'"_template_version": "{version}"' in (TEMPLATE / "cookiecutter.json").read_text()
    release, _, unreleased = version.partition(".dev")
    heading = f"## {release} (unreleased)" if unreleased else f"## {release}"
    assert f"\n{heading}\n" in (TEMPLATE / "CHANGELOG.md").read_text()


# Where a page, a message or an annotation may stand that names a page.
SPEAKING = (".py", ".md", ".toml", ".yml", ".yaml", ".in", ".json", "")


def test_every_named_page_exists() -> None:
    """`gitops docs PAGE`, wherever it is named in library, template, pages or README."""
    known = {file.stem for file in [*DOCS.glob("*.md"), *(GENERATED / "docs").glob("*.md")]}
    named = {
        (file.relative_to(TEMPLATE).as_posix(), page)
        for file in tracked(*SPEAKING)
        if not file.is_relative_to(TEMPLATE / "tests")
        for page in re.findall(r"gitops docs ([a-z][a-z-]*)", file.read_text(encoding="utf-8"))
    }
    assert {page for _, page in named} >= {"gates", "monitoring", "store", "targets"}
    assert {(file, page) for file, page in named if page not in known} == set()


def test_links_to_pages_of_a_generated_repository_exist() -> None:
    """Texts of the library and the template name no page that only the library has."""
    there = {file.name for file in (GENERATED / "docs").glob("*.md")}
    places = [file for file in tracked(*SPEAKING) if file.is_relative_to(GENERATED) or file.is_relative_to(LIBRARY)]
    named = {
        (file.relative_to(TEMPLATE).as_posix(), page)
        for file in places
        for page in re.findall(r"\bdocs/([\w-]+\.md)", file.read_text(encoding="utf-8"))
        if not page.startswith("model-card")  # commands write it
    }
    assert {page for _, page in named} == there
    assert {(file, page) for file, page in named if page not in there} == set()


def _anchors(markdown: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _linked() -> list[Path]:
    return [file for file in tracked(".md") if not file.is_relative_to(TEMPLATE / "tests")]


@pytest.mark.parametrize("page", _linked(), ids=lambda file: file.relative_to(TEMPLATE).as_posix())
def test_links_lead_to_existing_files_and_headings(page: Path) -> None:
    """Relative links of every page of Markdown, from where it lies."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), f"{page.name} links to {target}#{anchor}"


def test_the_hooks_use_the_standard_library_alone() -> None:
    """cookiecutter runs them with whatever Python it has."""
    for hook in (TEMPLATE / "hooks").glob("*.py"):
        for node in ast.walk(ast.parse(hook.read_text())):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names)
