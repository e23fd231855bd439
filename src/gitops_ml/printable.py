"""Text as it may be shown to people: addresses without secrets, and no character that a terminal would obey.

Text reaches people from data, from files of the store and from the messages of other programs. Two functions decide
what of it is shown, for every output and every error.
"""

import re

# An address: scheme, user and password, host and path, query and fragment. The second form of user and password is one
# whose password contains a slash: "ada:pass/word@host". A port is not a password.
ADDRESS = re.compile(
    r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)"
    r"(?:[^\s/?#]*@|[^\s/?#:@]*:(?!\d+(?:[/?#\s]|$))\S*@)?"
    r"(?P<place>[^\s?#]*)"
    r"(?P<query>[?#]\S*)?",
    re.IGNORECASE,
)
# Errors of urllib3 name the path and the query of a request without its host.
REQUEST = re.compile(r"(?P<path>\bwith url: [^\s?]*)\?\S*")
CLOSING = re.compile(r"""[])}>'"`.,;:!]*$""")
# The library's own links to GitHub's form for a pull request have this query.
SHOWN_QUERY = re.compile(r"\?expand=1\b")
# Control characters, those that reverse the direction of text, those without a width, and halves of a character. A
# terminal obeys some of them, and others hide what a text says. Tabs and line ends are no part of it.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def show_addresses(text: str) -> str:
    """Return a text in which each address has only its scheme, host and path.

    A user, a password, a query and a fragment may be secret.

    Args:
        text: An address, or a text that contains addresses.
    """
    return REQUEST.sub(r"\g<path>", ADDRESS.sub(_show_address, text))


def _show_address(match: re.Match[str]) -> str:
    query = match["query"] or ""
    kept = query if SHOWN_QUERY.match(query) else _closing(query)
    return f"{match['scheme']}{match['place']}{kept}"


def _closing(query: str) -> str:
    """Return the punctuation at the end of a query, which belongs to the sentence around the address."""
    found = CLOSING.search(query)
    return found.group() if found else ""


def show_invisible(text: str) -> str:
    r"""Return a text in which invisible characters are written as Python writes them, such as `\x1b` for ESC.

    Args:
        text: Text of one or more lines; tabs and line ends stay.
    """
    return INVISIBLE.sub(lambda match: match.group().encode("unicode_escape").decode("ascii"), text)
