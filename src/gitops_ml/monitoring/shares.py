"""Shares of rows or requests that may not be larger than they are allowed to be, and surely so before it is an alarm.

Intervals are Wilson's (Journal of the American Statistical Association 22, 1927), and for a difference of two shares
Newcombe's, which is made of them (Statistics in Medicine 17, 1998, method 10).
"""

from math import sqrt

from scipy.stats import binomtest

from gitops_ml.monitoring.window import Verdict


def interval(count: int, rows: int, chance: float) -> tuple[float, float]:
    """Wilson's: the share is below the one, and above the other, by chance in this share of cases each."""
    found = binomtest(count, rows).proportion_ci(confidence_level=1 - 2 * chance, method="wilson")
    return float(found.low), float(found.high)


def difference(now: tuple[int, int], then: tuple[int, int], chance: float) -> tuple[float, float, float]:
    """How much larger a share is now, and Newcombe's interval around it.

    Args:
        now: How many of how many.
        then: The same in the reference.
        chance: That the truth lies below the interval, and as much that it lies above.

    Returns:
        The difference, and from where to where it may lie.
    """
    (p, low, high), (q, below, above) = ((count / rows, *interval(count, rows, chance)) for count, rows in (now, then))
    found = p - q
    return found, found - sqrt((p - low) ** 2 + (above - q) ** 2), found + sqrt((high - p) ** 2 + (q - below) ** 2)


def verdict(value: float, low: float, allowed: float) -> Verdict:
    """Surely more than is allowed is an alarm; perhaps more is a warning."""
    return "alarm" if low > allowed else "warning" if value > allowed else "ok"
