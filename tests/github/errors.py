"""What GitHub says when it refuses."""

from collections.abc import Mapping
from typing import Any

DOCUMENTATION = "https://docs.github.com/rest"
INTEGRATION = "Resource not accessible by integration"
PULL_REQUESTS = "GitHub Actions is not permitted to create or approve pull requests."
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "For more on scraping GitHub and how it may affect your rights, please review our Terms of Service."
)


class RefusedError(Exception):
    """An answer that is not a success."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what the answer will be made of."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The answer in GitHub's shape."""
        errors = {} if self.errors is None else {"errors": self.errors}
        return {"message": self.message, **errors, "documentation_url": DOCUMENTATION, "status": str(self.status)}


def not_found() -> RefusedError:
    """It is not there, or the caller may not know that it is."""
    return RefusedError(404, "Not Found")


def invalid(resource: str, field: str, code: str = "invalid", message: str = "", value: Any = None) -> RefusedError:
    """One field is wrong."""
    error: dict[str, Any] = {"resource": resource, "code": code}
    error |= {"field": field} if field else {}
    error |= {"message": message} if message else {}
    error |= {"value": value} if value is not None else {}
    return RefusedError(422, "Validation Failed", [error])


def custom(resource: str, message: str) -> RefusedError:
    """A rule that is not about one field is broken."""
    return invalid(resource, "", "custom", message)


def too_long(resource: str, field: str, maximum: int) -> RefusedError:
    """A text exceeds GitHub's limit."""
    return invalid(resource, field, "custom", f"{field} is too long (maximum is {maximum} characters)")
