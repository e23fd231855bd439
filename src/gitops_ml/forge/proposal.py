"""The words of the promotion pull request: its title, which is read back, its body, and its comments."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_ml.forge.comparison import render
from gitops_ml.forge.report import escape

LIMIT = 60_000
TITLE = re.compile(
    r"(?:Promote \S+ version \S+ to|Roll back \S+ from version \S+ to .+ in|Add \d+ rows? to) "
    r"\S+ \((?P<digest>[0-9a-f]{12})\)"
)
# What follows it is for whoever decides; before it stands the report.
TRY = "<details><summary>Try it on your machine</summary>"
MARK = re.compile(r"<!-- gitops (\{[^<>]*\}) -->")


@dataclass(frozen=True)
class Offer:
    """What the pull request offers.

    Attributes:
        environment: Where the version would serve.
        model: The registered model's name.
        version: The registry's number.
        release: The semantic version that it would have.
        digest: Of the version's files, whole.
        branch: That the pull request proposes.
        comparison: The JSON document that `compare` left.
        run: The address of the workflow run; empty outside of one.
        plots: Addresses of pictures, by their names.
        unsaid: Keys of [card] in model.toml that only people can fill, and that are empty.
        main: What tells the state of main that the comparison is bound to; empty where nobody knows.
    """

    environment: str
    model: str
    version: str
    release: str
    digest: str
    branch: str
    comparison: dict[str, Any] = field(repr=False)
    run: str = ""
    plots: Mapping[str, str] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    main: str = ""

    @property
    def short(self) -> str:
        """The first twelve digits of the digest: enough to tell versions apart."""
        return self.digest.removeprefix("sha256:")[:12]

    @property
    def title(self) -> str:
        """Of the pull request; `offered` reads it back."""
        return f"Promote {self.model} version {self.version} to {self.environment} ({self.short})"


def offered(title: str) -> str | None:
    """The short digest that a title is about; None where it is not one of ours."""
    found = TITLE.search(title)
    return found.group("digest") if found else None


def first_offered(body: str) -> str | None:
    """The short digest that the pull request was opened with; None where nobody knows."""
    return _marked(body).get("first")


def compared_on(body: str) -> str | None:
    """What tells the state of main that the text speaks of; None where nobody knows."""
    return _marked(body).get("main")


def _marked(body: str) -> dict[str, str]:
    found = MARK.search(body)
    return json.loads(found.group(1)) if found else {}


def body(offer: Offer, first: str) -> str:
    """The whole text of the pull request, in Markdown, under 60,000 characters.

    Args:
        offer: What is offered now.
        first: The short digest that the pull request was opened with.
    """
    known = {"digest": offer.short, "first": first} | ({"main": offer.main} if offer.main else {})
    mark = f"<!-- gitops {json.dumps(known)} -->"
    tail = "\n\n".join([*_plots(offer), _try(offer), *_unsaid(offer), _decide(offer), mark]) + "\n"
    return f"{render(offer.comparison, LIMIT - len(tail) - 2)}\n{tail}"


def refreshed(offer: Offer, message: str) -> str:
    """The comment that says what changed."""
    return (
        f"This pull request now offers version {offer.version} (`{offer.short}`), release {offer.release}. "
        f"{escape(message)}\n\n{mark_of_comment(offer)}"
    )


def linked(text: str, page: str) -> str:
    """A sentence of ours for a step summary: addresses below the repository's page are links, all else is escaped."""
    return " ".join(word if word.startswith(f"{page}/") else escape(word) for word in text.split())


def mark_of_comment(offer: Offer) -> str:
    """By which the comment about this version is found again."""
    return f"<!-- gitops refreshed {offer.short} -->"


def superseded(offer: Offer) -> str:
    """The last comment in an approved pull request: an approval is for what was read, and for nothing else."""
    return (
        f"Version {offer.version} (`{offer.short}`) is better on the same holdout. This pull request was approved as "
        "it is, so it is closed and not rewritten; the better version comes in a pull request of its own."
    )


def withdrawn(version: str, environment: str, why: str) -> str:
    """The last comment in one that offers a version which is held by now."""
    return (
        f"Version {version} is held in {escape(environment)}: {escape(why)} A held version is neither run nor "
        "promoted, so this pull request is closed. "
        f"Once the hold is lifted (`gitops lift {version} --why ...`), it may be offered again."
    )


def renewed(offer: Offer, changed: str) -> str:
    """The same where the version stays, and its evidence had expired."""
    return (
        f"Version {offer.version} (`{offer.short}`) was compared again, for {changed} changed. This pull request was "
        "approved as it is, so it is closed and not rewritten; the same version comes with its new evidence in a pull "
        "request of its own."
    )


def _plots(offer: Offer) -> list[str]:
    if not offer.plots:
        return []
    links = " · ".join(f"[{escape(name)}]({url})" for name, url in sorted(offer.plots.items()))
    return [f"**Pictures of the training run**: {links}"]


def _unsaid(offer: Offer) -> list[str]:
    if not offer.unsaid:
        return []
    keys = ", ".join(f"`{key}`" for key in offer.unsaid)
    return [f"**The model card waits for people**: under `[card]` in model.toml these are empty: {keys}."]


def _try(offer: Offer) -> str:
    pinned = f"--version {offer.version} --digest {offer.digest}"
    return f"""{TRY}

```
git fetch origin && git switch --detach origin/main && make setup
.venv/bin/gitops compare {pinned}
.venv/bin/gitops score {pinned} --rows ROWS.csv --out predictions.csv
.venv/bin/gitops ui
```

</details>"""


def _decide(offer: Offer) -> str:
    run = f" Made by [this run]({offer.run})." if offer.run else ""
    where = escape(offer.environment)
    return (
        f"**Merge** to make version {offer.version} the champion of {where} as release {offer.release}: "
        f"`registry/{where}.json` changes, and the model card that describes it. **Close** to refuse it: this version "
        f"is not proposed again, a later one may be. A better version refreshes this pull request. All this holds for "
        "main as it is: if data, split, code, lock, gates or champion change, `required` turns red and the version is "
        f"compared again; merged all the same, it is not rolled out.{run}"
    )
