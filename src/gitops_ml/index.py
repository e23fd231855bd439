"""The settings that pip has on this machine: index, certificate, proxy.

A company's mirror, its certificate and the password in its address are set for pip, outside of the repository. Other
installers and image builds must use the same, and nothing of it may be committed or kept in an image.
"""

import configparser
import os
import sys
from pathlib import Path

# Of pip's settings, those that say where and how; `cert` is lent as a file of its own.
KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
# Settings that name files of this machine.
LOCAL = ("cert", "find-links")
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
    """Return pip's settings with pip's own precedence: the machine's, the person's, a named file, the environment."""
    parser = configparser.RawConfigParser()
    named = os.environ.get("PIP_CONFIG_FILE")
    parser.read([*_files(), *([named] if named else [])], encoding="utf-8")
    said: dict[str, str] = {}
    for section in ("global", "install"):
        said |= dict(parser.items(section)) if parser.has_section(section) else {}
    env = {key: os.environ.get(f"PIP_{key.upper().replace('-', '_')}") for key in (*KEYS, *LOCAL)}
    return said | {key: value for key, value in env.items() if value}


def _files() -> list[Path]:
    home = Path.home()
    shared = [Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), Path("/Library/Application Support/pip/pip.conf")]
    own = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config", "pip", "pip.conf")
    mac = home / "Library/Application Support/pip/pip.conf"
    return [*shared, home / ".pip/pip.conf", own, mac, Path(sys.prefix, "pip.conf")]


def _remote(value: str) -> str:
    """Without the folders of this machine, which a build does not see."""
    return " ".join(part for part in value.split() if not part.startswith("file:"))
