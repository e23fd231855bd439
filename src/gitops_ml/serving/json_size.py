"""The number of values of a JSON body, counted before they are parsed: a list in memory takes twenty times its text.

Without strings, each value but the first of a list or an object has a comma, and each list or object a bracket.
"""

import re

from gitops_ml.serving.api_error import ApiError

SMALL = 2**16  # bytes of a body that cannot be large in memory
SPARE = 1000  # lists and objects beyond the expected ones, so that a misplaced list is reported where it is
STRINGS = re.compile(rb'"(?:[^"\\]+|\\.)*+"?', re.DOTALL)


def check_size(body: bytes, max_rows: int, columns: int) -> None:
    """Check that a body does not have many more values than the largest allowed one.

    Args:
        body: JSON in UTF-8, valid or not.
        max_rows: Largest allowed number of rows.
        columns: Number of columns of a row.

    Raises:
        ApiError: 413, there are too many values; the body was not parsed.
    """
    if len(body) <= SMALL:
        return
    values, nested = max_rows * (columns + 1) + SPARE, max_rows + columns + SPARE
    if _exceeds(body, values, nested) and _exceeds(STRINGS.sub(b"", body), values, nested):
        raise ApiError(
            413, f"The body has more values than {max_rows} rows of {columns} columns. Split it into smaller requests."
        )


def _exceeds(text: bytes, values: int, nested: int) -> bool:
    return text.count(b",") > values or text.count(b":") > values or text.count(b"{") + text.count(b"[") > nested
