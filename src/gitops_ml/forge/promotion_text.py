"""The texts of the promotion pull request: its title, which is parsed back, its body and its comments."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_ml.forge.comparison_text import render_comparison
from gitops_ml.forge.markdown import escape

LIMIT = 60_000  # characters
TITLE = re.compile(
    r"(?:Promote \S+ version \S+ to|Roll back \S+ from version \S+ to .+ in|Add \d+ rows? to) "
    r"\S+ \((?P<digest>[0-9a-f]{12})\)"
)
# End of the report in a body, which `releases` looks for: what follows is of use only before the merge.
TRY_SECTION = "<details><summary>Try it on your machine</summary>"
MARKER = re.compile(r"<!-- gitops (\{[^<>]*\}) -->")


@dataclass(frozen=True)
class PromotionProposal:
    """A version that a pull request proposes as champion.

    Attributes:
        environment: Environment in which the version would serve.
        model: Name of the registered model.
        version: Registry version number.
        release: Semantic version that the version would have.
        digest: Digest of the version's files.
        branch: Branch of the pull request.
        comparison: JSON document of the comparison.
        run_url: URL of the workflow run; empty outside of one.
        plot_urls: URLs of the plots of the training run, by name.
        empty_card_keys: Empty keys of `[card]` in model.toml, which only people can fill in.
        evidence_key: Key of the state of main that the comparison is bound to; empty if it is unknown.
        is_served: True if the environment has a server, to which the merge deploys the version.
    """

    environment: str
    model: str
    version: str
    release: str
    digest: str
    branch: str
    comparison: dict[str, Any] = field(repr=False)
    run_url: str = ""
    plot_urls: Mapping[str, str] = field(default_factory=dict)
    empty_card_keys: tuple[str, ...] = ()
    evidence_key: str = ""
    is_served: bool = True

    @property
    def short_digest(self) -> str:
        """The first twelve digits of the digest, which identify the version in titles and texts."""
        return self.digest.removeprefix("sha256:")[:12]

    @property
    def title(self) -> str:
        """The title of the pull request, which `parse_digest` reads back."""
        return f"Promote {self.model} version {self.version} to {self.environment} ({self.short_digest})"


def parse_digest(title: str) -> str | None:
    """Return the short digest in a pull request's title; None if gitops did not write the title.

    Args:
        title: Title of a pull request for a promotion, a rollback or new rows.
    """
    match = TITLE.search(title)
    return match.group("digest") if match else None


def parse_first_digest(body: str) -> str | None:
    """Return the short digest that the pull request was opened with; None if the body does not contain it.

    Args:
        body: Body of a promotion pull request.
    """
    return _parse_marker(body).get("first")


def parse_evidence_key(body: str) -> str | None:
    """Return the key of the state of main that the report is about; None if the body does not contain it.

    Args:
        body: Body of a promotion pull request.
    """
    return _parse_marker(body).get("main")


def _parse_marker(body: str) -> dict[str, str]:
    match = MARKER.search(body)
    return json.loads(match.group(1)) if match else {}


def render_body(proposal: PromotionProposal, first_digest: str) -> str:
    """Return the body of the pull request in Markdown, with fewer than 60,000 characters.

    Args:
        proposal: The version that is proposed now.
        first_digest: Short digest that the pull request was opened with.
    """
    fields = {"digest": proposal.short_digest, "first": first_digest}
    fields |= {"main": proposal.evidence_key} if proposal.evidence_key else {}
    parts = [
        *_render_plots(proposal), _render_commands(proposal), *_render_empty_card_keys(proposal),
        _render_decision(proposal), f"<!-- gitops {json.dumps(fields)} -->",
    ]  # fmt: skip
    tail = "\n\n".join(parts) + "\n"
    return f"{render_comparison(proposal.comparison, LIMIT - len(tail) - 2)}\n{tail}"


def render_update_comment(proposal: PromotionProposal, message: str) -> str:
    """Return the comment on a pull request that proposes another version now.

    Args:
        proposal: The version that is proposed now.
        message: Reason why it replaces the other version.
    """
    return (
        f"This pull request now proposes version {proposal.version} (`{proposal.short_digest}`), release "
        f"{proposal.release}. {escape(message)}\n\n{comment_marker(proposal)}"
    )


def comment_marker(proposal: PromotionProposal) -> str:
    """Return the invisible marker by which the comment about this version is found.

    Args:
        proposal: The version that is proposed now.
    """
    return f"<!-- gitops refreshed {proposal.short_digest} -->"


def escape_except_links(text: str, url: str) -> str:
    """Return a sentence for a step summary, in which URLs of the repository stay links and the rest is escaped.

    Args:
        text: The sentence.
        url: URL of the repository.
    """
    return " ".join(word if word.startswith(f"{url}/") else escape(word) for word in text.split())


def render_superseded_comment(proposal: PromotionProposal) -> str:
    """Return the last comment on an approved pull request that a better version supersedes.

    Args:
        proposal: The better version.
    """
    return (
        f"Version {proposal.version} (`{proposal.short_digest}`) is better on the same holdout. This pull request was "
        "approved with the version that it proposes, so it is closed and not updated. The better version gets a pull "
        "request of its own."
    )


def render_renewed_comment(proposal: PromotionProposal, changed: str) -> str:
    """Return the last comment on an approved pull request whose evidence had expired.

    Args:
        proposal: The same version, with new evidence.
        changed: Inputs that changed since the approval, such as "the data and the gates".
    """
    return (
        f"Version {proposal.version} (`{proposal.short_digest}`) was compared again, because {changed} changed. This "
        "pull request was approved with the old comparison, so it is closed and not updated. The same version gets a "
        "new pull request with the new comparison."
    )


def render_withdrawn_comment(version: str, environment: str, reason: str) -> str:
    """Return the last comment on a pull request that proposes a version on hold.

    Args:
        version: Registry version number.
        environment: Environment in which the version is on hold.
        reason: Reason of the hold.
    """
    return (
        f"Version {version} is on hold in {escape(environment)}: {escape(reason)}\n\nA version on hold is neither "
        "deployed nor promoted, so this pull request is closed. When the hold is lifted "
        f"(`gitops lift {version} --why ...`), the version can be proposed again."
    )


def _render_plots(proposal: PromotionProposal) -> list[str]:
    if not proposal.plot_urls:
        return []
    links = " · ".join(f"[{escape(name)}]({url})" for name, url in sorted(proposal.plot_urls.items()))
    return [f"**Plots of the training run**: {links}"]


def _render_empty_card_keys(proposal: PromotionProposal) -> list[str]:
    if not proposal.empty_card_keys:
        return []
    keys = ", ".join(f"`{key}`" for key in proposal.empty_card_keys)
    return [f"**The model card is incomplete.** Fill in these keys under `[card]` in model.toml: {keys}."]


def _render_commands(proposal: PromotionProposal) -> str:
    version = f"--version {proposal.version} --digest {proposal.digest}"
    return f"""{TRY_SECTION}

```
git fetch origin && git switch --detach origin/main && make setup
.venv/bin/gitops compare {version}
.venv/bin/gitops score {version} --rows ROWS.csv --out predictions.csv
.venv/bin/gitops ui
```

</details>"""


def _render_decision(proposal: PromotionProposal) -> str:
    run = f" Created by [this run]({proposal.run_url})." if proposal.run_url else ""
    environment = escape(proposal.environment)
    deployment = f"deploys the version to {environment}"
    if not proposal.is_served:
        deployment = f"runs its smoke test; no server changes, because {environment} has the deployment target `none`"
    return (
        f"**Merge** to make version {proposal.version} the champion of {environment} as release {proposal.release}. "
        f"The merge changes `registry/{environment}.json` and the model card, and {deployment}. **Close** to reject "
        "it: this version is not proposed again, but a later one may be. If a better version passes the gates, this "
        "pull request is updated.\n\n"
        "The comparison is valid for the current commit of main. If the data, the split, the code, the lock file, the "
        "gates or the champion change, the status check `required` fails and the version is compared again. If the "
        f"pull request is merged although the check fails, the version is not deployed.{run}"
    )
