"""Read what an update needs of a version of the library: its template, its requirements and its gates."""

import hashlib
import io
import re
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

import gitops_ml
from gitops_ml import git, library
from gitops_ml.errors import ConfigError, IntegrityError
from gitops_ml.locks import LibraryRequirements

GATE_ID = re.compile(r'^    id = "([A-Z]+)"', re.MULTILINE)


@dataclass(frozen=True)
class LibraryFiles:
    """Files of a version of the library.

    Attributes:
        version: Version of the library.
        template: The template, as a zip archive.
        requires: Requirements of the library.
        gates: Ids of its gates.
        pin: Content of requirements/gitops.txt.
        wheel: Content of the wheel in vendor; None if the index has it.
    """

    version: str
    template: bytes
    requires: tuple[str, ...]
    gates: frozenset[str]
    pin: str
    wheel: bytes | None = None

    @property
    def requirements(self) -> LibraryRequirements:
        """Requirements, for the check of locks."""
        return LibraryRequirements(self.version, self.requires)

    @property
    def wheel_name(self) -> str:
        """File name of the wheel."""
        return wheel_name(self.version)


def wheel_name(version: str) -> str:
    """Return the file name of the wheel of a version.

    Args:
        version: Version of the library.
    """
    return f"{library.PACKAGE}-{version}-py3-none-any.whl"


def read_wheel(content: bytes, pin: str) -> LibraryFiles:
    """Return the files of a wheel that `vendor` holds or will hold.

    Args:
        content: Content of the wheel.
        pin: Content of requirements/gitops.txt.

    Raises:
        IntegrityError: The wheel is not the one that is pinned.
        ConfigError: The file is not a wheel of the library.
    """
    version, digest = library.read_pin(pin)
    actual = hashlib.sha256(content).hexdigest()
    if version is None or digest != actual:
        raise IntegrityError(
            f"{library.VENDOR}/{wheel_name(version or '?')} has the SHA-256 {actual[:12]}..., but {library.PIN} pins "
            f"{(digest or 'none')[:12]}...: the wheel was replaced or damaged, or the pin was edited.",
            f"Find out who changed it (`git log -- {library.VENDOR} {library.PIN}`), and restore both files from the "
            "commit that wrote them.",
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _read(zipfile.Path(archive), pin, content)
    except (zipfile.BadZipFile, KeyError, StopIteration, OSError) as error:
        raise ConfigError(
            f"The wheel {wheel_name(version)} lacks files of the library ({error!r}).",
            "Name a wheel of gitops-ml 0.2 or newer, or a checkout of the template.",
        ) from error


def read_installed(pin: str) -> LibraryFiles:
    """Return the files of the installed library, whose version the index has.

    Args:
        pin: Content of requirements/gitops.txt.
    """
    return _read(Path(gitops_ml.__file__).parents[1], pin)


def read_pinned(root: Path, revision: str) -> LibraryFiles:
    """Return the library that a commit pins: its wheel in `vendor`, or else the distribution of the index.

    Args:
        root: Root of the clone.
        revision: Commit.

    Raises:
        ConfigError: The commit pins no library, or it cannot be installed.
        IntegrityError: The wheel is not the one that is pinned.
    """
    pin = git.read_file(root, revision, library.PIN) or ""
    version, _ = library.read_pin(pin)
    if version is None:
        raise ConfigError(
            f"{library.PIN} at main pins no version of {library.NAME}.",
            f"Restore the file from Git: `git log -- {library.PIN}`. A repository that 0.1 generated has none: use "
            "`--from-copied` (`gitops docs update`).",
        )
    path = f"{library.VENDOR}/{wheel_name(version)}"
    listed = git.run_bytes(root, "ls-tree", "--object-only", revision, "--", path).decode().strip()
    if listed:
        return read_wheel(git.run_bytes(root, "cat-file", "blob", listed), pin)
    if "--find-links" in pin:
        raise IntegrityError(
            f"{library.PIN} at main pins {library.NAME} {version}, but {path} is missing.",
            f"Restore the wheel: `git log -- {library.VENDOR}` lists the commits that had it.",
        )
    return read_index(pin)


def read_index(pin: str) -> LibraryFiles:
    """Return the library that a requirement with a hash names; it is downloaded from the index.

    Args:
        pin: Content of requirements/gitops.txt, without a wheel in `vendor`.

    Raises:
        ConfigError: The distribution cannot be downloaded.
    """
    with tempfile.TemporaryDirectory() as scratch:
        file, folder = Path(scratch, "gitops.txt"), Path(scratch, "library")
        file.write_text(pin, encoding="utf-8")
        command = (sys.executable, "-m", "gitops_ml.uv", "pip", "install", "--quiet", "--no-deps", "--require-hashes",
                   "--target", folder, "--python", sys.executable, "-r", file)  # fmt: skip
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        if done.returncode:
            raise ConfigError(
                f"{library.NAME} {library.read_pin(pin)[0]} cannot be installed: {_last_line(done.stderr)}.",
                "Check the connection to the package index, and run the command again.",
            )
        return _read(folder, pin)


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1].rstrip(".")


def _read(site_packages: Path | zipfile.Path, pin: str, wheel: bytes | None = None) -> LibraryFiles:
    """Read the library in a folder of installed packages, or in a wheel, which is laid out in the same way."""
    package = site_packages / library.PACKAGE
    prefix = f"{library.PACKAGE}-"
    info = next(
        each for each in site_packages.iterdir() if each.name.startswith(prefix) and each.name.endswith(".dist-info")
    )
    metadata = HeaderParser().parsestr((info / "METADATA").read_text(encoding="utf-8"))
    gates = (each for each in (package / "training" / "gates").iterdir() if each.name.endswith(".py"))
    return LibraryFiles(
        version=str(metadata["Version"]),
        template=(package / "data" / "template.zip").read_bytes(),
        requires=tuple(metadata.get_all("Requires-Dist", [])),
        gates=frozenset(id for gate in gates for id in GATE_ID.findall(gate.read_text(encoding="utf-8"))),
        pin=pin,
        wheel=wheel,
    )
