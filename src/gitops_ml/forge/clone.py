"""What GitHub expects of the files in the clone, and whether GitHub has what the clone has."""

from pathlib import Path

from gitops_ml import git
from gitops_ml.health import Finding, check, ok, problem, warning

OWNERS = ".github/CODEOWNERS"
PLACEHOLDER = "@your-github-name"
# In .github; without the action, every workflow fails.
WORKFLOWS = (
    "actions/setup/action.yml", "workflows/ci.yml", "workflows/deploy.yml", "workflows/ingest.yml",
    "workflows/monitor.yml", "workflows/pages.yml", "workflows/rollback.yml", "workflows/train.yml",
)  # fmt: skip


@check("CLONE")
def pushed(root: Path) -> Finding:
    """The clone has a remote `origin`, which has its main."""
    if not git.succeeds(root, "rev-parse", "--git-dir"):
        return problem("This is not a Git repository. Run `git init -b main`, and commit.")
    if not git.succeeds(root, "remote", "get-url", "origin"):
        return problem(
            "There is no remote `origin`. Create an empty repository on GitHub, then `git remote add origin ADDRESS` "
            "and `git push -u origin main`."
        )
    there = git.run(root, "ls-remote", "origin", "refs/heads/main").partition("\t")[0]
    if not there:
        return problem("origin has no branch main. Run `git push -u origin main`.")
    return _compare(root, there)


def _compare(root: Path, there: str) -> Finding:
    """The clone's own main with origin's; a job's checkout has none of its own."""
    here = git.resolve(root, "refs/heads/main")
    if here in (None, there):
        return ok()
    if git.resolve(root, there) is None or git.succeeds(root, "merge-base", "--is-ancestor", "refs/heads/main", there):
        return warning("origin's main has commits that this clone lacks. Run `git pull`.")
    return warning(f"main has {git.ahead(root, there)} commit(s) that origin lacks. Run `git push origin main`.")


@check("WORKFLOWS")
def workflows(root: Path) -> Finding:
    """The workflows are where GitHub looks for them."""
    missing = [name for name in WORKFLOWS if not (root / ".github" / name).is_file()]
    if missing:
        return problem(f".github lacks {', '.join(missing)}. Restore them from Git.")
    return ok()


@check("OWNERS")
def owners(root: Path) -> Finding:
    """CODEOWNERS names people who exist."""
    file = root / OWNERS
    if not file.is_file():
        return warning(f"There is no {OWNERS}, so GitHub asks nobody for a review. Restore it from Git.")
    if PLACEHOLDER in file.read_text(encoding="utf-8"):
        return problem(f"{OWNERS} still names {PLACEHOLDER}. Put your own name, or org/team, in its place.")
    return ok()


CHECKS = (pushed, workflows, owners)
