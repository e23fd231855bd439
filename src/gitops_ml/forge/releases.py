"""A tag and a GitHub release for each version that serves. https://docs.github.com/rest/releases"""

from gitops_ml.errors import ForgeError
from gitops_ml.forge.github import GitHub, UncertainWrite
from gitops_ml.forge.promotion_text import TRY_SECTION

LIMIT = 100_000  # characters


def ensure_release(github: GitHub, release: str, commit: str, title: str, body: str) -> str | None:
    """Create the release and its tag, unless the release exists.

    The report of the promotion pull request is appended to the body, if the commit is the merge of one.

    Args:
        github: The repository.
        release: Semantic version.
        commit: Commit to tag: the merge that promoted the version.
        title: Title of the release.
        body: Text of the release, in Markdown.

    Returns:
        The URL of the new release; None if it existed.

    Raises:
        UncertainWrite: It is unknown whether the release was created. The caller has to check it again.
    """
    tag = f"v{release}"
    if github.find(f"/releases/tags/{tag}"):
        return None
    text = f"{body.rstrip()}\n{_promotion_report(github, commit)}"
    document = {"tag_name": tag, "target_commitish": commit, "name": title, "body": text[:LIMIT]}
    try:
        return str(github.send("POST", "/releases", document)["html_url"])
    except ForgeError as error:
        if error.status == 422 and "already_exists" in error.problem:
            raise UncertainWrite(error.problem, error.next_step) from error
        raise


def _promotion_report(github: GitHub, commit: str) -> str:
    """Return the report of the pull request that a commit merged; empty if it merged none."""
    pulls = github.get(f"/commits/{commit}/pulls")
    pull = next((pull for pull in pulls if pull["merged_at"] and pull["merge_commit_sha"] == commit), None)
    if pull is None:
        return ""
    report = (pull["body"] or "").partition(TRY_SECTION)[0].rstrip()
    return f"\n# Promotion report\n\nFrom {pull['html_url']}, as it was merged.\n\n{report}\n"
