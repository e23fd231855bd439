"""`gitops-uv`: run uv with the settings that this machine has for pip.

uv reads none of pip's settings. Where only those name the index or the certificate of a company's proxy, uv alone fails
with "invalid peer certificate". This runs before any other package is installed: the standard library is all it needs.
"""

import os
import subprocess
import sys

from gitops_ml import index

# Name of each of pip's settings, and uv's variables for it: https://docs.astral.sh/uv/reference/environment.
VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "proxy": ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "all_proxy"),
    "timeout": ("UV_HTTP_TIMEOUT",),
    "retries": ("UV_HTTP_RETRIES",),
}


def main() -> int:
    """Run uv with the arguments of the command line; return its exit code."""
    command = [sys.executable, "-m", "uv", *sys.argv[1:]]
    return subprocess.run(command, check=False, env={**os.environ, **environment()}).returncode


def environment() -> dict[str, str]:
    """Return the variables that hand pip's settings to uv; a variable of uv's own that is set already wins."""
    settings = index.settings()
    variables = {
        names[0]: " ".join(settings[name].split())
        for name, names in VARIABLES.items()
        if settings.get(name) and not any(os.environ.get(each) for each in names)
    }
    if "UV_FIND_LINKS" in variables:
        variables["UV_FIND_LINKS"] = variables["UV_FIND_LINKS"].replace(" ", ",")
    if "UV_INDEX" in variables:
        # pip takes a package from whichever index has it; a hash decides which file it may be.
        variables.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    certificates = index.certificates()
    if certificates is not None:
        return {**variables, "SSL_CERT_FILE": str(certificates)}
    # As pip does by itself: what the machine trusts.
    return {**variables, "UV_SYSTEM_CERTS": "true"}


if __name__ == "__main__":
    sys.exit(main())
