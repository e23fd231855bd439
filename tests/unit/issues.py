"""A stand-in for GitHub's issues."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@dataclass
class Issues:
    """The little of GitHub that issues need."""

    page: str = "https://github.com/o/r"
    login: str | None = None
    who: dict[str, str] = field(default_factory=lambda: {"login": "github-actions[bot]", "type": "Bot"})
    there: list[dict[str, Any]] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)

    def each(self, _: str, state: str, since: str = "") -> list[dict[str, Any]]:
        """Open ones, or closed ones."""
        return [issue for issue in self.there if issue["state"] == state]

    def get(self, path: str) -> dict[str, Any]:
        """One of them."""
        return self.there[int(path.rpartition("/")[2]) - 1]

    def send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Open, or change."""
        self.writes.append(method)
        if method == "POST":
            number = len(self.there) + 1
            url = f"{self.page}/issues/{number}"
            self.there.append({"number": number, "state": "open", "html_url": url, "user": self.who, **body})
            return self.there[-1]
        self.get(path).update(body)
        return self.get(path)

    def close(self, number: int, who: str, at: datetime = NOW) -> None:
        """Somebody closes one."""
        self.there[number - 1] |= {
            "state": "closed",
            "closed_by": {"type": who},
            "closed_at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        }
