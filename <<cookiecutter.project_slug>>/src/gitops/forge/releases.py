# machinery
"""A tag and a release on GitHub for each version that serves. https://docs.github.com/rest/releases"""

from gitops.errors import ForgeError
from gitops.forge.github import GitHub, Unsure

LIMIT = 100_000


def ensure(github: GitHub, release: str, commit: str, title: str, body: str) -> str | None:
    """Make the release, and with it its tag, unless it is there; its page where it is new.

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
    asked = {"tag_name": tag, "target_commitish": commit, "name": title, "body": body[:LIMIT]}
    try:
        return str(github.send("POST", "/releases", asked)["html_url"])
    except ForgeError as error:
        if error.status == 422 and "already_exists" in error.what:
            raise Unsure(error.what, error.next) from error
        raise
