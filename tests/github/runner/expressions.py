"""The few expressions that the runner itself must evaluate; act evaluates the others."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|([A-Za-z_][\w-]*)|(\|\||&&|==|!=|[!().,]))")
EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
WORDS = {"true": True, "false": False, "null": None}
# A missing key of these is our own omission, not the workflow's: it is refused instead of read as empty.
CLOSED = {"github"}


class NotUnderstood(Exception):
    """An expression beyond what the runner evaluates"""


def interpolate(text: str, contexts: Mapping[str, Any]) -> str:
    """The text with each `${{ }}` in it replaced by its value."""
    return EMBEDDED.sub(lambda found: shown(evaluate(found[1], contexts)), text)


def evaluate(text: str, contexts: Mapping[str, Any]) -> Any:
    """The value of an expression, with or without its `${{ }}`."""
    inner = EMBEDDED.fullmatch(text.strip())
    return _Parser(inner[1] if inner else text, contexts).whole()


def shown(value: Any) -> str:
    """A value as GitHub writes it into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


class _Parser:
    """A recursive descent that evaluates as it goes; nothing here has an effect, so nothing is skipped."""

    def __init__(self, text: str, contexts: Mapping[str, Any]) -> None:
        """Cut the text into tokens."""
        self.text = text.strip()
        self.contexts = contexts
        self.tokens = self._cut()

    def _refuse(self, why: str) -> NoReturn:
        """Say what is beyond us, rather than guess."""
        raise NotUnderstood(f"The local runner does not evaluate {self.text!r}: {why}.")

    def _cut(self) -> list[str]:
        """The tokens, last first, so that the next one is popped."""
        tokens, place = [], 0
        while place < len(self.text):
            found = TOKEN.match(self.text, place)
            if not found:
                self._refuse(f"strange at {self.text[place:]!r}")
            tokens.append(found[0].strip())
            place = found.end()
        return tokens[::-1]

    def _next(self, *wanted: str) -> str:
        """The next token if it is one of these, else an empty text."""
        return self.tokens.pop() if self.tokens and self.tokens[-1] in wanted else ""

    def whole(self) -> Any:
        """The value of all of it."""
        value = self._or()
        if self.tokens:
            self._refuse(f"{self.tokens[-1]!r} was not expected")
        return value

    def _or(self) -> Any:
        """The first that is true, else the last."""
        value = self._and()
        while self._next("||"):
            other = self._and()
            value = value or other
        return value

    def _and(self) -> Any:
        """The first that is false, else the last."""
        value = self._equal()
        while self._next("&&"):
            other = self._equal()
            value = value and other
        return value

    def _equal(self) -> Any:
        """Two values compared, or one alone."""
        value = self._unary()
        while sign := self._next("==", "!="):
            value = _same(value, self._unary()) == (sign == "==")
        return value

    def _unary(self) -> Any:
        """A value, perhaps negated or in brackets."""
        if self._next("!"):
            return not self._unary()
        if self._next("("):
            value = self._or()
            self._close()
            return value
        return self._atom()

    def _close(self) -> None:
        """A closing bracket must come."""
        if not self._next(")"):
            self._refuse("a bracket is not closed")

    def _atom(self) -> Any:
        """A literal, a call or a name."""
        token = self.tokens.pop() if self.tokens else self._refuse("it ends too early")
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token[0].isdigit() or token[0] == "-":
            return float(token)
        if token in WORDS:
            return WORDS[token]
        return self._call(token) if self._next("(") else self._name(token)

    def _call(self, name: str) -> Any:
        """The value of a function."""
        values = []
        while not self._next(")"):
            values.append(self._or())
            if not self._next(","):
                self._close()
                break
        if name not in FUNCTIONS:
            self._refuse(f"it knows no function {name!r}")
        return FUNCTIONS[name](*values)

    def _name(self, name: str) -> Any:
        """What a context holds under a dotted name."""
        if name not in self.contexts:
            self._refuse(f"it knows no {name!r}")
        value: Any = self.contexts[name]
        closed = name in CLOSED
        while self._next("."):
            key = self.tokens.pop() if self.tokens else self._refuse("it ends too early")
            if closed and key not in value:
                self._refuse(f"its github context has no {key!r}")
            closed, value = False, value.get(key) if isinstance(value, Mapping) else None
        return value


def _same(left: Any, right: Any) -> bool:
    """GitHub's loose equality: texts without case, unlike kinds as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return _number(left) == _number(right)


def _number(value: Any) -> float:
    """A value as a number; what is none equals nothing."""
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return float("nan")


def _format(pattern: str, *values: Any) -> str:
    """GitHub's format()."""
    return pattern.format(*map(shown, values))


FUNCTIONS: dict[str, Callable[..., Any]] = {"format": _format}
