"""A parser that collects what a browser would do with an HTML page."""

from collections import Counter
from html.parser import HTMLParser
from typing import Any


class PageParser(HTMLParser):
    """Parse an HTML page.

    Attributes:
        elements: Number of elements by tag, and of comments.
        references: Attributes that would load or run something, such as `src` and `onclick`.
        scripts: Texts of the scripts that would run.
        data: Text of the scripts that contain data.
        policy: The content security policy.
    """

    def __init__(self, text: str) -> None:
        """Parse a whole page."""
        super().__init__(convert_charrefs=True)
        self.elements: Counter[str] = Counter()
        self.scripts: list[str] = []
        self.data, self.policy = "", ""
        self.references: list[str] = []
        self._script_type: str | None = None
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Count the element, and collect its references."""
        self.elements[tag] += 1
        attributes = dict(attrs)
        self.references += [
            name for name in attributes if name in {"src", "href", "srcset", "action"} or name.startswith("on")
        ]
        if attributes.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(attributes["content"])
        if tag == "script":
            self._script_type = attributes.get("type") or ""

    def handle_data(self, data: str) -> None:
        """Collect the text of scripts."""
        if self._script_type == "":
            self.scripts.append(data)
        elif self._script_type:
            self.data += data

    def handle_comment(self, data: str) -> None:
        """Count the comment."""
        self.elements["comment"] += 1

    def handle_endtag(self, tag: str) -> None:
        """End a script."""
        self._script_type = None if tag == "script" else self._script_type


def find_texts(value: Any) -> list[str]:
    """Return every text in a JSON value."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in find_texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in find_texts(item)]
    return [value] if isinstance(value, str) else []
