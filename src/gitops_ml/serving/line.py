"""One line of the server's own log: JSON, and never the data."""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

LOG = logging.getLogger("gitops_ml.serving")


def entry(**said: Any) -> str:
    """One line of the log."""
    return json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **said}, ensure_ascii=True)


def where(error: Exception) -> str:
    """The type of an error and where it was raised; not its words, which may hold data."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames[-5:]))
    return f"{type(error).__name__} at {places}"
