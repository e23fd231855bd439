"""The pages about this library, for reading offline, and what they say about a name that stands in a message.

Most pages are package data. `how-a-model-ships` and `runbook` lie in `docs` of a generated repository, where people may
edit them; outside of one they are read from the template that the library carries.
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
# Links to other pages, which a terminal cannot follow.
LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#]*?)(?:\.md)?(?:#[^)]*)?\)")
EXIT_CODES = re.compile(r"exit codes? \d+(?: and \d+)?", re.IGNORECASE)
HEADING = re.compile(r"(#+) (.+)")
CODE = re.compile(r"`([^`]+)`")
WORDS = 3  # of a table's cell that is a name, at most


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        name: Name, as `gitops docs` takes it.
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
        title: The heading.
        text: What stands below it, up to the next heading of the same level; of a page's title, up to the next heading.
    """

    page: str
    title: str
    text: str


@dataclass(frozen=True)
class Entry:
    """What there is to read about some names.

    Attributes:
        names: Names that lead here.
        title: The heading to show.
        text: Content in Markdown.
    """

    names: tuple[str, ...]
    title: str
    text: str


def pages(start: Path) -> dict[str, Page]:
    """Return every page by its name.

    Args:
        start: A folder; if it lies in a generated repository, that repository's own pages are read.
    """
    texts = {file.stem: file.read_text(encoding="utf-8") for file in (DATA / "docs").glob("*.md")}
    texts |= {name: _scaffold(name, start.resolve()) for name in SCAFFOLD}
    return {name: Page(name, LINK.sub(_without_link, texts[name])) for name in sorted(texts)}


def explain(name: str, known: dict[str, Page]) -> list[Entry]:
    """Return what the pages and the schema of model.toml say about a name; nothing where they do not know it.

    Args:
        name: Id of a gate, a check or an alarm, an exit code, a command, a table or a key of model.toml, a variable;
            upper and lower case are the same.
        known: The pages.
    """
    everything = entries(known)
    # The title of an issue about an alarm goes on: "Data drift in production: worst_radius".
    for asked in (_key(name), _key(name.partition(" in ")[0])):
        found = [entry for entry in everything if asked in map(_key, entry.names)]
        if found:
            return _joined(found)
    return list(_mentions(name, known)) if _key(name) else []


def entries(known: dict[str, Page]) -> list[Entry]:
    """Return everything that has a name of its own: sections, rows of tables, keys of model.toml."""
    found = []
    for section in _sections(known):
        title = f"{section.title} (`gitops docs {section.page}`)"
        found += [Entry(_names(section), title, section.text), *_rows(section, title)]
    return [*found, *_keys()]


def _joined(found: list[Entry]) -> list[Entry]:
    """Return entries with the rows of one table as one."""
    joined: list[Entry] = []
    for entry in found:
        last = joined[-1] if joined else None
        if last and last.title == entry.title and last.text.startswith(head := entry.text.rpartition("\n")[0]):
            joined[-1] = replace(last, text=f"{last.text}{entry.text.removeprefix(head)}")
        else:
            joined.append(entry)
    return joined


def _names(section: Section) -> tuple[str, ...]:
    """Return the names that a section is about: its heading, the last part of a table's, and exit codes."""
    if section.page == "model-toml":
        return section.title, section.title.rpartition(".")[2]
    ends_with = EXIT_CODES.search(section.text) if section.page == "runbook" else None
    return section.title, *(re.findall(r"\d+", ends_with[0]) if ends_with else ())


def _scaffold(name: str, start: Path) -> str:
    """Return a page of the repository around a folder; the template's where there is none."""
    root = next((folder for folder in (start, *start.parents) if (folder / "model.toml").is_file()), None)
    path = f"docs/{name}.md"
    if root and (root / path).is_file():
        return (root / path).read_text(encoding="utf-8")
    archive = DATA / "template.zip"
    if archive.is_file():
        with zipfile.ZipFile(archive) as opened:
            return opened.read(f"{TEMPLATE}/{path}").decode("utf-8")
    # The library is installed from a checkout, for editing: the template lies beside it.
    return (DATA.parents[2] / TEMPLATE / path).read_text(encoding="utf-8")


def _without_link(link: re.Match[str]) -> str:
    """Return the text of a link, with the command that shows the page which it leads to."""
    return f"{link[1]} (`gitops docs {link[2]}`)" if link[2] else link[1]


def _sections(known: dict[str, Page]) -> Iterator[Section]:
    for page in known.values():
        lines = page.text.splitlines()
        places = list(_headings(lines))
        for index, (number, level, title) in enumerate(places):
            after = (start for start, other, _ in places[index + 1 :] if other <= level or level == 1)
            text = "\n".join(lines[number + 1 : next(after, len(lines))]).strip()
            yield Section(page.name, title, text)


def _headings(lines: list[str]) -> Iterator[tuple[int, int, str]]:
    """Return line, level and title of each heading; a comment in a block of code is none."""
    fenced = False
    for number, line in enumerate(lines):
        fenced ^= line.startswith("```")
        found = HEADING.fullmatch(line)
        if found and not fenced:
            yield number, len(found[1]), found[2].replace("`", "")


def _blocks(text: str) -> Iterator[str]:
    """Return paragraphs and points of lists; of tables, each row below its head."""
    for block in re.split(r"\n\s*\n|\n(?=- )", text):
        lines = block.splitlines()
        if block.startswith("|"):
            yield from ("\n".join([*lines[:2], row]) for row in lines[2:])
        else:
            yield block


def _rows(section: Section, title: str) -> Iterator[Entry]:
    """Return the rows of a section's tables whose first two cells name something."""
    for block in _blocks(section.text):
        if block.startswith("|") and "\n### " not in section.text:
            cells = [cell.strip() for cell in block.splitlines()[2].strip("|").split("|")]
            names = [name for cell in cells[:2] for name in cell.split(",") if 0 < len(name.split()) <= WORDS]
            names += [name for cell in cells[:2] if not CODE.sub("", cell).strip(" ,") for name in CODE.findall(cell)]
            yield Entry(tuple(name.replace("`", "") for name in names), title, block)


def _keys() -> Iterator[Entry]:
    """Return the keys of model.toml, from the schema that editors use."""
    schema = json.loads((DATA / "model.schema.json").read_text(encoding="utf-8"))
    for place, field in _fields(schema, schema["$defs"], ()):
        default = field.get("default")
        said = f" Default: `{json.dumps(default, ensure_ascii=False)}`." if default is not None else ""
        text = f"{field.get('description', '')}{said}\n\n`gitops explain {'.'.join(place[:-1])}` shows the table."
        yield Entry((".".join(place), place[-1]), f"`{place[-1]}` under [{'.'.join(place[:-1])}] in model.toml", text)


def _fields(
    table: dict[str, Any], known: dict[str, Any], place: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Return every key that is no table, by its place."""
    for name, field in table.get("properties", {}).items():
        below = [field, *field.get("anyOf", []), *field.get("patternProperties", {}).values()]
        tables = [known[each["$ref"].rpartition("/")[2]] for each in below if "$ref" in each]
        for inner in tables:
            yield from _fields(inner, known, (*place, name))
        if not tables and place:
            yield (*place, name), field


def _mentions(name: str, known: dict[str, Page]) -> Iterator[Entry]:
    """Return the paragraphs that name something as code, such as a variable or a file."""
    asked = re.compile(rf"`(?:[^`]*[^`\w.-])?{re.escape(name.strip('`'))}(?![\w-])[^`]*`", re.IGNORECASE)
    for section in _sections(known):
        own = section.text.partition("\n### ")[0]
        found = [block for block in _blocks(own) if asked.search(block)]
        if found:
            yield Entry((name,), f"{section.title} (`gitops docs {section.page}`)", "\n\n".join(found))


def _key(name: str) -> str:
    """Return what of a name counts when two are compared."""
    text = re.sub(r"\(.*?\)|[`*\[\]]", "", name).casefold().strip()
    return re.sub(r"^(?:exit code |gitops |the |gitops(?=[a-z]))|[\s_-]", "", text)
