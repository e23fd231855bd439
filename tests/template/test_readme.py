"""README.md: it is short, its commands exist, and its picture is one that the library would make."""

import json
import re
from itertools import pairwise

from repositories import GENERATED, TEMPLATE

README = (TEMPLATE / "README.md").read_text(encoding="utf-8")
PICTURE = TEMPLATE / "docs" / "images" / "promotion-pull-request.png"
GOLDEN = TEMPLATE / "tests" / "unit" / "golden" / "body-better.md"
MAX_PICTURE_KIB = 300
# Three minutes at 250 words a minute, with a table of files to look at.
MAX_WORDS = 800
QUESTIONS = {"eight": 8, "seven": 7, "nine": 9}


def outline(body: str) -> set[str]:
    """Return the parts of a pull request's text that do not depend on the versions, without figures and names.

    These are the heads of tables, the first words of folded sections, and the first words of paragraphs in bold.
    Columns with contributions are left out, because a version has them only if its model is linear.
    """
    lines = body.splitlines()
    heads = [line for line, below in pairwise(lines) if below.startswith("|--")]
    cells = [re.sub(r"\s*\|\s*", " | ", head).strip(" |") for head in heads]
    cells = [re.sub(r" \| contributions \(\w+\)", "", cell) for cell in cells]
    sections = re.findall(r"<summary>([A-Z][a-z ]+[a-z])", body)
    return {*cells, *sections, *re.findall(r"^\*\*([A-Z][\w ]+?)\.?\*\*", body, flags=re.MULTILINE)}


def test_it_is_read_in_three_minutes() -> None:
    """Words outside of code blocks."""
    words = len(re.sub(r"```.*?```", "", README, flags=re.DOTALL).split())
    assert words <= MAX_WORDS, f"README.md has {words} words, at most {MAX_WORDS}: people read it before they try"


def test_its_commands_are_targets_of_the_makefile() -> None:
    """`make TARGET`, in the README of the template."""
    targets = set(re.findall(r"^([a-z]+):", (TEMPLATE / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    targets |= set(re.findall(r"^([a-z]+):", (GENERATED / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z]+)", README))
    assert {"demo", "picture", "check"} <= named
    assert named - targets == set()


def test_it_counts_the_questions() -> None:
    """The number of questions is that of cookiecutter.json."""
    questions = [key for key in json.loads((TEMPLATE / "cookiecutter.json").read_text()) if not key.startswith("_")]
    (word,) = re.findall(r"Cookiecutter asks (\w+) questions", README)
    assert QUESTIONS[word] == len(questions)


def test_the_picture_is_small() -> None:
    """The README names it, and a visitor does not wait for it."""
    assert f"]({PICTURE.relative_to(TEMPLATE).as_posix()})" in README
    content = PICTURE.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert len(content) <= MAX_PICTURE_KIB * 1024


def test_the_picture_shows_what_the_library_writes_today() -> None:
    """If the text of the pull request has other parts now: run `make picture`, and look at the picture."""
    text = PICTURE.with_suffix(".md").read_text(encoding="utf-8")
    assert outline(text) == outline(GOLDEN.read_text(encoding="utf-8"))
