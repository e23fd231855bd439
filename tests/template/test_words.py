"""Taste, measured: each budget prints the file, the limit, the value and the reason."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from gitops_ml import config
from house import DATA, GENERATED, LIBRARY, TEMPLATE

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
    "reconcile",
    "monitor",
    "ingest",
    "status",
    "report",
    "history",
    "at",
    "reproduce",
    "score",
    "serve",
    "store",
    "ui",
    "config",
    "conclude",
    "doctor",
    "setup",
    "eject",
    "docs",
    "explain",
)
# Meanings: design section 2. A word may stand where it means something else: those places are listed.
BANNED = {
    r"\bcontender": "challenger",
    r"\bcandidate": "challenger",
    r"\bcheckpoint": "model version",
    r"\bproduction model\b": "champion",
    r"\bbest model\b": "champion",
    r"\bcohort": "slice",
    r"\bguard\b": "gate",
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
    """A choice is made in model.toml at run time, or not offered: Jinja carries values, not structure."""
    found = {
        file.relative_to(GENERATED).as_posix(): len(CONDITIONAL.findall(file.read_text(encoding="utf-8")))
        for file in tracked(".py", ".toml", ".md", ".json", ".txt", ".in", ".yml", "")
        if file.is_relative_to(GENERATED)
    }
    found = {name: count for name, count in found.items() if count}
    assert sum(found.values()) <= 5, found
    assert all(name == "model.toml" or name.startswith("src/<<") for name in found), found


@pytest.mark.parametrize("word", BANNED)
def test_one_word_for_one_thing(word: str) -> None:
    """A thing has one name everywhere, so that people can search for it."""
    found = [
        f"{file.relative_to(TEMPLATE)}:{number}: say {BANNED[word]!r}"
        for file in tracked(".py", ".md", ".toml")
        if file.name != "test_words.py"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(word, line, re.IGNORECASE)
    ]
    assert found == []


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
    """What serves is what was trained with."""
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
    """One word travels the whole stack: command, module, heading."""
    assert f"\n## {command}\n" in (DOCS / "commands.md").read_text()
    assert (LIBRARY / "commands" / f"{command}.py").is_file()


def test_the_commands_in_the_docs_are_all_there_are() -> None:
    """Neither more nor fewer than the command line has."""
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
    definitions = config.schema()["$defs"]
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


def test_every_page_that_is_named_is_a_page() -> None:
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


def test_links_to_pages_of_a_generated_repository_lead_somewhere() -> None:
    """What the library prints or posts, and what the template holds, names no page that only the library has."""
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
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    """Relative links of every page of Markdown, from where it lies."""
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", page.read_text(encoding="utf-8")):
        file = page.parent / target if target else page
        assert file.exists(), f"{page.name} links to {target}, which is not there"
        if anchor:
            assert anchor in _anchors(file.read_text(encoding="utf-8")), f"{page.name} links to {target}#{anchor}"


def test_nothing_speaks_of_code_that_is_copied() -> None:
    """The library is installed; what 0.1 called machinery is history, which decision records and the changelog tell."""
    word = re.compile("machinery", re.IGNORECASE)
    decisions = (f"docs/decisions/{file.name}" for file in (TEMPLATE / "docs" / "decisions").glob("*.md"))
    history = {"CHANGELOG.md", "tests/template/test_words.py", *decisions}
    found = [
        name
        for file in tracked()
        if file.suffix not in BINARY
        if (name := file.relative_to(TEMPLATE).as_posix()) not in history
        if word.search(name) or word.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_the_hooks_use_the_standard_library_alone() -> None:
    """cookiecutter runs them with whatever Python it has."""
    for hook in (TEMPLATE / "hooks").glob("*.py"):
        for node in ast.walk(ast.parse(hook.read_text())):
            if isinstance(node, ast.Import):
                assert all(alias.name.split(".")[0] in sys.stdlib_module_names for alias in node.names)
