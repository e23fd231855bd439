"""Checks of `gitops doctor` on the clone: the remote, the workflows and CODEOWNERS."""

from pathlib import Path

from gitops_ml import git
from gitops_ml.doctor_checks import CheckResult, cannot_tell, check, ok, problem, warning

OWNERS = ".github/CODEOWNERS"
PLACEHOLDER = "@your-github-name"
# Paths below .github. Without the actions, workflows fail.
WORKFLOWS = (
    "actions/login/action.yml", "actions/setup/action.yml", "workflows/ci.yml", "workflows/deploy.yml",
    "workflows/ingest.yml", "workflows/monitor.yml", "workflows/pages.yml", "workflows/rollback.yml",
    "workflows/train.yml", "workflows/upkeep.yml",
)  # fmt: skip


@check("CLONE")
def pushed(root: Path) -> CheckResult:
    """The clone has a remote `origin`, which has its main."""
    if not git.succeeds(root, "rev-parse", "--git-dir"):
        return problem("This folder is not a Git repository. Run `git init -b main`, and commit.")
    if not git.succeeds(root, "remote", "get-url", "origin"):
        return problem(
            "There is no remote `origin`. Create an empty repository on GitHub, then run `git remote add origin "
            "ADDRESS` and `git push -u origin main`."
        )
    remote_tip = git.run(root, "ls-remote", "origin", "refs/heads/main").partition("\t")[0]
    if not remote_tip:
        return problem("origin has no branch main. Run `git push -u origin main`.")
    return _compare_with_remote(root, remote_tip)


def _compare_with_remote(root: Path, remote_tip: str) -> CheckResult:
    """Compare the clone's main with origin's. The checkout of a job has no branch main."""
    local_tip = git.resolve(root, "refs/heads/main")
    if local_tip in (None, remote_tip):
        return ok()
    is_unknown = git.resolve(root, remote_tip) is None
    if is_unknown or git.succeeds(root, "merge-base", "--is-ancestor", "refs/heads/main", remote_tip):
        return warning("origin's main has commits that this clone lacks. Run `git pull`.")
    return warning(
        f"main has {git.count_commits_ahead(root, remote_tip)} commit(s) that origin lacks. Run `git push origin main`."
    )


@check("HISTORY")
def whole_history(root: Path) -> CheckResult:
    """The clone has the whole history: earlier versions of the record are in it."""
    if not git.succeeds(root, "rev-parse", "--git-dir"):
        return cannot_tell("This folder is not a Git repository.")
    if git.run(root, "rev-parse", "--is-shallow-repository") == "true":
        return warning(
            "This clone is shallow: it lacks older commits, and with them earlier records. Run `git fetch --unshallow`."
        )
    return ok()


@check("WORKFLOWS")
def workflows(root: Path) -> CheckResult:
    """The workflows are where GitHub looks for them."""
    missing = [name for name in WORKFLOWS if not (root / ".github" / name).is_file()]
    if missing:
        return problem(f".github lacks {', '.join(missing)}. Restore them from Git.")
    return ok()


@check("OWNERS")
def owners(root: Path) -> CheckResult:
    """CODEOWNERS names existing owners."""
    file = root / OWNERS
    if not file.is_file():
        return warning(f"There is no {OWNERS}, so GitHub requests no reviews. Restore it from Git.")
    if PLACEHOLDER in file.read_text(encoding="utf-8"):
        return problem(
            f"{OWNERS} still contains {PLACEHOLDER}. Replace it by @ and your user name on GitHub, or by @ORG/TEAM."
        )
    return ok()


CHECKS = (pushed, whole_history, workflows, owners)
