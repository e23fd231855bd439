"""The number of values of a JSON body, counted before they are parsed: a list in memory takes twenty times its text.

Without strings, each value but the first of a list or an object has a comma, and each list or object a bracket.
"""

import numpy as np

from gitops_ml.serving.api_error import ApiError

SMALL = 2**16  # bytes of a body that cannot be large in memory
SPARE = 1000  # lists and objects beyond the expected ones, so that a misplaced list is reported where it is
BLOCK = 2**20  # bytes that are looked at together


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
    commas, colons, brackets = body.count(b","), body.count(b":"), body.count(b"{") + body.count(b"[")
    if commas <= values and colons <= values and brackets <= nested:
        return
    commas, colons, brackets = _count_outside_strings(body)
    if commas > values or colons > values or brackets > nested:
        raise ApiError(
            413, f"The body has more values than {max_rows} rows of {columns} columns. Split it into smaller requests."
        )


def _count_outside_strings(body: bytes) -> tuple[int, int, int]:
    """Return the numbers of commas, of colons, and of opening brackets outside of strings."""
    if b"\\" in body:  # an escaped quote does not end a string
        body = body.replace(b"\\\\", b"  ").replace(b'\\"', b"  ")
    counts, is_inside = np.zeros(256, dtype=np.int64), np.uint8(0)
    for start in range(0, len(body), BLOCK):
        block = np.frombuffer(body, np.uint8, min(BLOCK, len(body) - start), start)
        inside = np.bitwise_xor.accumulate((block == ord('"')).astype(np.uint8)) ^ is_inside
        is_inside = inside[-1]
        counts += np.bincount(block[inside == 0], minlength=256)
    return int(counts[ord(",")]), int(counts[ord(":")]), int(counts[ord("{")] + counts[ord("[")])
