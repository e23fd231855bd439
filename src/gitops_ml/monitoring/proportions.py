"""Confidence intervals of shares of rows or requests, and the comparison of a share with its limit.

Intervals are Wilson's (Journal of the American Statistical Association 22, 1927), and for a difference of two shares
Newcombe's, which is built from them (Statistics in Medicine 17, 1998, method 10).
"""

from math import sqrt

from scipy.stats import binomtest

from gitops_ml.monitoring.window import Verdict


def wilson_interval(count: int, rows: int, chance: float) -> tuple[float, float]:
    """Return the low and the high end of Wilson's interval of a share.

    Args:
        count: Number of rows that have the property.
        rows: Number of all rows.
        chance: Probability that the true share is below the interval; the same that it is above.
    """
    interval = binomtest(count, rows).proportion_ci(confidence_level=1 - 2 * chance, method="wilson")
    return float(interval.low), float(interval.high)


def newcombe_interval(
    current: tuple[int, int], reference: tuple[int, int], chance: float
) -> tuple[float, float, float]:
    """Return the difference of two shares, and the low and the high end of Newcombe's interval.

    Args:
        current: Current count and number of rows.
        reference: Count and number of rows of the reference.
        chance: Probability that the true difference is below the interval; the same that it is above.
    """
    (p, low, high), (q, below, above) = (
        (count / rows, *wilson_interval(count, rows, chance)) for count, rows in (current, reference)
    )
    difference = p - q
    return (
        difference,
        difference - sqrt((p - low) ** 2 + (above - q) ** 2),
        difference + sqrt((high - p) ** 2 + (q - below) ** 2),
    )


def compare_with_limit(value: float, low: float, allowed: float) -> Verdict:
    """Return "alarm" if the whole interval is above the limit, "warning" if only the value is, else "ok".

    Args:
        value: Measured value.
        low: Low end of its interval.
        allowed: Largest allowed value.
    """
    return "alarm" if low > allowed else "warning" if value > allowed else "ok"
