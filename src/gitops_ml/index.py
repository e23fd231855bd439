"""The settings that pip has on this machine: index, certificate, proxy.

A company's mirror, its certificate and the password in its address are set for pip, outside of the repository. Other
installers and image builds must use the same, and nothing of it may be committed or kept in an image.
"""

import configparser
import os
import sys
from pathlib import Path

from gitops_ml.errors import ConfigError

# Of pip's settings, those that say where and how; `cert` is lent as a file of its own.
KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
# Other names that pip takes for the same settings.
SYNONYMS = {"default-timeout": "timeout", "pypi-url": "index-url"}
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
INSIDE = "/run/secrets/ca"


def lent(folder: Path) -> dict[str, Path]:
    """Secrets for a build: `pip`, a pip.conf of this machine's settings, and `ca`, the certificates that it trusts.

    Args:
        folder: Where pip.conf is written; whoever calls removes it.
    """
    said, trusted = settings(), certificates()
    kept = {key: value for key in KEYS if (value := _remote(said.get(key, "")))}
    secrets = {}
    if trusted is not None:
        secrets["ca"] = trusted
        kept["cert"] = INSIDE
    file = folder / "pip.conf"
    file.touch(mode=0o600)
    lines = [f"{key} = {value}" for key, value in kept.items()]
    file.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    return {**secrets, "pip": file}


def certificates() -> Path | None:
    """Return the file of certificates that packages are fetched with; None where none is named, or it is missing."""
    given = next((os.environ[name] for name in CERTIFICATES if os.environ.get(name)), settings().get("cert"))
    file = Path(given).expanduser() if given else None
    return file if file is not None and file.is_file() else None


def settings() -> dict[str, str]:
    """Return pip's settings for `pip install`, by their names, with pip's own precedence.

    See https://pip.pypa.io/en/stable/topics/configuration.

    Raises:
        ConfigError: A file of pip's configuration cannot be read.
    """
    parser = configparser.RawConfigParser()
    for file in _files():
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            reason = " ".join(str(error).split())
            raise ConfigError(f"pip's configuration {file} cannot be read: {reason}.", "Fix this file.") from error
    found: dict[str, str] = {}
    for section in ("global", "install"):
        found |= _named(dict(parser.items(section)) if parser.has_section(section) else {})
    environment = {name.removeprefix("PIP_"): value for name, value in os.environ.items() if name.startswith("PIP_")}
    return found | _named(environment)


def _named(values: dict[str, str]) -> dict[str, str]:
    """Return settings by the names that this module uses; pip ignores empty ones."""
    named = {key.lower().replace("_", "-"): value for key, value in values.items() if value}
    return {SYNONYMS.get(key, key): value for key, value in named.items()}


def _files() -> list[Path]:
    """Return the files that pip reads, the strongest last: the machine's, the person's, the environment's, a named one.

    A named file replaces the person's; where the named one is the null device, no file is read.
    """
    named = os.environ.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return []
    home, system = Path.home(), "Library/Application Support"
    if sys.platform == "darwin":
        shared = [Path("/", system, "pip")]
        mac = home / system / "pip"
        own = mac if mac.is_dir() else home / ".config" / "pip"
    else:
        folders = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        shared = [*(Path(folder, "pip") for folder in folders.split(os.pathsep)), Path("/etc")]
        own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "pip")
    persons = [] if named and Path(named).exists() else [home / ".pip", own]
    return [*(each / "pip.conf" for each in (*shared, *persons, Path(sys.prefix))), *([Path(named)] if named else [])]


def _remote(value: str) -> str:
    """Without the folders of this machine, which a build does not see."""
    return " ".join(part for part in value.split() if not part.startswith("file:"))
