"""`gitops-uv`: run uv with the settings that this machine has for pip.

uv reads none of pip's settings. Where only those name the index or the certificate of a company's proxy, uv alone fails
with "invalid peer certificate". This runs before any other package is installed: the standard library is all it needs.
"""

import math
import os
import subprocess
import sys

from gitops_ml import index
from gitops_ml.errors import ConfigError

# Each of pip's settings, and uv's variables for it: https://docs.astral.sh/uv/reference/environment. The first is set,
# unless the machine sets one of them itself.
VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", "UV_INDEX_URL"),
    "extra-index-url": ("UV_INDEX", "UV_EXTRA_INDEX_URL"),
    "find-links": ("UV_FIND_LINKS",),
    "trusted-host": ("UV_INSECURE_HOST",),
    "proxy": ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy", "all_proxy"),
    "timeout": ("UV_HTTP_TIMEOUT", "UV_REQUEST_TIMEOUT", "HTTP_TIMEOUT"),
    "retries": ("UV_HTTP_RETRIES",),
    "cert": ("SSL_CERT_FILE",),
    "client-cert": ("SSL_CLIENT_CERT",),
}
TRUE = {"1", "true", "yes", "on", "y", "t"}
# uv has no variable for pip's `no-index`: an index without packages is the same.
EMPTY = "file:///no-index"
COMPILE = ["pip", "compile"]


def main() -> int:
    """Run uv with the arguments of the command line; return its exit code."""
    try:
        env = {**os.environ, **environment(folders=sys.argv[1:3] != COMPILE)}
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return subprocess.run([sys.executable, "-m", "uv", *sys.argv[1:]], check=False, env=env).returncode


def environment(folders: bool = True) -> dict[str, str]:
    """Return the variables that hand pip's settings to uv; what is set for uv itself wins.

    Args:
        folders: Whether packages may come from folders beside an index, which `find-links` and `extra-index-url` name.
            A lock is made without them, for it would hold the hashes of what lies there, and no others.

    Raises:
        ConfigError: A file of pip's configuration cannot be read.
    """
    wanted = _for_uv(index.settings(), folders)
    variables = {
        names[0]: wanted[name]
        for name, names in VARIABLES.items()
        if wanted.get(name) and not any(os.environ.get(each) for each in names)
    }
    if "UV_INDEX" in variables and not os.environ.get("UV_INDEX_STRATEGY"):
        # pip takes a package from whichever index has it; a hash decides which file it may be.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "cert" not in wanted and not os.environ.get("UV_SYSTEM_CERTS"):
        # As pip does by itself: what the machine trusts.
        variables["UV_SYSTEM_CERTS"] = "true"
    return variables


def _for_uv(settings: dict[str, str], folders: bool) -> dict[str, str]:
    """Return pip's settings as uv writes them."""
    certificates = index.certificates()
    found = {name: " ".join(value.split()) for name, value in settings.items() if name != "cert"}
    # Offline, uv asks no index either, but it knows the packages in its cache by the index that they came from.
    if found.get("no-index", "").lower() in TRUE and not os.environ.get("UV_OFFLINE"):
        found |= {"index-url": EMPTY, "extra-index-url": ""}
    elif not folders:
        remote = [each for each in found.get("extra-index-url", "").split() if not each.startswith("file:")]
        found |= {"find-links": "", "extra-index-url": " ".join(remote)}
    found["find-links"] = found.get("find-links", "").replace(" ", ",")
    if "timeout" in found:
        found["timeout"] = str(math.ceil(float(found["timeout"])))  # uv takes whole seconds
    return found if certificates is None else {**found, "cert": str(certificates)}


if __name__ == "__main__":
    sys.exit(main())
