"""Markdown as GitHub shows it: tables, <details>, no comments, no scripts."""

from html import escape
from html.parser import HTMLParser

from markdown_it import MarkdownIt
from markupsafe import Markup

TAGS = {
    "a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "picture", "pre", "q", "s", "samp", "source", "span",
    "strike", "strong", "sub", "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "tt", "ul",
    "var",
}  # fmt: skip
ATTRIBUTES = {
    "href", "src", "alt", "title", "align", "width", "height", "open", "start", "id", "name", "colspan", "rowspan",
}  # fmt: skip
SILENT = {"script", "style", "iframe", "textarea", "title", "noscript", "template"}
ALIGNED = {f"text-align:{side}" for side in ("left", "center", "right")}
ALERTS = ("NOTE", "TIP", "IMPORTANT", "WARNING", "CAUTION")
_READER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


class Cleaner(HTMLParser):
    """HTML filter that keeps only the tags and attributes that GitHub keeps."""

    def __init__(self) -> None:
        """Start without content."""
        super().__init__(convert_charrefs=False)
        self.kept: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an allowed tag with its allowed attributes."""
        self.silent += tag in SILENT
        if tag in TAGS and not self.silent:
            harmless = [pair for pair in map(_aligned, attrs) if _harmless(*pair)]
            kept = "".join(f' {name}="{escape(value or "")}"' for name, value in harmless)
            self.kept.append(f"<{tag}{kept}>")

    def handle_endtag(self, tag: str) -> None:
        """Close a tag that was kept."""
        if tag in SILENT:
            self.silent = max(self.silent - 1, 0)
        elif tag in TAGS and not self.silent:
            self.kept.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if not self.silent:
            self.kept.append(data.replace("<", "&lt;"))

    def handle_entityref(self, name: str) -> None:
        """Keep an entity as it is."""
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """Keep a numbered entity as it is."""
        self.handle_data(f"&#{name};")


def _aligned(attribute: tuple[str, str | None]) -> tuple[str, str | None]:
    # A column's alignment is the only style that GitHub keeps, as an attribute.
    name, value = attribute
    return ("align", value[len("text-align:") :]) if name == "style" and value in ALIGNED else attribute


def _harmless(name: str, value: str | None) -> bool:
    scheme = "".join((value or "").split()).lower().partition(":")[0]
    return name in ATTRIBUTES and scheme not in {"javascript", "vbscript", "data"}


def render(text: str | None) -> Markup:
    """Render Markdown as safe HTML."""
    cleaner = Cleaner()
    cleaner.feed(_READER.render(text or ""))
    cleaner.close()
    html = "".join(cleaner.kept)
    for alert in ALERTS:
        html = html.replace(
            f"<blockquote>\n<p>[!{alert}]", f"<blockquote>\n<p><strong>{alert.capitalize()}</strong><br>"
        )
    html = html.replace("<li>[ ] ", "<li>☐ ").replace("<li>[x] ", "<li>☑ ")
    # Cleaned above, tag by tag.
    return Markup(html)  # noqa: S704
