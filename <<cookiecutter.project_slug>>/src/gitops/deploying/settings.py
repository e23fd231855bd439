# machinery
"""Whether what serves was brought up with the settings of today: a mark that it carries, and that changes with them."""

import hashlib
import json
import os

MARK = "gitops.settings"
TOKEN = "GITOPS_TOKEN"  # noqa: S105 (the name of a variable)
# Whoever may see a mark may guess tokens, so that a guess must take its time.
ROUNDS = 100_000


def mark(*parts: object, token: bool = True) -> str:
    """Twelve digits that are others when any part is, or the token that callers must bear, which they do not tell.

    Args:
        parts: Whatever JSON can hold.
        token: Whether the token is among the settings.
    """
    secret = (os.environ.get(TOKEN) or "") if token else ""
    return hashlib.pbkdf2_hmac("sha256", secret.encode(), json.dumps(parts).encode(), ROUNDS).hex()[:12]
