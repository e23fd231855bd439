"""The REST calls, one module per area; importing this package declares them all."""

from . import (
    actions,
    commits,
    dispatches,
    environments,
    issues,
    labels,
    merges,
    pulls,
    repositories,
    reviews,
    rulesets,
    settings,
)

__all__ = [
    "actions", "commits", "dispatches", "environments", "issues", "labels", "merges", "pulls", "repositories",
    "reviews", "rulesets", "settings",
]  # fmt: skip
