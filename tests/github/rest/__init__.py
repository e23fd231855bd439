"""REST operations, one module per area; importing this package registers all of them."""

from . import (
    actions,
    choices,
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
    "actions", "choices", "commits", "deployments", "dispatches", "environments", "issues", "labels", "merges",
    "pending", "pulls", "refs", "releases", "repositories", "reviews", "rulesets", "settings",
]  # fmt: skip
