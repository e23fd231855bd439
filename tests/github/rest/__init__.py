"""The REST calls, one module per area; importing this package declares them all."""

from . import (
    actions,
    commits,
    deployments,
    dispatches,
    environments,
    issues,
    labels,
    merges,
    pending,
    pulls,
    refs,
    releases,
    repositories,
    reviews,
    rulesets,
    settings,
)

__all__ = [
    "actions", "commits", "deployments", "dispatches", "environments", "issues", "labels", "merges", "pending",
    "pulls", "refs", "releases", "repositories", "reviews", "rulesets", "settings",
]  # fmt: skip
