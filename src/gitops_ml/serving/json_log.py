"""The server's own log: lines in JSON, without any of the data."""

import json
import logging
import traceback
from datetime import UTC, datetime
from typing import Any

LOG = logging.getLogger("gitops_ml.serving")


def log_line(**fields: Any) -> str:
    """Return one line of the log.

    Args:
        **fields: Fields of the line, besides its time.
    """
    return json.dumps({"time": datetime.now(UTC).isoformat(timespec="milliseconds"), **fields}, ensure_ascii=True)


def describe_error(error: Exception) -> str:
    """Return the type of an error and the place where it was raised, without its message, which may contain data.

    Args:
        error: The error.
    """
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames[-5:]))
    return f"{type(error).__name__} at {places}"
