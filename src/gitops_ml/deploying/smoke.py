"""Hear a server out: does it become ready, is it the version that was meant, does it say what it said in training?

What comes back are sentences about a *definite* bad answer; none means that all is well. That nobody could be asked
at all is a ContainerError.
"""

import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from gitops_ml import run
from gitops_ml.errors import ContainerError
from gitops_ml.manifest import verify

if TYPE_CHECKING:
    from gitops_ml.predictions import Predictions

# Seconds between two looks at a server that is not ready yet, and for one answer.
LOOK, ANSWER = 0.05, 30
LOOKS = 10  # after so many, whether it is up at all is asked too
ATTEMPTS = 5
SHOWN = 3
# What a server says of itself when it will never be ready.
UNFIT = "unfit"
# How often an address that others share must say which version answers there, before a bad answer is that version's.
TIMES = 5
# Answers that say nothing of a version: the way leads elsewhere, a token is missing, a proxy reached nobody.
NOT_OURS = frozenset({301, 302, 303, 307, 308, 401, 403, 407, 502, 504})
LOOPBACK = ("http://127.0.0.1:", "http://localhost:")


def wait_ready(url: str, seconds: float, alive: Callable[[], bool], *, shared: bool = False) -> list[str]:
    """Wait until a server says that it is ready.

    Args:
        url: Where it answers.
        seconds: How long it may take.
        alive: Whether it is still up at all; asked now and then.
        shared: It is where callers ask: a proxy may lie between, and only what a server of ours says counts.

    Returns:
        Why it never will be, in sentences; nothing when it is ready.

    Raises:
        ContainerError: Whether it is still up cannot be found out, or nobody but a proxy was heard.
    """
    until = time.monotonic() + seconds
    for look in itertools.count(1):
        try:
            answer = _session(url).get(f"{url}/health/ready", timeout=ANSWER)
        except requests.RequestException:
            last, ours = "it does not answer", False
        else:
            if answer.ok:
                return []
            error = _content(answer).get("error")
            if isinstance(error, dict) and error.get("code") == UNFIT:
                return [str(error.get("message"))]
            last, ours = _said(answer), _is_ours(answer)
        if look % LOOKS == 0 and not alive():
            return ["It ended before it was ready."]
        if time.monotonic() > until:
            break
        time.sleep(LOOK)
    if not alive():
        return ["It ended before it was ready."]
    if shared and not ours:
        raise ContainerError(
            f"Whether {url} is ready could not be found out in {seconds:g} s: {last}.",
            "Look at what lies between here and there: names, certificates, a proxy. Nothing was held.",
        )
    return [f"It was not ready after {seconds:g} s: {last}."]


def replay(url: str, files: Path, digest: str, token: str | None = None, *, shared: bool = False) -> list[str]:
    """Ask a ready server about the rows that were recorded in training.

    Args:
        url: Where it answers.
        files: The version's files.
        digest: Of their manifest.
        token: What a caller must bear, if anything.
        shared: It is where callers ask: other versions may answer there too, while one takes the place of another.

    Returns:
        What differs from what was recorded, in sentences; nothing when it says the same.

    Raises:
        IntegrityError: The files are not those that the digest names.
        ContainerError: It could not be asked, though it was tried several times; or another version answered.
    """
    verify(files, digest)
    wrong = _replay(url, files, digest, token, shared)
    for _ in range(TIMES if wrong and shared else 0):
        _insist(url, _content(_ask("GET", f"{url}/metadata", None, token, shared)).get("digest"), digest)
    return wrong


def _replay(url: str, files: Path, digest: str, token: str | None, shared: bool) -> list[str]:
    about = _ask("GET", f"{url}/metadata", None, token, shared)
    if not about.ok:
        return [f"/metadata is answered with {_said(about)}."]
    served = _content(about).get("digest")
    if shared:
        _insist(url, served, digest)
    if served != digest:
        return [f"It serves {served}, not {digest}."]
    expected = json.loads((files / run.EXPECTED).read_bytes())
    answer = _ask("POST", f"{url}/predict", {"rows": expected["rows"]}, token, shared)
    if not answer.ok:
        return [f"The {len(expected['rows'])} recorded rows are answered with {_said(answer)}."]
    return _differences(expected["predictions"], _content(answer), run.read(files, digest))


def _insist(url: str, served: object, digest: str) -> None:
    """What another version says where callers ask is not this one's fault."""
    if served != digest:
        raise ContainerError(
            f"{url} answers with {served or 'no digest'}, not with {digest}.",
            "An old version may still be on its way out, or the address leads elsewhere; run Deploy again.",
        )


def _session(url: str) -> requests.Session:
    """No proxy lies between here and here, whatever the environment says."""
    session = requests.Session()
    session.trust_env = not url.startswith(LOOPBACK)
    return session


def _ask(method: str, url: str, body: Any, token: str | None, shared: bool) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS), wait=wait_exponential_jitter(multiplier=0.2, max=5), reraise=True,
        retry=retry_if_exception_type((requests.ConnectionError, requests.Timeout)),
    )  # fmt: skip
    try:
        answer: requests.Response = retrying(
            _session(url).request, method, url, json=body, headers=headers, timeout=ANSWER, allow_redirects=False
        )
    except requests.RequestException as error:
        raise ContainerError(
            f"{url} cannot be asked: {type(error).__name__}.", "Look at the network between here and there; try again."
        ) from error
    if answer.status_code in NOT_OURS or (shared and not answer.ok and not _is_ours(answer)):
        raise ContainerError(
            f"{url} is answered with {_said(answer)}: by something that lies between, or to somebody without a right.",
            "A token that the server wants stands in GITOPS_TOKEN; else look at the proxy.",
        )
    return answer


def _content(answer: requests.Response) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        content = answer.json()
    except requests.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_ours(answer: requests.Response) -> bool:
    """Whether a refusal has the form that our servers give it; a proxy's own has not."""
    error = _content(answer).get("error")
    return isinstance(error, dict) and "code" in error


def _said(answer: requests.Response) -> str:
    """Status and words of an answer, on one line that cannot be long."""
    words = " ".join(answer.text.split())
    return f"{answer.status_code} {words[:300]}".strip()


def _differences(expected: list[dict[str, Any]], answer: Any, described: run.Run) -> list[str]:
    """What a server says against what was recorded, row by row."""
    import numpy as np

    from gitops_ml.predictions import same

    try:
        then, now = _recorded(expected, described.classes), _answered(answer, described.classes)
    except (KeyError, TypeError, ValueError):
        return ["Its answer to the recorded rows does not have the form of an answer."]
    if len(now.values) != len(then.values):
        return [f"It gives {len(now.values)} answers to {len(then.values)} recorded rows."]
    wrong = []
    for place in range(len(then.values)):
        before, today = then.take(np.array([place])), now.take(np.array([place]))
        if not same(before, today) or (described.classes and before.values[0] != today.values[0]):
            wrong.append(f"row {place + 1}: {_told(today)} instead of {_told(before)}")
    if not wrong:
        return []
    shown = "; ".join(wrong[:SHOWN])
    return [f"{len(wrong)} of {len(then.values)} recorded rows are answered otherwise than in training ({shown})."]


def _recorded(expected: list[dict[str, Any]], classes: tuple[Any, ...]) -> "Predictions":
    import numpy as np

    from gitops_ml.predictions import PROBABILITY, VALUE, Predictions

    values = np.array([row[VALUE] for row in expected])
    columns = [f"{PROBABILITY}{label}" for label in classes]
    known = bool(columns) and columns[0] in expected[0]
    return Predictions(
        values, np.array([[row[name] for name in columns] for row in expected]) if known else None, classes
    )


def _answered(answer: dict[str, Any], classes: tuple[Any, ...]) -> "Predictions":
    import numpy as np

    from gitops_ml.predictions import Predictions

    given = answer.get("probabilities")
    columns = None if given is None else np.array([given[str(label)] for label in classes], dtype=float).T
    values = np.array(answer["predictions"], dtype=None if classes else float)
    if values.ndim != 1 or (columns is not None and columns.shape != (len(values), len(classes))):
        raise ValueError("one prediction for each row, and one share for each class")
    return Predictions(values, columns, classes)


def _told(said: "Predictions") -> str:
    """One prediction, with how sure it is."""
    if said.probabilities is None:
        return str(said.values[0])
    return f"{said.values[0]} ({', '.join(f'{share:.4f}' for share in said.probabilities[0])})"
