"""`gitops-uv`: run uv with the settings of pip on this machine.

uv does not read pip's settings. If a company's index or the certificate of its proxy is named only there, uv fails with
an error such as "invalid peer certificate". This runs before other packages are installed, so it uses the standard
library only.
"""

import math
import os
import subprocess
import sys

from gitops_ml import pip_settings
from gitops_ml.errors import ConfigError
from gitops_ml.output_text import clean

# Settings of pip, and uv's variables for them: https://docs.astral.sh/uv/reference/environment. The first variable is
# set, unless the environment already has one of them.
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
# uv has no variable for pip's `no-index`; an index without packages has the same effect.
EMPTY = "file:///no-index"
COMPILE = ["pip", "compile"]


def main() -> int:
    """Return the exit code of uv, run with the arguments of the command line and pip's settings."""
    try:
        env = {**os.environ, **environment(folders=sys.argv[1:3] != COMPILE)}
    except ConfigError as error:
        print(clean(str(error)), file=sys.stderr)
        return error.exit_code
    return subprocess.run([sys.executable, "-m", "uv", *sys.argv[1:]], check=False, env=env).returncode


def environment(folders: bool = True) -> dict[str, str]:
    """Return environment variables with pip's settings for uv; uv's own variables take precedence.

    Args:
        folders: False leaves out `find-links`, and the indexes of `extra-index-url` that are local folders. Otherwise
            a compiled lock would contain only the hashes of the local files. With pip's `no-index`, `find-links` stays.

    Returns:
        The variables by name.

    Raises:
        ConfigError: A file of pip's configuration cannot be read.
    """
    wanted = _for_uv(pip_settings.read_settings(), folders)
    variables = {
        names[0]: wanted[name]
        for name, names in VARIABLES.items()
        if wanted.get(name) and not any(os.environ.get(each) for each in names)
    }
    if "UV_INDEX" in variables and not os.environ.get("UV_INDEX_STRATEGY"):
        # By default uv takes a package only from the first index that has it; pip considers all indexes. This is safe
        # here, because the hashes in the lock decide which file is valid.
        variables["UV_INDEX_STRATEGY"] = "unsafe-best-match"
    if "cert" not in wanted and not os.environ.get("UV_SYSTEM_CERTS"):
        # Trust the system's certificates, as pip does.
        variables["UV_SYSTEM_CERTS"] = "true"
    return variables


def _for_uv(settings: dict[str, str], folders: bool) -> dict[str, str]:
    """Return pip's settings in the format of uv."""
    certificates = pip_settings.find_certificates()
    values = {name: " ".join(value.split()) for name, value in settings.items() if name != "cert"}
    # With UV_OFFLINE, the index stays: uv contacts none then, but its cache has packages by the index they came from.
    if values.get("no-index", "").lower() in TRUE and not os.environ.get("UV_OFFLINE"):
        values |= {"index-url": EMPTY, "extra-index-url": ""}
    elif not folders:
        remote = [each for each in values.get("extra-index-url", "").split() if not each.startswith("file:")]
        values |= {"find-links": "", "extra-index-url": " ".join(remote)}
    values["find-links"] = values.get("find-links", "").replace(" ", ",")
    if "timeout" in values:
        values["timeout"] = str(math.ceil(float(values["timeout"])))  # uv needs whole seconds
    return values if certificates is None else {**values, "cert": str(certificates)}


if __name__ == "__main__":
    sys.exit(main())
