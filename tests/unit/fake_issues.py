"""A fake of GitHub's issues."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class FakeIssues:
    """The part of the GitHub client that issues need.

    Attributes:
        page: URL of the repository's page.
        login: The user that the token belongs to.
        author: Author of new issues.
        issues: The issues, numbered from 1.
        writes: HTTP methods of the writes.
    """

    page: str = "https://github.com/o/r"
    login: str | None = None
    author: dict[str, str] | None = field(default_factory=lambda: {"login": "github-actions[bot]", "type": "Bot"})
    issues: list[dict[str, Any]] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)

    def paginate(self, _: str, state: str, since: str = "") -> list[dict[str, Any]]:
        """Return the issues in a state."""
        return [issue for issue in self.issues if issue["state"] == state]

    def get(self, path: str) -> dict[str, Any]:
        """Return an issue."""
        return self.issues[int(path.rpartition("/")[2]) - 1]

    def send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Open or update an issue."""
        self.writes.append(method)
        if method == "POST":
            number = len(self.issues) + 1
            url = f"{self.page}/issues/{number}"
            self.issues.append({"number": number, "state": "open", "html_url": url, "user": self.author, **body})
            return self.issues[-1]
        self.get(path).update(body)
        return self.get(path)

    def close(self, number: int, author_type: str, at: datetime = NOW) -> None:
        """Close an issue as a user or as a bot."""
        self.issues[number - 1] |= {
            "state": "closed",
            "closed_by": {"type": author_type},
            "closed_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        }
