"""The words of a rollback: the pull request that makes main say what serves, and the issue about a version that failed.

https://docs.github.com/rest/issues
"""

import re
from dataclasses import dataclass
from datetime import datetime

from gitops_ml.forge import issues
from gitops_ml.forge.github import GitHub
from gitops_ml.forge.report import escape
from gitops_ml.private import redacted

LOG_LIMIT = 20_000
# By which a pull request is known that a merge on newer evidence makes pointless.
EXPIRED = "<!-- gitops expired -->"
CONTROL = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")


@dataclass(frozen=True)
class Side:
    """One of the two versions of a rollback.

    Attributes:
        version: The registry's number.
        release: Its semantic version.
        digest: Of its files.
    """

    version: str
    release: str
    digest: str

    @property
    def short(self) -> str:
        """The first twelve digits of the digest."""
        return self.digest.removeprefix("sha256:")[:12]

    @property
    def named(self) -> str:
        """For a sentence."""
        return f"version {self.version} (release {self.release}, `{self.short}`)"


@dataclass(frozen=True)
class Reversal:
    """Back from one version to another.

    Attributes:
        environment: Where.
        model: The registered model's name.
        bad: What main says, and what must not serve.
        good: What serves instead; None where nothing was ever verified.
        why: In words, which may be a person's.
        expired: The bad one is not bad: the evidence behind its merge no longer held.
    """

    environment: str
    model: str
    bad: Side
    good: Side | None
    why: str
    expired: bool = False

    @property
    def title(self) -> str:
        """Of the pull request; the digest is the one of the version that goes."""
        to = f"version {self.good.version}" if self.good else "no version"
        return (
            f"Roll back {self.model} from version {self.bad.version} to {to} in {self.environment} ({self.bad.short})"
        )

    @property
    def body(self) -> str:
        """Of the pull request, in Markdown."""
        now = f"**Serves now**: {self.good.named if self.good else 'nothing, for none was ever verified'}"
        after = f"names version {self.good.version} again" if self.good else "names no version, to start over"
        return redacted(f"""## ⏪ {self._happened}

**Why**: {escape(self.why)}

**Main says**: {self.bad.named}
{now}

**Merge** to make main say what serves: `registry/{escape(self.environment)}.json` {after}. Nothing is deployed by the
merge that does not serve already. **Close** to leave main as it is: {self._else}
""")

    @property
    def _happened(self) -> str:
        """The first line."""
        version, where = self.bad.version, escape(self.environment)
        if self.expired:
            return f"Version {version} is not rolled out in {where}: its evidence had expired when it was merged"
        return f"Version {version} does not serve in {where} any more"

    @property
    def _else(self) -> str:
        """What becomes of the version where nobody merges this."""
        version = self.bad.version
        if self.expired:
            return (
                f"version {version} is not rolled out all the same.\n\n**Nothing is wrong with version {version}** as "
                "far as anybody knows, and it is not held: it is compared again, by what main says now. If it passes "
                "every gate, a pull request offers it anew; merge that one, and this one closes."
                f"\n\n{EXPIRED}"
            )
        return (
            f"the hold on version {version} stays, and\nautomation neither runs nor proposes it. To let it run again: "
            f"`gitops lift {version} --why ...`."
        )

    @property
    def issue(self) -> str:
        """The title of the issue."""
        return f"Version {self.bad.version} failed in {self.environment} ({self.bad.short})"


def report(github: GitHub, reversal: Reversal, page: str, logs: str, run: str, since: datetime) -> str:
    """Keep one open issue about the version that failed, unless a person has closed it; its page.

    Args:
        github: Where.
        reversal: What failed, and what serves instead.
        page: Where main is mended: the pull request, or how to open it.
        logs: What the version printed; empty where nobody has it any more.
        run: The workflow run that found out; empty outside of one.
        since: When it failed; what was closed before was about another time.
    """
    there = issues.find(github, reversal.issue) or issues.closed_by_a_person(github, reversal.issue, since)
    if there is None:
        body = _body(reversal, page, logs, run)
        there = github.send("POST", "/issues", {"title": reversal.issue, "body": body})
    return str(there["html_url"])


def settle(github: GitHub, environment: str) -> None:
    """Close the issues about versions that failed in an environment: main names one that serves."""
    ours = re.compile(rf"Version \S+ failed in {re.escape(environment)} \([0-9a-f]{{12}}\)")
    for issue in issues.opened(github, ours):
        issues.close(github, issue)


def _body(reversal: Reversal, page: str, logs: str, run: str) -> str:
    serves = f"{reversal.good.named} serves again" if reversal.good else "nothing serves, for no version was verified"
    where = f"[This run]({run}) found out." if run else ""
    told = _fenced(logs) if logs.strip() else "Its logs are in the run of Deploy that failed."
    bad, named = reversal.bad, reversal.bad.named.capitalize()
    return redacted(f"""## ❌ {named} of {escape(reversal.model)} failed in {escape(reversal.environment)}

**What it did**: {escape(reversal.why)}

**What happened then**: the version is held, so that automation neither runs nor proposes it; {serves}. {where}

**What to do**
1. {page}
2. Find out why. To see it on your machine: `gitops serve --version {bad.version} --digest {bad.digest}`.
3. Push a better version; it is trained, compared and proposed as ever. If this one was not to blame, let it run again
   by pull request: `gitops lift {bad.version} --why ...`.

This issue closes itself once main names another version.

<details><summary>What it printed</summary>

{told}

</details>
""")


def _fenced(logs: str) -> str:
    """The end of what a program printed, as a block that it cannot break out of."""
    text = CONTROL.sub("", logs)[-LOG_LIMIT:].strip()
    longest = max((len(found) for found in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
