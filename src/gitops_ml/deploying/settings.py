"""Whether what serves was brought up with the settings of today: a mark that it carries, and that changes with them."""

import hashlib
import json
import os

from gitops_ml.private import OF_SERVERS

MARK = "gitops.settings"
# Whoever may see a mark may guess tokens, so that a guess must take its time.
ROUNDS = 100_000


def mark(*parts: object, token: bool = True) -> str:
    """Twelve digits that are others when any part is, or one of the secrets, which they do not tell.

    Args:
        parts: Whatever JSON can hold.
        token: Whether the secrets are among the settings.
    """
    secrets = [os.environ.get(name) or "" for name in OF_SERVERS] if token else []
    return hashlib.pbkdf2_hmac(
        "sha256", "\0".join(secrets).rstrip("\0").encode(), json.dumps(parts).encode(), ROUNDS
    ).hex()[:12]
