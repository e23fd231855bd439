"""A tag and a release on GitHub for each version that serves. https://docs.github.com/rest/releases"""

from gitops_ml.errors import ForgeError
from gitops_ml.forge.github import GitHub, Unsure
from gitops_ml.forge.proposal import TRY

LIMIT = 100_000


def ensure(github: GitHub, release: str, commit: str, title: str, body: str) -> str | None:
    """Make the release, and with it its tag, unless it is there; its page where it is new.

    Below the body stands the report that the version was promoted by, where the merge was that of a pull request.

    Args:
        github: Where.
        release: The semantic version.
        commit: That the tag names: the merge that promoted the version.
        title: Of the release.
        body: Of the release, in Markdown.

    Raises:
        Unsure: Nobody knows whether it was made; ask again.
    """
    tag = f"v{release}"
    if github.find(f"/releases/tags/{tag}"):
        return None
    whole = f"{body.rstrip()}\n{_report(github, commit)}"
    asked = {"tag_name": tag, "target_commitish": commit, "name": title, "body": whole[:LIMIT]}
    try:
        return str(github.send("POST", "/releases", asked)["html_url"])
    except ForgeError as error:
        if error.status == 422 and "already_exists" in error.what:
            raise Unsure(error.what, error.next) from error
        raise


def _report(github: GitHub, commit: str) -> str:
    """The report in the pull request that a merge came from; nothing where somebody merged without one."""
    pulls = github.get(f"/commits/{commit}/pulls")
    pull = next((pull for pull in pulls if pull["merged_at"] and pull["merge_commit_sha"] == commit), None)
    if pull is None:
        return ""
    told = (pull["body"] or "").partition(TRY)[0].rstrip()
    return f"\n# The report that it was promoted by\n\nOf {pull['html_url']}, as it was merged.\n\n{told}\n"
