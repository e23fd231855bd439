"""The texts of the pull request that ends a line of versions."""

from collections.abc import Mapping
from dataclasses import dataclass

from gitops_ml.forge.markdown import escape
from gitops_ml.secrets import redact


@dataclass(frozen=True)
class StartOver:
    """A proposal to end the line of versions.

    Attributes:
        model: Name of the registered model.
        reason: Reason, as text of a person.
        versions: Version number that the record on main names, by environment.
        path: Path of the file that ends the line.
        content: Content of that file.
    """

    model: str
    reason: str
    versions: Mapping[str, str]
    path: str
    content: str = ""

    @property
    def title(self) -> str:
        """The title of the pull request."""
        named = ", ".join(f"version {version} in {name}" for name, version in self.versions.items())
        return f"Start over: end the line of {self.model}" + (f" ({named})" if named else "")

    @property
    def serving(self) -> str:
        """Sentence about the versions that serve after the merge."""
        if not self.versions:
            return "No version serves."
        served = " and ".join(f"version {version} in {name}" for name, version in self.versions.items())
        return f"Until the next promotion, main names {served}, which keeps serving."

    @property
    def body(self) -> str:
        """The body of the pull request, in Markdown."""
        return redact(f"""## Start over: the next version is compared with no champion

**Reason**: {escape(self.reason)}

**Merge** to end the line. The merge adds `{self.path}`; it changes no record, so it deploys nothing.

- {escape(self.serving)} Deploy, monitoring, alarms and rollbacks go on as before.
- The next version is a first champion: it is compared with no other version, and it is judged by the gates, the metric
  and the schema of its own commit. Its pull request lists its floors and the gates that are off.
- From its promotion on, these rules are protected.

**Close** to leave main as it is: versions are still compared with the champion.

Push another table, key or target after this merge, in a separate change.
""")
