"""What a browser sees of a page, without one."""

from collections import Counter
from html.parser import HTMLParser
from typing import Any


class Browser(HTMLParser):
    """What a browser would see: elements, scripts that run, and what it would fetch."""

    def __init__(self, text: str) -> None:
        """Read a whole page."""
        super().__init__(convert_charrefs=True)
        self.seen: Counter[str] = Counter()
        self.scripts: list[str] = []
        self.data, self.policy = "", ""
        self.wanted: list[str] = []
        self._script: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count it, and look at its attributes."""
        self.seen[tag] += 1
        given = dict(attrs)
        self.wanted += [name for name in given if name in {"src", "href", "srcset", "action"} or name.startswith("on")]
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(given["content"])
        if tag == "script":
            self._script = given.get("type") or ""

    def handle_data(self, data: str) -> None:
        """Keep scripts, and what they draw."""
        if self._script == "":
            self.scripts.append(data)
        elif self._script:
            self.data += data

    def handle_comment(self, data: str) -> None:
        """There is none."""
        self.seen["comment"] += 1

    def handle_endtag(self, tag: str) -> None:
        """A script ends."""
        self._script = None if tag == "script" else self._script


def texts(value: Any) -> list[str]:
    """Every text in a figure."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else [
        value] if isinstance(value, str) else []  # fmt: skip
