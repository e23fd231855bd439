"""Errors that GitHub returns."""

from collections.abc import Mapping
from typing import Any

DOCUMENTATION = "https://docs.github.com/rest"
INTEGRATION = "Resource not accessible by integration"
PULL_REQUESTS = "GitHub Actions is not permitted to create or approve pull requests."
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "For more on scraping GitHub and how it may affect your rights, please review our Terms of Service."
)


class ApiError(Exception):
    """A response that is not a success."""

    def __init__(
        self,
        status: int,
        message: str,
        errors: list[Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep the parts of the response."""
        super().__init__(message)
        self.status = status
        self.message = message
        self.errors = errors
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """Return the response body in GitHub's format."""
        errors = {} if self.errors is None else {"errors": self.errors}
        return {"message": self.message, **errors, "documentation_url": DOCUMENTATION, "status": str(self.status)}


def not_found() -> ApiError:
    """Return the error for a resource that does not exist, or that the caller may not see."""
    return ApiError(404, "Not Found")


def invalid(resource: str, field: str, code: str = "invalid", message: str = "", value: Any = None) -> ApiError:
    """Return the error for one invalid field."""
    error: dict[str, Any] = {"resource": resource, "code": code}
    error |= {"field": field} if field else {}
    error |= {"message": message} if message else {}
    error |= {"value": value} if value is not None else {}
    return ApiError(422, "Validation Failed", [error])


def custom(resource: str, message: str) -> ApiError:
    """Return the error for a broken rule that is not about one field."""
    return invalid(resource, "", "custom", message)


def too_long(resource: str, field: str, maximum: int) -> ApiError:
    """Return the error for a text that exceeds GitHub's limit."""
    return invalid(resource, field, "custom", f"{field} is too long (maximum is {maximum} characters)")
