"""Messages between the judging process and a confined one, over a socket.

A request has a JSON document and bytes of any length, because the judging process is trusted. An answer has at most
64 KiB of JSON, or exactly as many bytes as the judging process asks for; it is read once, and never from a file.
"""

import json
import select
import socket
import struct
from typing import Any, NoReturn

MAX_JSON = 2**16
ARRAY, DOCUMENT, FAILURE = b"A", b"D", b"F"
REQUEST, ANSWER = struct.Struct("<QQ"), struct.Struct("<cI")
JsonObject = dict[str, Any]


class ConfinedError(Exception):
    """The confined process ended, or its answer is not of the agreed form; the message is a clause."""


class UserCodeError(Exception):
    """Your code raised an exception in the confined process; the message has its type and text.

    Attributes:
        kind: Name of the exception's class.
        problem: Problem of an error of this library; text of any other exception.
        next_step: Next step of an error of this library; empty for any other exception.
    """

    def __init__(self, kind: str, problem: str, next_step: str) -> None:
        """Create the error.

        Args:
            kind: Name of the exception's class.
            problem: Description of what went wrong.
            next_step: Advice.
        """
        super().__init__(f"{kind}: {problem}")
        self.kind, self.problem, self.next_step = kind, problem, next_step


class Requests:
    """The confined process's end: requests are read, and answered in turn."""

    def __init__(self, connection: socket.socket) -> None:
        """Create the end.

        Args:
            connection: Connected socket.
        """
        self._socket = connection

    def receive(self) -> tuple[JsonObject, bytes] | None:
        """Return the next request; None if there are no more."""
        head = _receive(self._socket, REQUEST.size)
        if head is None:
            return None
        document, data = (_receive(self._socket, size) or b"" for size in REQUEST.unpack(head))
        request: JsonObject = json.loads(document)
        return request, data

    def answer(self, value: JsonObject | bytes) -> None:
        """Send an answer.

        Args:
            value: A document, or bytes of the length that the judging process expects.
        """
        if isinstance(value, bytes):
            self._socket.sendall(ANSWER.pack(ARRAY, 0) + value)
        else:
            self._send(DOCUMENT, value)

    def fail(self, error: BaseException) -> None:
        """Send what went wrong.

        Args:
            error: The exception.
        """
        problem = str(getattr(error, "problem", error))[:4000]
        self._send(
            FAILURE,
            {
                "kind": type(error).__name__,
                "problem": problem,
                "next_step": str(getattr(error, "next_step", ""))[:4000],
            },
        )

    def _send(self, kind: bytes, document: JsonObject) -> None:
        content = json.dumps(document).encode()
        if len(content) > MAX_JSON:
            raise ValueError(f"the answer has {len(content)} bytes; at most {MAX_JSON} are read")
        self._socket.sendall(ANSWER.pack(kind, len(content)) + content)


class Answers:
    """The judging process's end: requests are sent, and answers are read within bounds."""

    def __init__(self, connection: socket.socket, process: int | None) -> None:
        """Create the end.

        Args:
            connection: Connected socket.
            process: Descriptor that becomes readable when the confined process ends; None where there is none.
        """
        self._socket, self._process = connection, process

    def ask(self, request: JsonObject, data: bytes = b"", size: int | None = None) -> Any:
        """Send a request, and return the answer: a document, or bytes if a size is given.

        Args:
            request: The document of the request.
            data: The bytes of the request.
            size: Exact number of bytes of the answer; None for a document.

        Returns:
            The document, or the bytes.

        Raises:
            UserCodeError: Your code raised an exception.
            ConfinedError: The process ended, or answered something else.
        """
        content = json.dumps(request).encode()
        try:
            self._socket.sendall(REQUEST.pack(len(content), len(data)) + content)
            self._socket.sendall(data)
        except OSError as error:
            raise ConfinedError("it ended before it had read the request") from error
        kind, length = ANSWER.unpack(self._read(ANSWER.size))
        if kind == ARRAY and size is not None:
            return self._read(size)
        if kind not in (DOCUMENT, FAILURE) or (size is not None and kind == DOCUMENT):
            raise ConfinedError("it answered in another form than was asked for")
        if length > MAX_JSON:
            raise ConfinedError(f"its answer claims {length} bytes; at most {MAX_JSON} are read")
        document = _parse(self._read(length))
        if kind == FAILURE:
            raise UserCodeError(*(_text(document, name) for name in ("kind", "problem", "next_step")))
        return document

    def _read(self, size: int) -> bytes:
        """Read exactly so many bytes; what was sent before the process ended is still read."""
        parts, missing = [], size
        while missing:
            if not self._wait():
                raise ConfinedError("it ended without an answer")
            part = self._socket.recv(min(missing, 2**20))
            if not part:
                raise ConfinedError("it ended without an answer")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _wait(self) -> bool:
        """Wait for bytes; return False if the process has ended and sent nothing more."""
        either, answer = select.poll(), select.poll()
        answer.register(self._socket, select.POLLIN)
        either.register(self._socket, select.POLLIN)
        if self._process is not None:
            either.register(self._process, select.POLLIN)
        either.poll()
        return bool(answer.poll(0))


def _receive(connection: socket.socket, size: int) -> bytes | None:
    """Read exactly so many bytes; None at the end of the stream."""
    parts, missing = [], size
    while missing:
        part = connection.recv(min(missing, 2**20))
        if not part:
            return None
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _parse(content: bytes) -> JsonObject:
    try:
        document = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ConfinedError(f"its answer is not JSON: {str(error)[:200]}") from error
    if not isinstance(document, dict):
        raise ConfinedError("its answer is no JSON object")
    return document


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _text(document: JsonObject, name: str) -> str:
    value = document.get(name)
    return value[:4000] if isinstance(value, str) else "an answer without text"
