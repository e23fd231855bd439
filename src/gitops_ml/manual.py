"""Offline pages about this library, and the search for the explanation of a name in a message.

Most pages are package data. `how-a-model-ships` and `runbook` are in `docs` of a generated repository, where users may
edit them; outside of a repository they are read from the template that the library contains.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gitops_ml.bundled import DATA

SCAFFOLD = ("how-a-model-ships", "runbook")
TEMPLATE = "<<cookiecutter.project_slug>>"
# Page whose tables have examples in their first cells, and not names.
EXAMPLES = "cells"
# Links to other pages, which do not work in a terminal.
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#]*?)(?:\.md)?(?:#[^)]*)?\)")
EXIT_CODES = re.compile(r"exit codes? \d+(?: and \d+)?", re.IGNORECASE)
HEADING = re.compile(r"(#+) (.+)")
CODE = re.compile(r"`([^`]+)`")
MAX_WORDS = 3  # maximum number of words of a table cell that is a name


@dataclass(frozen=True)
class Page:
    """A page.

    Attributes:
        name: Name of the page for `gitops docs`.
        text: Content in Markdown.
    """

    name: str
    text: str

    @property
    def title(self) -> str:
        """Heading of the page."""
        return self.text.partition("\n")[0].removeprefix("# ")


@dataclass(frozen=True)
class Section:
    """A part of a page under one heading.

    Attributes:
        page: Name of the page.
        title: Heading of the section.
        text: Text up to the next heading of the same level; for the title of a page, up to the next heading.
    """

    page: str
    title: str
    text: str


@dataclass(frozen=True)
class ManualEntry:
    """Explanation of some names.

    Attributes:
        names: Names that the entry explains.
        title: Heading to show.
        text: Content in Markdown.
    """

    names: tuple[str, ...]
    title: str
    text: str


def load_pages(start: Path) -> dict[str, Page]:
    """Return every page by its name.

    Args:
        start: Folder; if it is in a generated repository, the pages of this repository are read.
    """
    texts = {file.stem: file.read_text(encoding="utf-8") for file in (DATA / "docs").glob("*.md")}
    texts |= {name: _scaffold(name, start.resolve()) for name in SCAFFOLD}
    return {name: Page(name, LINK.sub(_without_link, texts[name])) for name in sorted(texts)}


def find_entries(name: str, pages: dict[str, Page]) -> list[ManualEntry]:
    """Find the explanations of a name in the pages and in the schema of model.toml.

    Args:
        name: Id of a gate, a check or an alarm, an exit code, a command, a table or a key of model.toml, or a variable,
            in upper or lower case.
        pages: All pages, by name.

    Returns:
        The entries for the name, or else the paragraphs that mention it; empty if there are none.
    """
    all_entries = list_entries(pages)
    # The title of an issue about an alarm has a suffix: "Data drift in production: worst_radius".
    for key in (_key(name), _key(name.partition(" in ")[0])):
        matches = [entry for entry in all_entries if key in map(_key, entry.names)]
        if matches:
            return _join_rows(matches)
    return list(_mentions(name, pages)) if _key(name) else []


def list_entries(pages: dict[str, Page]) -> list[ManualEntry]:
    """Return the entries of all names: sections, rows of tables, keys of model.toml.

    Args:
        pages: All pages, by name.
    """
    entries = []
    for section in _sections(pages):
        title = f"{section.title} (`gitops docs {section.page}`)"
        rows = _rows(section, title) if section.page != EXAMPLES else ()
        entries += [ManualEntry(_names(section), title, section.text), *rows]
    return [*entries, *_keys()]


def _join_rows(entries: list[ManualEntry]) -> list[ManualEntry]:
    """Return entries with the rows of a table joined to one entry."""
    joined: list[ManualEntry] = []
    for entry in entries:
        last = joined[-1] if joined else None
        if last and last.title == entry.title and last.text.startswith(head := entry.text.rpartition("\n")[0]):
            joined[-1] = replace(last, text=f"{last.text}{entry.text.removeprefix(head)}")
        else:
            joined.append(entry)
    return joined


def _names(section: Section) -> tuple[str, ...]:
    """Return the names that a section explains: its heading, the last part of a table's name, and exit codes."""
    if section.page == "model-toml":
        return section.title, section.title.rpartition(".")[2]
    codes = EXIT_CODES.search(section.text) if section.page == "runbook" else None
    return section.title, *(re.findall(r"\d+", codes[0]) if codes else ())


def _scaffold(name: str, start: Path) -> str:
    """Return a page of the repository around a folder, or else of the template."""
    root = next((folder for folder in (start, *start.parents) if (folder / "model.toml").is_file()), None)
    path = f"docs/{name}.md"
    if root and (root / path).is_file():
        return (root / path).read_text(encoding="utf-8")
    archive = DATA / "template.zip"
    if archive.is_file():
        with zipfile.ZipFile(archive) as opened:
            return opened.read(f"{TEMPLATE}/{path}").decode("utf-8")
    # The library is installed from a checkout in editable mode, which contains the template.
    return (DATA.parents[2] / TEMPLATE / path).read_text(encoding="utf-8")


def _without_link(link: re.Match[str]) -> str:
    """Return the text of a link, with the command that shows its page."""
    return f"{link[1]} (`gitops docs {link[2]}`)" if link[2] else link[1]


def _sections(pages: dict[str, Page]) -> Iterator[Section]:
    for page in pages.values():
        lines = page.text.splitlines()
        headings = list(_headings(lines))
        for index, (number, level, title) in enumerate(headings):
            after = (start for start, other, _ in headings[index + 1 :] if other <= level or level == 1)
            text = "\n".join(lines[number + 1 : next(after, len(lines))]).strip()
            yield Section(page.name, title, text)


def _headings(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yield line, level and title of each heading, without comments in blocks of code."""
    fenced = False
    for number, line in enumerate(lines):
        fenced ^= line.startswith("```")
        heading = HEADING.fullmatch(line)
        if heading and not fenced:
            yield number, len(heading[1]), heading[2].replace("`", "")


def _blocks(text: str) -> Iterator[str]:
    """Yield paragraphs, list items, and each row of a table with the head of the table."""
    for block in re.split(r"\n\s*\n|\n(?=- )", text):
        lines = block.splitlines()
        if block.startswith("|"):
            yield from ("\n".join([*lines[:2], row]) for row in lines[2:])
        else:
            yield block


def _rows(section: Section, title: str) -> Iterator[ManualEntry]:
    """Yield the rows of a section's tables, with the names in their first two cells."""
    for block in _blocks(section.text):
        if block.startswith("|") and "\n### " not in section.text:
            cells = [cell.strip() for cell in block.splitlines()[2].strip("|").split("|")]
            names = [name for cell in cells[:2] for name in cell.split(",") if 0 < len(name.split()) <= MAX_WORDS]
            names += [name for cell in cells[:2] if not CODE.sub("", cell).strip(" ,") for name in CODE.findall(cell)]
            yield ManualEntry(tuple(name.replace("`", "") for name in names), title, block)


def _keys() -> Iterator[ManualEntry]:
    """Yield the keys of model.toml, from its JSON schema."""
    schema = json.loads((DATA / "model.schema.json").read_text(encoding="utf-8"))
    for path, field in _fields(schema, schema["$defs"], ()):
        default = field.get("default")
        suffix = f" Default: `{json.dumps(default, ensure_ascii=False)}`." if default is not None else ""
        table = ".".join(path[:-1])
        text = (
            f"{field.get('description', '')}{suffix}\n\n`gitops explain {table}` shows the whole table of model.toml."
        )
        title = f"`{path[-1]}` under [{'.'.join(path[:-1])}] in model.toml"
        yield ManualEntry((".".join(path), path[-1]), title, text)


def _fields(
    table: dict[str, Any], definitions: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield path and schema of each key that is not a table."""
    for name, field in table.get("properties", {}).items():
        below = [field, *field.get("anyOf", []), *field.get("patternProperties", {}).values()]
        tables = [definitions[each["$ref"].rpartition("/")[2]] for each in below if "$ref" in each]
        for inner in tables:
            yield from _fields(inner, definitions, (*path, name))
        if not tables and path:
            yield (*path, name), field


def _mentions(name: str, pages: dict[str, Page]) -> Iterator[ManualEntry]:
    """Yield the paragraphs that contain a name as code, such as a variable or a file."""
    pattern = re.compile(rf"`(?:[^`]*[^`\w.-])?{re.escape(name.strip('`'))}(?![\w-])[^`]*`", re.IGNORECASE)
    for section in _sections(pages):
        own_text = section.text.partition("\n### ")[0]
        blocks = [block for block in _blocks(own_text) if pattern.search(block)]
        if blocks:
            yield ManualEntry((name,), f"{section.title} (`gitops docs {section.page}`)", "\n\n".join(blocks))


def _key(name: str) -> str:
    """Return the normalized form of a name, for comparisons."""
    text = re.sub(r"\(.*?\)|[`*\[\]]", "", name).casefold().strip()
    return re.sub(r"^(?:exit code |gitops |the |gitops(?=[a-z]))|[\s_-]", "", text)
