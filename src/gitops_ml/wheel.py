"""Build the library's wheel from a checkout of its source, with the standard library alone.

A wheel is a zip file (https://packaging.python.org/specifications/binary-distribution-format). Its entries are sorted,
have one fixed date, and are not compressed, because compressors differ between machines. So the same source gives the
same bytes everywhere. cookiecutter's hook runs this file by its path, with a Python that may have no packages
installed.
"""

import base64
import hashlib
import io
import os
import re
import subprocess
import tomllib
import zipfile
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

NAME = "gitops-ml"
PACKAGE = "gitops_ml"
TEMPLATE = ("cookiecutter.json", "hooks", "<<cookiecutter.project_slug>>")
# Sources of the wheel.
SOURCES = ("pyproject.toml", "README.md", "LICENSE", f"src/{PACKAGE}", *TEMPLATE)
ARCHIVE = f"{PACKAGE}/data/template.zip"
LOCKS = "<<cookiecutter.project_slug>>/requirements/"
FULL_LOCK = f"{LOCKS}dev.txt"
# A requirement of a lock, and its hashes.
PINNED = re.compile(r"^(\S+==[^\\\n]*?)((?: \\\n    --hash=\S+)+)", re.MULTILINE)
SAME_HASHES = " \\\n    --hash=dev.txt"
DATE = (1980, 1, 1, 0, 0, 0)
TAG = "py3-none-any"


@dataclass(frozen=True)
class Wheel:
    """A wheel that was built.

    Attributes:
        version: Version of the distribution. Unless it is a release, it ends with a digest of the files in the wheel,
            which is not the digest of the wheel itself.
        content: Bytes of the wheel.
    """

    version: str
    content: bytes

    @property
    def name(self) -> str:
        """File name, as the specification requires."""
        return f"{PACKAGE}-{self.version}-{TAG}.whl"

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def requirement(self) -> str:
        """Line of a requirements file that installs this wheel and no other."""
        return f"{NAME}=={self.version} --hash=sha256:{self.digest}"


def build(checkout: Path) -> Wheel:
    """Build the wheel of a checkout.

    Args:
        checkout: Root of the repository with `pyproject.toml`, `src` and the template.

    Returns:
        The wheel, with the same bytes for the same sources.
    """
    sources = _sources(checkout)
    project: dict[str, Any] = tomllib.loads(sources["pyproject.toml"].decode())["project"]
    package = {name.removeprefix("src/"): content for name, content in sources.items() if name.startswith("src/")}
    entries = {**package, ARCHIVE: _template(sources)}
    metadata = {
        "METADATA": _metadata(project, sources["README.md"].decode()).encode(),
        "WHEEL": f"Wheel-Version: 1.0\nGenerator: {NAME}\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode(),
        "entry_points.txt": _entry_points(project).encode(),
        "licenses/LICENSE": sources["LICENSE"],
    }
    # The digest in the version covers the metadata with the version of pyproject.toml, then they get the whole version.
    base = str(project["version"])
    version = base if _is_release(checkout, base, sources) else f"{base}+src{_digest({**entries, **metadata})[:12]}"
    metadata["METADATA"] = _metadata({**project, "version": version}, sources["README.md"].decode()).encode()
    info = f"{PACKAGE}-{version}.dist-info"
    entries |= {f"{info}/{name}": content for name, content in metadata.items()}
    record = [f"{name},sha256={_record_hash(content)},{len(content)}\n" for name, content in sorted(entries.items())]
    entries[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    return Wheel(version, _zip(entries))


def build_template(checkout: Path) -> bytes:
    """Return the cookiecutter template as a zip archive.

    A wheel that contained its files could not be unpacked on Windows, where `<` is not valid in a name.

    Args:
        checkout: Root of the repository.
    """
    return _template(_sources(checkout))


def expand_locks(files: dict[str, bytes]) -> dict[str, bytes]:
    """Return the files of a template's archive with the hashes that the other locks have in common with dev.txt.

    The archive has these hashes once, because random digits cannot be compressed.

    Args:
        files: Content of the archive, by name.
    """
    hashes = _find_hashes(files)
    whole = {
        name: PINNED.sub(lambda found: found[1] + (hashes[found[1]] if found[2] == SAME_HASHES else found[2]), text)
        for name, text in _other_locks(files).items()
    }
    return files | {name: text.encode() for name, text in whole.items()}


def write(wheel: Wheel, root: Path) -> None:
    """Write a wheel to a new repository, as cookiecutter's hook does, pin it by its hash, and remove other wheels.

    Args:
        wheel: The wheel.
        root: Root of the new repository.
    """
    folder = root / "vendor"
    folder.mkdir(exist_ok=True)
    (folder / wheel.name).write_bytes(wheel.content)
    pin = f"--find-links ../vendor\n{wheel.requirement}\n"
    (root / "requirements" / "gitops.txt").write_text(pin, encoding="utf-8", newline="\n")
    for other in folder.glob("*.whl"):
        if other.name != wheel.name:
            other.unlink()


def _sources(checkout: Path) -> dict[str, bytes]:
    """Return the content of the wheel's sources, by path in the checkout.

    A file is left out if its name, or a folder's, matches a line of .gitignore: names and wildcards only, no paths.
    """
    lines = (checkout / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = [line.rstrip("/") for line in lines if line and not line.startswith("#")]
    sources = {}
    for start in (checkout / name for name in SOURCES):
        for path in [start, *start.rglob("*")]:
            name = path.relative_to(checkout).as_posix()
            parts = name.split("/")
            if path.is_file() and not any(fnmatchcase(part, each) for part in parts for each in ignored):
                sources[name] = path.read_bytes()
    return sources


def _template(sources: dict[str, bytes]) -> bytes:
    files = {name: content for name, content in sources.items() if name.split("/")[0] in TEMPLATE}
    hashes = _find_hashes(files)
    shortened = {
        name: PINNED.sub(lambda found: found[1] + (SAME_HASHES if hashes.get(found[1]) == found[2] else found[2]), text)
        for name, text in _other_locks(files).items()
    }
    return _zip(files | {name: text.encode() for name, text in shortened.items()})


def _find_hashes(files: dict[str, bytes]) -> dict[str, str]:
    """Return the hashes of each requirement in dev.txt."""
    return dict(PINNED.findall(files.get(FULL_LOCK, b"").decode()))


def _other_locks(files: dict[str, bytes]) -> dict[str, str]:
    names = [name for name in files if name.startswith(LOCKS) and name.endswith(".txt") and name != FULL_LOCK]
    return {name: files[name].decode() for name in names}


def _is_release(checkout: Path, version: str, sources: dict[str, bytes]) -> bool:
    """Return whether the sources are exactly the files of the tag of this version.

    The files are compared instead of reading `git status`, because untracked files also get into the wheel.
    """
    command = ["git", "-C", str(checkout), "ls-tree", "-r", "-z", f"refs/tags/v{version}", "--", *SOURCES]
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        listed = subprocess.run(command, check=False, capture_output=True, env=env).stdout
    except OSError:  # Git is not installed: the tag cannot be compared
        return False
    entries = [entry.split("\t") for entry in listed.decode(errors="replace").split("\0") if entry]
    tagged = {name: entry.split()[-1] for entry, name in entries}
    return tagged == {name: _blob(content) for name, content in sources.items()}


def _blob(content: bytes) -> str:
    """Return Git's id of a content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def _metadata(project: dict[str, Any], readme: str) -> str:
    """Return the core metadata (https://packaging.python.org/specifications/core-metadata)."""
    lines = [
        "Metadata-Version: 2.4", f"Name: {NAME}", f"Version: {project['version']}",
        f"Summary: {project['description']}", f"License-Expression: {project['license']}", "License-File: LICENSE",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {each}" for each in sorted(project["dependencies"])),
    ]  # fmt: skip
    extras: dict[str, list[str]] = project["optional-dependencies"]
    for extra in sorted(extras):
        requirements = sorted(_expand(extra, extras))
        lines += [f"Provides-Extra: {extra}", *(f"Requires-Dist: {each}; extra == '{extra}'" for each in requirements)]
    return "\n".join([*lines, "Description-Content-Type: text/markdown", "", readme])


def _expand(extra: str, extras: dict[str, list[str]]) -> set[str]:
    """Return the requirements of an extra, with those of the other extras that it names."""
    own = {f"{NAME}[{other}]": other for other in extras}
    direct = set(extras[extra])
    return (direct - own.keys()).union(*(_expand(own[each], extras) for each in direct & own.keys()))


def _entry_points(project: dict[str, Any]) -> str:
    groups = {"console_scripts": project["scripts"], **project["entry-points"]}
    tables = (
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in sorted(points.items()))])
        for group, points in sorted(groups.items())
    )
    return "\n\n".join(tables) + "\n"


def _digest(files: dict[str, bytes]) -> str:
    lines = (f"{name}\0{hashlib.sha256(content).hexdigest()}\n" for name, content in sorted(files.items()))
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _record_hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _zip(files: dict[str, bytes]) -> bytes:
    """Return a zip archive with the same bytes on every machine; the metadata of a wheel are at its end."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files, key=lambda each: (".dist-info/" in each, each.endswith("/RECORD"), each)):
            entry = zipfile.ZipInfo(name, DATE)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            archive.writestr(entry, files[name])
    return buffer.getvalue()
