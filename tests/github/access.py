"""Authentication and authorization."""

import base64
import binascii
import re

from .errors import INTEGRATION, ApiError, not_found
from .hub import Hub
from .model import Token


def parse_token(header: str | None) -> str | None:
    """Return the token in an Authorization header, whatever its scheme."""
    if not header:
        return None
    scheme, _, credentials = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return credentials.strip()
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def authenticate(hub: Hub, header: str | None) -> Token | None:
    """Return the caller's token; None without a header. An unknown token is an error."""
    value = parse_token(header)
    if value is None:
        return None
    if value not in hub.tokens:
        raise ApiError(401, "Bad credentials")
    return hub.tokens[value]


def is_admin(hub: Hub, token: Token) -> bool:
    """Return whether a token belongs to the repository's owner."""
    return token.kind == "person" and token.login == hub.owner_login


def has_grant(hub: Hub, token: Token, needs: str) -> bool:
    """Return whether a token has one of these grants."""
    if is_admin(hub, token):
        return True
    return any(
        all(_is_granted(token, *part.strip().split("=")) for part in choice.split(","))
        for choice in needs.split(";")
        if choice
    )


def _is_granted(token: Token, permission: str, level: str) -> bool:
    # Every token of an integration may read metadata.
    granted_level = token.permissions.get(permission) or ("read" if permission == "metadata" else None)
    return granted_level == "write" or granted_level == level


def may_see(hub: Hub, token: Token | None) -> bool:
    """Return whether a caller may see a private repository."""
    return token is not None and (is_admin(hub, token) or token.kind == "actions" or bool(token.permissions))


def authorize(hub: Hub, token: Token | None, needs: str) -> None:
    """Raise GitHub's error if a call is not allowed."""
    if not needs:
        return
    if hub.settings.private and not may_see(hub, token):
        raise not_found()
    public = not hub.settings.private and not re.search(r"=write|administration|variables|secrets|environments", needs)
    if token is None:
        if not public:
            raise ApiError(401, "Requires authentication")
        return
    if not public and not has_grant(hub, token, needs):
        raise missing_grant(token, needs)


def missing_grant(token: Token, needs: str) -> ApiError:
    """Return GitHub's error for a missing grant."""
    message = "Resource not accessible by personal access token" if token.kind == "person" else INTEGRATION
    return ApiError(403, message, headers={"x-accepted-github-permissions": needs})
