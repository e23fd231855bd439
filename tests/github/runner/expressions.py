"""Evaluation of the few expressions that the runner needs; act evaluates the others."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

TOKEN = re.compile(r"\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|([A-Za-z_][\w-]*)|(\|\||&&|==|!=|[!().,]))")
EMBEDDED = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
CONSTANTS = {"true": True, "false": False, "null": None}
# Contexts in which an unknown key is an error of this runner, not of the workflow: it is refused, not read as empty.
STRICT_CONTEXTS = {"github"}


class UnsupportedExpression(Exception):
    """Error for an expression that the runner does not evaluate."""


def interpolate(text: str, contexts: Mapping[str, Any]) -> str:
    """Return the text with each `${{ }}` replaced by its value."""
    return EMBEDDED.sub(lambda match: to_text(evaluate(match[1], contexts)), text)


def evaluate(text: str, contexts: Mapping[str, Any]) -> Any:
    """Return the value of an expression, with or without `${{ }}`."""
    match = EMBEDDED.fullmatch(text.strip())
    return _Parser(match[1] if match else text, contexts).evaluate_all()


def to_text(value: Any) -> str:
    """Return a value as GitHub writes it into a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


class _Parser:
    """Recursive descent parser that evaluates while it parses, and calls no function in a part that does not count."""

    def __init__(self, text: str, contexts: Mapping[str, Any]) -> None:
        """Split the text into tokens."""
        self.text = text.strip()
        self.contexts = contexts
        self.skips = False
        self.tokens = self._tokenize()

    def _fail(self, reason: str) -> NoReturn:
        """Raise UnsupportedExpression."""
        raise UnsupportedExpression(f"The local runner does not evaluate {self.text!r}: {reason}.")

    def _tokenize(self) -> list[str]:
        """Return the tokens, last first, so that `pop` returns the next one."""
        tokens, position = [], 0
        while position < len(self.text):
            match = TOKEN.match(self.text, position)
            if not match:
                self._fail(f"unexpected text at {self.text[position:]!r}")
            tokens.append(match[0].strip())
            position = match.end()
        return tokens[::-1]

    def _accept(self, *expected: str) -> str:
        """Remove and return the next token if it is one of these; else return an empty text."""
        return self.tokens.pop() if self.tokens and self.tokens[-1] in expected else ""

    def evaluate_all(self) -> Any:
        """Return the value of the whole expression."""
        value = self._or()
        if self.tokens:
            self._fail(f"{self.tokens[-1]!r} was not expected")
        return value

    def _or(self) -> Any:
        """Return the first true value, else the last."""
        value = self._and()
        while self._accept("||"):
            other = self._parse(self._and, is_skipped=_is_true(value))
            value = value if _is_true(value) else other
        return value

    def _and(self) -> Any:
        """Return the first false value, else the last."""
        value = self._equal()
        while self._accept("&&"):
            other = self._parse(self._equal, is_skipped=not _is_true(value))
            value = other if _is_true(value) else value
        return value

    def _parse(self, part: Callable[[], Any], *, is_skipped: bool) -> Any:
        """Return the value of a part of the expression; call no function in it if the part is skipped."""
        before, self.skips = self.skips, self.skips or is_skipped
        value = part()
        self.skips = before
        return value

    def _equal(self) -> Any:
        """Return the comparison of two values, or a single value."""
        value = self._unary()
        while sign := self._accept("==", "!="):
            value = _same(value, self._unary()) == (sign == "==")
        return value

    def _unary(self) -> Any:
        """Return a value, possibly negated or in parentheses."""
        if self._accept("!"):
            return not _is_true(self._unary())
        if self._accept("("):
            value = self._or()
            self._close()
            return value
        return self._atom()

    def _close(self) -> None:
        """Require a closing parenthesis."""
        if not self._accept(")"):
            self._fail("a bracket is not closed")

    def _atom(self) -> Any:
        """Return the value of a literal, a call or a name."""
        token = self.tokens.pop() if self.tokens else self._fail("it ends too early")
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if token[0].isdigit() or token[0] == "-":
            return float(token)
        if token in CONSTANTS:
            return CONSTANTS[token]
        return self._call(token) if self._accept("(") else self._name(token)

    def _call(self, name: str) -> Any:
        """Return the value of a function call."""
        values = []
        while not self._accept(")"):
            values.append(self._or())
            if not self._accept(","):
                self._close()
                break
        if name not in FUNCTIONS:
            self._fail(f"it knows no function {name!r}")
        if self.skips:
            return None
        try:
            return FUNCTIONS[name](*values)
        except ValueError as error:
            self._fail(f"{name}() failed: {error}")

    def _name(self, name: str) -> Any:
        """Return the value of a dotted name in a context."""
        if name not in self.contexts:
            self._fail(f"it knows no {name!r}")
        value: Any = self.contexts[name]
        is_strict = name in STRICT_CONTEXTS
        while self._accept("."):
            key = self.tokens.pop() if self.tokens else self._fail("it ends too early")
            if is_strict and key not in value:
                self._fail(f"its github context has no {key!r}")
            is_strict, value = False, value.get(key) if isinstance(value, Mapping) else None
        return value


def _is_true(value: Any) -> bool:
    """Return whether GitHub takes a value as true: also an empty list or mapping."""
    return isinstance(value, list | dict) or bool(value)


def _same(left: Any, right: Any) -> bool:
    """Return GitHub's loose equality: texts ignoring case, different types as numbers."""
    if isinstance(left, str) and isinstance(right, str):
        return left.casefold() == right.casefold()
    return _number(left) == _number(right)


def _number(value: Any) -> float:
    """Return a value as a number; NaN if it is none."""
    try:
        return float(value or 0)
    except (TypeError, ValueError):
        return float("nan")


def _format(pattern: str, *values: Any) -> str:
    """Return the value of GitHub's format()."""
    return pattern.format(*map(to_text, values))


def _starts_with(text: Any, prefix: Any) -> bool:
    """Return the value of GitHub's startsWith(), which ignores case."""
    return to_text(text).casefold().startswith(to_text(prefix).casefold())


def _from_json(text: Any) -> Any:
    """Return the value of GitHub's fromJSON(); numbers are floats, as everywhere in expressions."""
    value = json.loads(to_text(text))
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


FUNCTIONS: dict[str, Callable[..., Any]] = {"format": _format, "fromJSON": _from_json, "startsWith": _starts_with}
