"""Get a newer version of the library: from a checkout of the template, a wheel, or the package index.

The older library runs this code. It writes a folder that looks like a part of a generated repository:
`requirements/gitops.txt` with version and hash, the wheel in `vendor` unless the index has it, and
`requirements/update.txt`, the lock of the packages that the new library's update needs.
"""

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from gitops_ml import checkout, library, secrets
from gitops_ml.errors import ConfigError

BUILDER = Path("src", "gitops_ml", "wheel.py")
LOCK = f"{library.PACKAGE}/data/update.txt"
CONTRACT = 1
OTHER_SOURCES = "Name a checkout of the template, or a wheel: `gitops update --to ../gitops-template`."
COMPILE = ("pip", "compile", "--quiet", "--generate-hashes", "--no-deps", "--no-header", "--no-annotate",
           "--no-emit-index-url", "--no-emit-find-links", "-")  # fmt: skip


class NotOnIndex(ConfigError):
    """The package index has no such version of the library."""


@dataclass(frozen=True)
class NewLibrary:
    """A version of the library to update to.

    Attributes:
        version: Version of the library.
        folder: Folder with its pin, its lock, and perhaps its wheel.
    """

    version: str
    folder: Path

    @property
    def pin(self) -> Path:
        """File that pins the library with its hash."""
        return self.folder / library.PIN

    @property
    def lock(self) -> Path:
        """Lock of the packages that its update needs."""
        return self.folder / "requirements" / "update.txt"

    @property
    def wheel(self) -> Path | None:
        """The wheel; None if the index has it."""
        return next((self.folder / library.VENDOR).glob("*.whl"), None)


def fetch_library(target: str | None, scratch: Path, pinned: str | None) -> NewLibrary | None:
    """Get the version of the library that the user named.

    Args:
        target: Folder of a checkout, wheel, or version; None for the newest version on the index.
        scratch: Folder that keeps versions.
        pinned: Version that main pins; None if it pins none.

    Returns:
        The version; None if the newest version on the index is not newer than the pinned one.

    Raises:
        NotOnIndex: The index has no such version.
        ConfigError: The target does not exist, or is not the library.
    """
    path = Path(target).expanduser() if target else None
    if path is not None and path.is_dir():
        return _build(path, scratch)
    if path is not None and path.is_file():
        return _copy(path, scratch)
    if target is not None and not _is_version(target):
        raise ConfigError(
            f"{target!r} is neither a folder, nor a wheel, nor a version.",
            "Name a checkout of the template (`--to ../gitops-template`), a wheel, or a version such as 0.3.0.",
        )
    pin = _find_on_index(target)
    version = str(library.read_pin(pin)[0])
    if pinned and Version(version) < Version(pinned):
        if target is None:
            return None
        raise ConfigError(
            f"{library.NAME} {version} is older than {pinned}, which main pins.",
            "To go back, revert the commit of the last update: `git log -- requirements/gitops.txt`.",
        )
    return _download(pin, version, scratch)


def run_update(python: Path, new: NewLibrary, root: Path, options: list[str]) -> int:
    """Run the new library's update, whose output is shown as it is.

    Args:
        python: Interpreter that has the new library.
        new: The new library.
        root: Root of the repository.
        options: Further options.

    Returns:
        Its exit code.
    """
    wheel = ["--wheel", str(new.wheel)] if new.wheel else []
    command = [str(python), "-I", "-m", "gitops_ml.updating", "--contract", str(CONTRACT), "--project", str(root),
               "--pin", str(new.pin), *wheel, *options]  # fmt: skip
    return subprocess.run(command, check=False, env=secrets.environment_without_secrets()).returncode


def install(new: NewLibrary, scratch: Path) -> Path:
    """Return an interpreter with the new library and the packages that its update needs.

    Args:
        new: The new library.
        scratch: Folder that keeps environments.

    Raises:
        CheckoutFailed: The packages cannot be installed.
    """
    return checkout.environment_in(scratch / "environments", new.lock, new.pin)


def _is_version(text: str) -> bool:
    try:
        Version(text)
    except InvalidVersion:
        return False
    return True


def _build(folder: Path, scratch: Path) -> NewLibrary:
    """Build the wheel of a checkout, with the checkout's own builder, as the hook of the template does."""
    project = folder / "pyproject.toml"
    named = project.is_file() and tomllib.loads(project.read_text(encoding="utf-8")).get("project", {}).get("name")
    if named != library.NAME or not (folder / BUILDER).is_file():
        raise ConfigError(
            f"{folder} is not a checkout of the template: it lacks {BUILDER}, or the pyproject.toml of {library.NAME}.",
            "Clone the template (the address that you gave to cookiecutter), and name the folder of the clone.",
        )
    built = _load_builder(folder / BUILDER).build(folder.resolve())
    return _write(built.version, built.content, scratch)


def _load_builder(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("gitops_ml_builder", file)
    assert spec is not None and spec.loader is not None  # noqa: PT018, S101 (a file that exists)
    module = sys.modules["gitops_ml_builder"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _copy(file: Path, scratch: Path) -> NewLibrary:
    """Copy a wheel."""
    try:
        name, version, _, _ = parse_wheel_filename(file.name)
    except InvalidWheelFilename:
        name, version = None, None
    if name != library.NAME or not zipfile.is_zipfile(file):
        raise ConfigError(
            f"{file} is not a wheel of {library.NAME}.",
            f"Name a file such as {library.PACKAGE}-0.3.0-py3-none-any.whl, or a checkout of the template.",
        )
    return _write(str(version), file.read_bytes(), scratch)


def _write(version: str, wheel: bytes, scratch: Path) -> NewLibrary:
    digest = hashlib.sha256(wheel).hexdigest()
    folder = scratch / f"library-{digest[:12]}"
    (folder / library.VENDOR).mkdir(parents=True, exist_ok=True)
    (folder / "requirements").mkdir(exist_ok=True)
    path = folder / library.VENDOR / f"{library.PACKAGE}-{version}-py3-none-any.whl"
    path.write_bytes(wheel)
    with zipfile.ZipFile(path) as archive:
        if LOCK not in archive.namelist():
            raise _too_old(version)
        lock = archive.read(LOCK)
    pin = f"--find-links ../{library.VENDOR}\n{library.NAME}=={version} --hash=sha256:{digest}\n"
    return _complete(version, folder, pin, lock)


def _complete(version: str, folder: Path, pin: str, lock: bytes) -> NewLibrary:
    new = NewLibrary(version, folder)
    new.pin.parent.mkdir(parents=True, exist_ok=True)
    new.lock.write_bytes(lock)
    new.pin.write_text(pin, encoding="utf-8", newline="\n")
    return new


def _find_on_index(version: str | None) -> str:
    """Return the line that pins a version of the index, or the newest one, with its hashes."""
    requirement = f"{library.NAME}=={version}" if version else library.NAME
    done = _run_uv(*COMPILE, stdin=requirement)
    if done.returncode == 0:
        return done.stdout
    if "not found" in done.stderr or "no version" in done.stderr:
        wanted = f"version {version} of {library.NAME}" if version else f"version of {library.NAME}"
        raise NotOnIndex(f"There is no {wanted} on the package index.", OTHER_SOURCES)
    raise ConfigError(f"The package index cannot be read: {' '.join(done.stderr.split())[-500:]}", OTHER_SOURCES)


def _download(pin: str, version: str, scratch: Path) -> NewLibrary:
    """Get the lock of a version on the index."""
    folder = scratch / f"library-{hashlib.sha256(pin.encode()).hexdigest()[:12]}"
    with tempfile.TemporaryDirectory() as temporary:
        file, target = Path(temporary, "gitops.txt"), Path(temporary, "library")
        file.write_text(pin, encoding="utf-8")
        done = _run_uv("pip", "install", "--quiet", "--no-deps", "--require-hashes", "--python", sys.executable,
                       "--target", str(target), "-r", str(file))  # fmt: skip
        if done.returncode:
            raise ConfigError(
                f"{library.NAME} {version} cannot be installed: {' '.join(done.stderr.split())[-500:]}",
                "Check the connection to the package index, and run the command again.",
            )
        if not (target / LOCK).is_file():
            raise _too_old(version)
        return _complete(version, folder, pin, (target / LOCK).read_bytes())


def _run_uv(*arguments: str, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "gitops_ml.uv", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, input=stdin)


def _too_old(version: str) -> ConfigError:
    return ConfigError(
        f"{library.NAME} {version} cannot update a repository: it lacks {LOCK}.", "Name a newer version with `--to`."
    )
