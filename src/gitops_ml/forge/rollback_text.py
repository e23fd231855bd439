"""The texts of a rollback: the pull request that restores a record, and the issue about a version that failed.

https://docs.github.com/rest/issues
"""

import re
from dataclasses import dataclass
from datetime import datetime

from gitops_ml.forge import issues
from gitops_ml.forge.github import GitHub
from gitops_ml.forge.markdown import escape
from gitops_ml.secrets import redact

LOG_LIMIT = 20_000  # characters
# Marks the body of a pull request that a merge with newer evidence makes obsolete.
EXPIRED_MARKER = "<!-- gitops expired -->"
CONTROL_CHARACTERS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|[\x00-\x08\x0b-\x1f]")


@dataclass(frozen=True)
class RollbackVersion:
    """One of the two versions of a rollback.

    Attributes:
        version: Registry version number.
        release: Semantic version.
        digest: Digest of the version's files.
    """

    version: str
    release: str
    digest: str

    @property
    def short_digest(self) -> str:
        """The first twelve digits of the digest."""
        return self.digest.removeprefix("sha256:")[:12]

    @property
    def description(self) -> str:
        """The version with its release and short digest, in Markdown."""
        return f"version {self.version} (release {self.release}, digest `{self.short_digest}`)"


@dataclass(frozen=True)
class Rollback:
    """A rollback from one version to another.

    Attributes:
        environment: Environment of the rollback.
        model: Name of the registered model.
        removed: Version that the record on main names, and that the rollback replaces.
        restored: Version that the merge restores; None if no version was ever verified.
        reason: Reason of the rollback, which may be a text of a person.
        is_expired: True if the removed version is not at fault, but was merged with expired evidence.
        serving: Version that serves until the merge; None if the restored version serves already.
        is_overridden: True if that version serves by an override, which the merge does not end.
    """

    environment: str
    model: str
    removed: RollbackVersion
    restored: RollbackVersion | None
    reason: str
    is_expired: bool = False
    serving: RollbackVersion | None = None
    is_overridden: bool = False

    @property
    def title(self) -> str:
        """The title of the pull request, with the short digest of the removed version."""
        to = f"version {self.restored.version}" if self.restored else "no version"
        return (
            f"Roll back {self.model} from version {self.removed.version} to {to} in {self.environment} "
            f"({self.removed.short_digest})"
        )

    @property
    def body(self) -> str:
        """The body of the pull request, in Markdown."""
        if self.serving and self.restored:
            return redact(self._render_planned_body(self.restored, self.serving))
        serving = self.restored.description if self.restored else "nothing, because no version was ever verified"
        record = f"names version {self.restored.version} again" if self.restored else "names no version"
        return redact(f"""## ⏪ {self._heading}

**Reason**: {escape(self.reason)}

**Record on main**: {self.removed.description}
**Serving now**: {serving}

**Merge** to make the record match what serves: `registry/{escape(self.environment)}.json` {record}. The merge does not
change what serves. **Close** to leave main as it is: {self._consequence_of_closing}
""")

    def _render_planned_body(self, restored: RollbackVersion, serving: RollbackVersion) -> str:
        """Return the body of a rollback that takes effect with the merge."""
        environment, removed, version = escape(self.environment), self.removed, restored.version
        deployed = "that version is deployed"
        if self.is_overridden:
            deployed = f"that version is deployed when the override by version {serving.version} ends"
        return f"""## ⏪ Proposal to roll back {environment} from version {removed.version} to version {version}

**Reason**: {escape(self.reason)}

**Record on main**: {removed.description}
**Serving now**: {serving.description}
**Record after the merge**: {restored.description}

**Merge** to roll back: `registry/{environment}.json` names version {version} again, and {deployed}.
**Close** to leave main as it is: it still names version {removed.version}, and version {serving.version} keeps serving.

To deploy version {version} before the merge, run `gitops rollback --to {version} --now --why ...`.
"""

    @property
    def _heading(self) -> str:
        version, environment = self.removed.version, escape(self.environment)
        if self.is_expired:
            return (
                f"Version {version} was not deployed to {environment}, because its comparison was out of date when it "
                "was merged"
            )
        return f"Version {version} does not serve in {environment}"

    @property
    def _consequence_of_closing(self) -> str:
        version = self.removed.version
        if self.is_expired:
            return (
                f"version {version} is still not deployed.\n\n**Recommended: first wait for the new comparison.** No "
                f"fault of version {version} is known, and it is not held. It is compared again on the current commit "
                "of main. If it passes every gate, a new pull request proposes it. Merge that pull request; then this "
                "one is closed automatically. If a gate refuses the version, merge this pull request."
                f"\n\n{EXPIRED_MARKER}"
            )
        return (
            f"it still names version {version}.\n\nIf version {version} is held, it stays held either way: the "
            f"workflows neither deploy nor propose it. To allow it again, run `gitops lift {version} --why ...`."
        )

    @property
    def issue_title(self) -> str:
        """The title of the issue about the version that failed."""
        return f"Version {self.removed.version} failed in {self.environment} ({self.removed.short_digest})"


def open_failure_issue(
    github: GitHub, rollback: Rollback, instruction: str, logs: str, run_url: str, since: datetime
) -> str:
    """Keep one open issue about a version that failed, unless a person has closed it.

    Args:
        github: The repository.
        rollback: The version that failed, and the one that serves instead.
        instruction: Instruction to restore the record on main, in Markdown: the pull request, or how to open it.
        logs: Output of the version; empty if it is not available.
        run_url: URL of the workflow run that detected the failure; empty outside of one.
        since: Time of the failure. An issue that was closed earlier is about another failure.

    Returns:
        The issue's URL.
    """
    title = rollback.issue_title
    issue = issues.find_open(github, title) or issues.find_closed_by_person(github, title, since)
    if issue is None:
        body = _render_issue_body(rollback, instruction, logs, run_url)
        issue = github.send("POST", "/issues", {"title": title, "body": body})
    return str(issue["html_url"])


def close_failure_issues(github: GitHub, environment: str) -> None:
    """Close the issues about versions that failed in an environment, once main names a version that serves.

    Args:
        github: The repository.
        environment: Environment of the failures.
    """
    pattern = re.compile(rf"Version \S+ failed in {re.escape(environment)} \([0-9a-f]{{12}}\)")
    for issue in issues.list_open(github, pattern):
        issues.close(github, issue)


def _render_issue_body(rollback: Rollback, instruction: str, logs: str, run_url: str) -> str:
    serving = "nothing serves, because no version was ever verified"
    if rollback.restored:
        serving = f"{rollback.restored.description} serves again"
    run = f" [This run]({run_url}) detected the failure." if run_url else ""
    output = _render_code_block(logs) if logs.strip() else "The output is in the log of the run of Deploy that failed."
    failed, description = rollback.removed, rollback.removed.description.capitalize()
    pinned = f"--version {failed.version} --digest {failed.digest}"
    return redact(f"""## ❌ {description} of {escape(rollback.model)} failed in {escape(rollback.environment)}

**Failure**: {escape(rollback.reason)}

**What was done**: the version is held, so the workflows neither deploy nor propose it; {serving}.{run}

**What to do**
1. {instruction}
2. Find the cause. To serve the version on your machine: `gitops serve {pinned}`.
3. Push a fix. The new version is trained, compared and proposed as usual. If this version was not the cause, allow it
   again by pull request: `gitops lift {failed.version} --why ...`.

This issue is closed automatically when main names another version.

<details><summary>Output of the version</summary>

{output}

</details>
""")


def _render_code_block(text: str) -> str:
    """Return the end of a program's output as a code block that it cannot break out of."""
    text = CONTROL_CHARACTERS.sub("", text)[-LOG_LIMIT:].strip()
    longest = max((len(ticks) for ticks in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"
