"""Smoke test of a server: it becomes ready, it serves the intended version, and it predicts as in training.

Failures are returned as sentences; an empty list means that the test passed. If the server cannot be asked, so that
nothing is known about the version, a ContainerError is raised.
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

# Seconds between two readiness requests, and the time limit for one response.
INTERVAL, TIMEOUT = 0.05, 30
LIVENESS_EVERY = 10  # after this many readiness requests, ask whether the server is still running
ATTEMPTS = 5
MAX_SHOWN = 3  # differing rows in the failure
# Error code of a server that will never be ready.
UNFIT = "unfit"
# At an address that several versions may share, this many responses must name the version before a failure counts.
CONFIRMATIONS = 5
# Status codes that are not from the version: a redirect, a missing token, a proxy that did not reach the server.
FOREIGN_STATUSES = frozenset({301, 302, 303, 307, 308, 401, 403, 407, 502, 504})
LOOPBACK = ("http://127.0.0.1:", "http://localhost:")


def wait_until_ready(url: str, seconds: float, is_alive: Callable[[], bool], *, shared: bool = False) -> list[str]:
    """Wait until a server is ready.

    Args:
        url: URL of the server.
        seconds: Time limit.
        is_alive: Function that returns whether the server is still running; it is called from time to time.
        shared: The URL is the one of the callers. A proxy may be in between, and only responses of this library's
            server count.

    Returns:
        Failures, in sentences; an empty list if the server is ready.

    Raises:
        ContainerError: It is unknown whether the server is running, or only a proxy responded.
    """
    until = time.monotonic() + seconds
    for attempt in itertools.count(1):
        try:
            response = _session(url).get(f"{url}/health/ready", timeout=TIMEOUT)
        except requests.RequestException:
            last, from_server = "it does not answer", False
        else:
            if response.ok:
                return []
            error = _content(response).get("error")
            if isinstance(error, dict) and error.get("code") == UNFIT:
                return [str(error.get("message"))]
            last, from_server = _summary(response), _is_from_server(response)
        if attempt % LIVENESS_EVERY == 0 and not is_alive():
            return ["It ended before it was ready."]
        if time.monotonic() > until:
            break
        time.sleep(INTERVAL)
    if not is_alive():
        return ["It ended before it was ready."]
    if shared and not from_server:
        raise ContainerError(
            f"It could not be found out in {seconds:g} s whether {url} is ready: {last}.",
            "Check the network in between: DNS names, certificates, a proxy. No version was held.",
        )
    return [f"It was not ready after {seconds:g} s: {last}."]


def replay(url: str, files: Path, digest: str, token: str | None = None, *, shared: bool = False) -> list[str]:
    """Send the rows that were recorded in training to a server, and compare its predictions with the recorded ones.

    Args:
        url: URL of the server, which is ready.
        files: Folder of the version's files.
        digest: Digest of their manifest.
        token: Token of the callers; None if there is none.
        shared: The URL is the one of the callers. Another version may respond too, while one replaces the other.

    Returns:
        Failures, in sentences; an empty list if the predictions are the same.

    Raises:
        IntegrityError: The files are not those that the digest names.
        ContainerError: The server could not be asked in several attempts, or another version responded.
    """
    verify(files, digest)
    failures = _replay(url, files, digest, token, shared)
    for _ in range(CONFIRMATIONS if failures and shared else 0):
        _require_digest(url, _content(_request("GET", f"{url}/metadata", None, token, shared)).get("digest"), digest)
    return failures


def _replay(url: str, files: Path, digest: str, token: str | None, shared: bool) -> list[str]:
    metadata = _request("GET", f"{url}/metadata", None, token, shared)
    if not metadata.ok:
        return [f"/metadata answers {_summary(metadata)}."]
    served = _content(metadata).get("digest")
    if shared:
        _require_digest(url, served, digest)
    if served != digest:
        return [f"It serves {served}, not {digest}."]
    expected = json.loads((files / run.EXPECTED).read_bytes())
    response = _request("POST", f"{url}/predict", {"rows": expected["rows"]}, token, shared)
    if not response.ok:
        return [f"/predict answers {_summary(response)} to the {len(expected['rows'])} recorded rows."]
    return _differences(expected["predictions"], _content(response), run.read_run(files, digest))


def _require_digest(url: str, served: object, digest: str) -> None:
    """Raise if another version responded; its response tells nothing about the tested one."""
    if served != digest:
        raise ContainerError(
            f"{url} answers with {served or 'no digest'}, not with {digest}.",
            "The old version may still be stopping, or the address is of another server. Run Deploy again.",
        )


def _session(url: str) -> requests.Session:
    """Return a session that ignores the environment's proxy for addresses of this machine."""
    session = requests.Session()
    session.trust_env = not url.startswith(LOOPBACK)
    return session


def _request(method: str, url: str, body: Any, token: str | None, shared: bool) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS), wait=wait_exponential_jitter(multiplier=0.2, max=5), reraise=True,
        retry=retry_if_exception_type((requests.ConnectionError, requests.Timeout)),
    )  # fmt: skip
    try:
        response: requests.Response = retrying(
            _session(url).request, method, url, json=body, headers=headers, timeout=TIMEOUT, allow_redirects=False
        )
    except requests.RequestException as error:
        raise ContainerError(
            f"{url} cannot be reached: {type(error).__name__}.", "Check the network in between, and try again."
        ) from error
    if response.status_code in FOREIGN_STATUSES or (shared and not response.ok and not _is_from_server(response)):
        raise ContainerError(
            f"{url} answers {_summary(response)}. This is from a proxy in between, or access was denied.",
            "If the server needs a token, set GITOPS_TOKEN. Otherwise check the proxy.",
        )
    return response


def _content(response: requests.Response) -> dict[str, Any]:
    """Return the JSON object of a response; an empty one if it is not a JSON object."""
    try:
        content = response.json()
    except requests.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_from_server(response: requests.Response) -> bool:
    """Return whether an error has the form of this library's server; a proxy's own error has not."""
    error = _content(response).get("error")
    return isinstance(error, dict) and "code" in error


def _summary(response: requests.Response) -> str:
    """Return status and text of a response, on one line of limited length."""
    text = " ".join(response.text.split())
    return f"{response.status_code} {text[:300]}".strip()


def _differences(expected: list[dict[str, Any]], content: Any, document: run.Run) -> list[str]:
    """Return the rows in which a server's predictions differ from the recorded ones, as a sentence."""
    import numpy as np

    from gitops_ml.predictions import are_close

    try:
        recorded, served = _recorded(expected, document.classes), _served(content, document.classes)
    except (KeyError, TypeError, ValueError):
        return ["The response of /predict to the recorded rows has no predictions in the expected form."]
    if len(served.values) != len(recorded.values):
        return [f"It returns {len(served.values)} predictions for {len(recorded.values)} recorded rows."]
    differing = []
    for row in range(len(recorded.values)):
        before, now = recorded.take(np.array([row])), served.take(np.array([row]))
        if not are_close(before, now) or (document.classes and before.values[0] != now.values[0]):
            differing.append(f"row {row + 1}: {_prediction_text(now)} instead of {_prediction_text(before)}")
    if not differing:
        return []
    shown = "; ".join(differing[:MAX_SHOWN])
    return [
        f"The predictions for {len(differing)} of {len(recorded.values)} recorded rows differ from training ({shown})."
    ]


def _recorded(expected: list[dict[str, Any]], classes: tuple[Any, ...]) -> "Predictions":
    import numpy as np

    from gitops_ml.predictions import PROBABILITY, VALUE, Predictions

    values = np.array([row[VALUE] for row in expected])
    columns = [f"{PROBABILITY}{label}" for label in classes]
    has_probabilities = bool(columns) and columns[0] in expected[0]
    return Predictions(
        values, np.array([[row[name] for name in columns] for row in expected]) if has_probabilities else None, classes
    )


def _served(content: dict[str, Any], classes: tuple[Any, ...]) -> "Predictions":
    import numpy as np

    from gitops_ml.predictions import Predictions

    probabilities = content.get("probabilities")
    columns = None if probabilities is None else np.array([probabilities[str(label)] for label in classes], dtype=float)
    columns = None if columns is None else columns.T
    values = np.array(content["predictions"], dtype=None if classes else float)
    if values.ndim != 1 or (columns is not None and columns.shape != (len(values), len(classes))):
        raise ValueError("one prediction for each row, and one probability for each class")
    return Predictions(values, columns, classes)


def _prediction_text(predictions: "Predictions") -> str:
    """Return the first prediction, with its probabilities."""
    if predictions.probabilities is None:
        return str(predictions.values[0])
    return f"{predictions.values[0]} ({', '.join(f'{share:.4f}' for share in predictions.probabilities[0])})"
