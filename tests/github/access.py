"""Who may do what."""

import base64
import binascii
import re

from .errors import INTEGRATION, RefusedError, not_found
from .hub import Hub
from .model import Token


def secret(header: str | None) -> str | None:
    """The token in an Authorization header, however it was put there."""
    if not header:
        return None
    scheme, _, rest = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return rest.strip()
    try:
        return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""


def caller(hub: Hub, header: str | None) -> Token | None:
    """Who calls; None for a stranger, an error for a token that nobody issued."""
    value = secret(header)
    if value is None:
        return None
    if value not in hub.tokens:
        raise RefusedError(401, "Bad credentials")
    return hub.tokens[value]


def is_admin(hub: Hub, token: Token) -> bool:
    """Whether a person owns the repository."""
    return token.kind == "person" and token.login == hub.owner_login


def granted(hub: Hub, token: Token, needs: str) -> bool:
    """Whether a token has one of these grants."""
    if is_admin(hub, token):
        return True
    return any(
        all(_has(token, *part.strip().split("=")) for part in choice.split(","))
        for choice in needs.split(";")
        if choice
    )


def _has(token: Token, permission: str, level: str) -> bool:
    # Every token of an integration may read metadata.
    has = token.permissions.get(permission) or ("read" if permission == "metadata" else None)
    return has == "write" or has == level


def belongs(hub: Hub, token: Token | None) -> bool:
    """Whether a private repository may be seen at all."""
    return token is not None and (is_admin(hub, token) or token.kind == "actions" or bool(token.permissions))


def allow(hub: Hub, token: Token | None, needs: str) -> None:
    """Let a call pass, or refuse it as GitHub does."""
    if not needs:
        return
    if hub.settings.private and not belongs(hub, token):
        raise not_found()
    public = not hub.settings.private and not re.search(r"=write|administration", needs)
    if token is None:
        if not public:
            raise RefusedError(401, "Requires authentication")
        return
    if not public and not granted(hub, token, needs):
        raise missing(token, needs)


def missing(token: Token, needs: str) -> RefusedError:
    """The grant is not there."""
    message = "Resource not accessible by personal access token" if token.kind == "person" else INTEGRATION
    return RefusedError(403, message, headers={"x-accepted-github-permissions": needs})
