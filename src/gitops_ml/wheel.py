"""Build the library's wheel from a checkout of its source, with the standard library alone.

A wheel is a zip file (https://packaging.python.org/specifications/binary-distribution-format). Its entries are sorted,
have one fixed date, and are stored, not compressed, for compressors differ: the same source gives the same bytes on
every machine. cookiecutter's hook runs this file by its path, under a Python that has no other package.
"""

import base64
import hashlib
import io
import re
import subprocess
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "gitops-ml"
PACKAGE = "gitops_ml"
TEMPLATE = ("cookiecutter.json", "hooks", "<<cookiecutter.project_slug>>")
ARCHIVE = f"{PACKAGE}/data/template.zip"
LITTER = re.compile(r"(^|/)(__pycache__|\.[a-z]+_cache|\.venv|\.gitops|\.DS_Store)(/|$)|\.py[co]$")
DATE = (1980, 1, 1, 0, 0, 0)
TAG = "py3-none-any"


@dataclass(frozen=True)
class Wheel:
    """A wheel that was built.

    Attributes:
        version: Version of the distribution; it names the content, where the content is no release.
        content: The file.
    """

    version: str
    content: bytes

    @property
    def name(self) -> str:
        """File name, as the specification writes it."""
        return f"{PACKAGE}-{self.version}-{TAG}.whl"

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def requirement(self) -> str:
        """Line of a requirements file that installs this wheel and no other."""
        return f"{NAME}=={self.version} --hash=sha256:{self.digest}"


def is_checkout(folder: Path) -> bool:
    """Return whether a folder holds the source of this library."""
    file = folder / "pyproject.toml"
    if not file.is_file() or not (folder / "src" / PACKAGE).is_dir():
        return False
    project: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    return project.get("name") == NAME


def build(checkout: Path) -> Wheel:
    """Build the wheel of a checkout.

    Args:
        checkout: Root of the repository: `pyproject.toml`, `src`, and the template.
    """
    project: dict[str, Any] = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files = {**_files(checkout / "src", PACKAGE), ARCHIVE: template(checkout)}
    about = {
        "entry_points.txt": _entry_points(project).encode(),
        "licenses/LICENSE": (checkout / "LICENSE").read_bytes(),
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: {NAME}\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode(),
    }
    metadata = _metadata(project, (checkout / str(project["readme"])).read_text(encoding="utf-8"))
    version = _version(checkout, str(project["version"]), _digest({**files, **about, "METADATA": metadata.encode()}))
    info = f"{PACKAGE}-{version}.dist-info"
    about["METADATA"] = metadata.replace(f"\nVersion: {project['version']}\n", f"\nVersion: {version}\n", 1).encode()
    entries = files | {f"{info}/{name}": content for name, content in about.items()}
    record = [f"{name},sha256={_record_hash(content)},{len(content)}\n" for name, content in sorted(entries.items())]
    return Wheel(version, _zip({**entries, f"{info}/RECORD": "".join([*record, f"{info}/RECORD,,\n"]).encode()}))


def template(checkout: Path) -> bytes:
    """Return the cookiecutter template as one archive: its file names are not valid on Windows."""
    files: dict[str, bytes] = {}
    for name in TEMPLATE:
        files |= _files(checkout, name)
    return _zip(files)


def write(wheel: Wheel, root: Path) -> None:
    """Put a wheel into a generated repository, pinned by its hash; the only one that is left there."""
    folder = root / "vendor"
    folder.mkdir(exist_ok=True)
    (folder / wheel.name).write_bytes(wheel.content)
    pin = f"--find-links ../vendor\n{wheel.requirement}\n"
    (root / "requirements" / "gitops.txt").write_text(pin, encoding="utf-8", newline="\n")
    for other in folder.glob("*.whl"):
        if other.name != wheel.name:
            other.unlink()


def _files(root: Path, name: str) -> dict[str, bytes]:
    """Return the content of a file, or of every file of a folder, by its name below a root."""
    start = root / name
    found = [start] if start.is_file() else [path for path in start.rglob("*") if path.is_file()]
    named = {path.relative_to(root).as_posix(): path for path in found}
    return {name: path.read_bytes() for name, path in sorted(named.items()) if not LITTER.search(name)}


def _version(checkout: Path, base: str, digest: str) -> str:
    """Return the version as it is where the checkout is that release, and with the content's digest elsewhere."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--exact-match", "--dirty", "--match", f"v{base}"]
    try:
        found = subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
    except OSError:  # Git is not installed: nothing says that this is the release
        found = ""
    return base if found == f"v{base}" else f"{base}+{digest[:12]}"


def _metadata(project: dict[str, Any], readme: str) -> str:
    """Return the core metadata (https://packaging.python.org/specifications/core-metadata)."""
    lines = [
        "Metadata-Version: 2.4", f"Name: {NAME}", f"Version: {project['version']}",
        f"Summary: {project['description']}", f"License-Expression: {project['license']}", "License-File: LICENSE",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {each}" for each in sorted(project["dependencies"])),
    ]  # fmt: skip
    for extra, wanted in sorted(project["optional-dependencies"].items()):
        lines += [
            f"Provides-Extra: {extra}",
            *(f"Requires-Dist: {each}; extra == '{extra}'" for each in sorted(wanted)),
        ]
    return "\n".join([*lines, "Description-Content-Type: text/markdown", "", readme])


def _entry_points(project: dict[str, Any]) -> str:
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    tables = (
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in sorted(points.items()))])
        for group, points in sorted(groups.items())
    )
    return "\n\n".join(tables) + "\n"


def _digest(files: dict[str, bytes]) -> str:
    each = (f"{name}\0{hashlib.sha256(content).hexdigest()}\n" for name, content in sorted(files.items()))
    return hashlib.sha256("".join(each).encode()).hexdigest()


def _record_hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zip(files: dict[str, bytes]) -> bytes:
    """Return an archive with the same bytes wherever it is made; the entries keep the order they are given in."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, content)
    return made.getvalue()
