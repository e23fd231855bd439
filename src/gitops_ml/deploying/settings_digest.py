"""Digest of the settings with which a server was started, to detect that the settings have changed since."""

import hashlib
import json
import os

from gitops_ml.secrets import SERVER_SECRETS

# Container label that holds the digest.
LABEL = "gitops.settings"
# PBKDF2 iterations; the digest is public, so guessing a token from it must be slow.
ROUNDS = 100_000


def settings_digest(*parts: object, with_secrets: bool = True) -> str:
    """Return twelve hexadecimal digits that change with any part or secret, and do not reveal the secrets.

    Args:
        *parts: Settings, as values that JSON can hold.
        with_secrets: Include the servers' secrets from the environment.
    """
    secrets = [os.environ.get(name) or "" for name in SERVER_SECRETS] if with_secrets else []
    return hashlib.pbkdf2_hmac(
        "sha256", "\0".join(secrets).rstrip("\0").encode(), json.dumps(parts).encode(), ROUNDS
    ).hex()[:12]
