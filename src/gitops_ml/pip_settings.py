"""Settings of pip on this machine: index, certificate, proxy.

A company's package index, its certificate and the password in its URL are configured for pip, outside of the
repository. Other installers and image builds must use them as well, and no image or commit may contain them.
"""

import configparser
import os
import sys
from pathlib import Path

from gitops_ml.errors import ConfigError

# Settings of pip that image builds get; the certificates of `cert` are a secret of their own.
KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
# Other names of the same settings.
SYNONYMS = {"default-timeout": "timeout", "pypi-url": "index-url"}
CERTIFICATES = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CERTIFICATES_IN_BUILD = "/run/secrets/ca"


def write_build_secrets(folder: Path) -> dict[str, Path]:
    """Write the secrets of an image build: a pip.conf with this machine's settings.

    Args:
        folder: Folder for pip.conf; the caller removes it after the build.

    Returns:
        Files by the id of the secret: `pip` is pip.conf, `ca` the certificates that this machine trusts, if any.

    Raises:
        ConfigError: A file of pip's configuration cannot be read.
    """
    all_settings, trusted = read_settings(), find_certificates()
    settings = {key: value for key in KEYS if (value := _remote(all_settings.get(key, "")))}
    secrets = {}
    if trusted is not None:
        secrets["ca"] = trusted
        settings["cert"] = CERTIFICATES_IN_BUILD
    file = folder / "pip.conf"
    file.touch(mode=0o600)
    lines = [f"{key} = {value}" for key, value in settings.items()]
    file.write_text("\n".join(["[global]", *lines, ""]), encoding="utf-8")
    return {**secrets, "pip": file}


def find_certificates() -> Path | None:
    """Return the file of certificates for downloads of packages; None if none is configured, or the file is missing."""
    configured = next((os.environ[name] for name in CERTIFICATES if os.environ.get(name)), read_settings().get("cert"))
    file = Path(configured).expanduser() if configured else None
    return file if file is not None and file.is_file() else None


def read_settings() -> dict[str, str]:
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
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        settings |= _normalized(dict(parser.items(section)) if parser.has_section(section) else {})
    environment = {name.removeprefix("PIP_"): value for name, value in os.environ.items() if name.startswith("PIP_")}
    return settings | _normalized(environment)


def _normalized(values: dict[str, str]) -> dict[str, str]:
    """Return settings by their normalized names, without empty ones, which pip ignores."""
    normalized = {key.lower().replace("_", "-"): value for key, value in values.items() if value}
    return {SYNONYMS.get(key, key): value for key, value in normalized.items()}


def _files() -> list[Path]:
    """Return the files that pip reads, in ascending precedence: global, user, environment, PIP_CONFIG_FILE.

    The file of PIP_CONFIG_FILE replaces the user's; no file is read if it is the null device.
    """
    explicit = os.environ.get("PIP_CONFIG_FILE")
    if explicit == os.devnull:
        return []
    home, system = Path.home(), "Library/Application Support"
    if sys.platform == "darwin":
        system_folders = [Path("/", system, "pip")]
        mac = home / system / "pip"
        user_folder = mac if mac.is_dir() else home / ".config" / "pip"
    else:
        folders = os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        system_folders = [*(Path(folder, "pip") for folder in folders.split(os.pathsep)), Path("/etc")]
        user_folder = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "pip")
    user_folders = [] if explicit and Path(explicit).exists() else [home / ".pip", user_folder]
    ascending = (*system_folders, *user_folders, Path(sys.prefix))
    return [*(folder / "pip.conf" for folder in ascending), *([Path(explicit)] if explicit else [])]


def _remote(value: str) -> str:
    """Return a value without the folders of this machine, which a build cannot read."""
    return " ".join(part for part in value.split() if not part.startswith("file:"))
