"""The wheel that the hook builds: reproducible, equal to an ordinary build, small, installed by hash."""

import base64
import csv
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cookiecutter.generate import generate_context, generate_files
from cookiecutter.prompt import prompt_for_config
from packaging.version import Version

import checkouts
from gitops_ml import wheel
from gitops_ml.updating.template_rendering import unpack
from repositories import TEMPLATE, bake, find_pythons, run

MB = 1_000_000
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
ENTRY_POINTS = {
    "console_scripts": {"gitops", "gitops-uv"},
    "mlflow.artifact_repository": {"store"},
    "mlflow.tracking_store": {"gitstore"},
    "mlflow.model_registry_store": {"gitstore"},
    "pytest11": {"gitops_ml"},
}
# What editors, systems and tools leave behind.
LITTER = (
    "src/gitops_ml/__pycache__/cli.cpython-311.pyc", "src/gitops_ml/cli.pyc", "src/gitops_ml/.DS_Store",
    "src/gitops_ml/.ruff_cache/a", "src/gitops_ml/serving/.mypy_cache/3.11/b.json", "hooks/__pycache__/c.pyc",
    "<<cookiecutter.project_slug>>/.venv/bin/python", "<<cookiecutter.project_slug>>/.gitops/state.json",
    "<<cookiecutter.project_slug>>/.DS_Store", "<<cookiecutter.project_slug>>/src/node_modules/x.js",
)  # fmt: skip


@pytest.fixture(scope="module")
def built() -> wheel.Wheel:
    """The wheel of this checkout."""
    return wheel.build(TEMPLATE)


@pytest.fixture(scope="module")
def archive(built: wheel.Wheel) -> Iterator[zipfile.ZipFile]:
    """The same, opened."""
    with zipfile.ZipFile(io.BytesIO(built.content)) as opened:
        yield opened


@pytest.fixture
def small_checkout(tmp_path: Path) -> Path:
    """A small checkout, committed."""
    made = checkouts.make_small(tmp_path / "tpl")
    checkouts.commit(made)
    return made


def template_of(archive: zipfile.ZipFile) -> zipfile.ZipFile:
    """Return the template's archive that a wheel carries."""
    return zipfile.ZipFile(io.BytesIO(archive.read(wheel.ARCHIVE)))


# The same bytes ------------------------------------------------------------------------------------------------------


def test_a_copy_elsewhere_with_litter_gives_the_same_bytes(
    tmp_path: Path, built: wheel.Wheel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Path, times, permissions, the order of a folder's files, and caches of tools do not change the wheel."""
    copy = checkouts.copy(tmp_path / "a copy" / "elsewhere")
    for name in LITTER:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("litter")
    for path in copy.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (1e9, 1e9))
    listed = Path.rglob
    monkeypatch.setattr(Path, "rglob", lambda self, pattern: sorted(listed(self, pattern), reverse=True))
    assert wheel.build(copy) == built == wheel.build(TEMPLATE)


@pytest.mark.parametrize("python", [*find_pythons().values()], ids=[*find_pythons()])
def test_every_python_gives_the_same_bytes(tmp_path: Path, built: wheel.Wheel, python: str) -> None:
    """The hook runs under cookiecutter's Python, by the builder's path, without installed packages."""
    builder = TEMPLATE / "src" / "gitops_ml" / "wheel.py"
    program = (
        "import importlib.util, pathlib, sys\n"
        f"spec = importlib.util.spec_from_file_location('wheel', {str(builder)!r})\n"
        "sys.modules['wheel'] = wheel = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(wheel)\n"
        f"print(wheel.build(pathlib.Path({str(TEMPLATE)!r})).digest)\n"
    )
    umask = ["sh", "-c", 'umask 077; exec "$@"', "sh"]
    done = subprocess.run([*umask, python, "-ISBc", program], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == built.digest


def test_the_builder_understands_every_pattern_of_gitignore() -> None:
    """Names and globs of one file or folder; the builder knows no other pattern."""
    lines = (TEMPLATE / ".gitignore").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"#.*|[^/!\s]+/?", line)] == []


# What is in it -------------------------------------------------------------------------------------------------------


def test_members_are_stored_sorted_and_of_one_date(archive: zipfile.ZipFile) -> None:
    """Compressors differ between machines; the metadata are at the end of the wheel, RECORD last."""
    members = archive.infolist()
    names = [member.filename for member in members]
    info = [name for name in names if ".dist-info/" in name]
    assert {member.compress_type for member in members} == {zipfile.ZIP_STORED}
    assert {member.date_time for member in members} == {wheel.DATE}
    assert names == sorted(set(names) - set(info)) + sorted(info, key=lambda name: (name.endswith("RECORD"), name))


def test_names_are_valid_on_windows(archive: zipfile.ZipFile) -> None:
    """The wheel installs there; the template's names would not, so they travel in one archive."""
    names = archive.namelist()
    parts = {part for name in names for part in name.split("/")}
    assert {part for part in parts if re.search(r'[<>:"|?*\\\x00-\x1f]|[. ]$', part) or RESERVED.match(part)} == set()
    assert len({name.casefold() for name in names}) == len(names)
    assert max(map(len, names)) < 120  # of the 260 that a path may have there


def test_record_names_every_member(archive: zipfile.ZipFile) -> None:
    """With SHA-256 and size, except for RECORD itself."""
    (name,) = (name for name in archive.namelist() if name.endswith("/RECORD"))
    rows = {row[0]: row[1:] for row in csv.reader(archive.read(name).decode().splitlines())}
    assert rows.pop(name) == ["", ""]
    assert rows == {
        member: [
            "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(archive.read(member)).digest()).rstrip(b"=").decode(),
            str(len(archive.read(member))),
        ]
        for member in archive.namelist()
        if member != name
    }


def test_it_is_what_an_ordinary_build_makes(tmp_path: Path, archive: zipfile.ZipFile, built: wheel.Wheel) -> None:
    """Files, entry points and metadata, also beside litter; the version ends with the content's digest, and RECORD and
    the name of the generator differ."""
    copy = checkouts.copy(tmp_path / "copy")
    for name in LITTER:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_text("litter")
    out = tmp_path / "out"
    command = ("-m", "uv", "build", "--wheel", "--quiet", "--offline", "--no-build-isolation")
    run(copy, sys.executable, *command, "--python", sys.executable, "--out-dir", str(out))
    assert [file.suffix for file in out.iterdir() if file.name != ".gitignore"] == [".whl"]
    with zipfile.ZipFile(next(out.glob("*.whl"))) as ordinary:
        assert _comparable(ordinary) == _comparable(archive, built.version)


def _comparable(archive: zipfile.ZipFile, version: str = "") -> dict[str, str]:
    """Return each member's digest by its name, with the version that the source names."""
    base = version.split("+")[0]
    found = {}
    for name in archive.namelist():
        if name.endswith("/RECORD"):
            continue
        content = archive.read(name)
        if name.endswith(("/METADATA", "/WHEEL")):
            content = re.sub(rb"(?m)^Generator: .*$", b"", content.replace(version.encode(), base.encode(), 1))
        found[name.replace(version, base, 1)] = hashlib.sha256(content).hexdigest()
    return found


def test_no_file_of_the_template_is_executable() -> None:
    """Python loses the flag when it unpacks an archive, and file systems differ."""
    listed = run(TEMPLATE, "git", "ls-files", "--stage", "--", *wheel.TEMPLATE).splitlines()
    assert {line.split()[0] for line in listed} == {"100644"}


# The version names the content ---------------------------------------------------------------------------------------


def _change(file: Path) -> None:
    file.write_text(file.read_text() + "# changed\n")


def _hide_a_change(root: Path) -> None:
    run(root, "git", "update-index", "--assume-unchanged", "src/gitops_ml/__init__.py")
    _change(root / "src/gitops_ml/__init__.py")


CHANGES: dict[str, Callable[[Path], None]] = {
    "a file of the library": lambda root: _change(root / "src/gitops_ml/__init__.py"),
    "a file of the template": lambda root: _change(root / "<<cookiecutter.project_slug>>/requirements/serve.in"),
    "a hook": lambda root: _change(root / "hooks/pre_gen_project.py"),
    "the metadata": lambda root: _change(root / "README.md"),
    "a file that Git does not track": lambda root: (root / "src/gitops_ml/new.py").touch(),
    "a file that is missing": lambda root: (root / "hooks/pre_gen_project.py").unlink(),
    "a file that Git treats as unchanged": _hide_a_change,
}


def test_a_release_has_the_plain_version(small_checkout: Path) -> None:
    """If every source equals the tag's, also in a later commit that changes none of them."""
    version = wheel.build(small_checkout).version.split("+")[0]
    run(small_checkout, "git", "tag", f"v{version}")
    assert wheel.build(small_checkout).version == version
    (small_checkout / "notes.txt").write_text("no source")
    checkouts.commit(small_checkout, "later")
    assert wheel.build(small_checkout).version == version


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_checkout_between_releases_is_named_by_its_content(
    small_checkout: Path, change: Callable[[Path], None]
) -> None:
    """Different wheels have different names, before and after the release."""
    untagged = wheel.build(small_checkout)
    base = untagged.version.split("+")[0]
    run(small_checkout, "git", "tag", f"v{base}")
    released = wheel.build(small_checkout)
    change(small_checkout)
    changed = wheel.build(small_checkout)
    assert released.version == base
    assert len({untagged.name, released.name, changed.name}) == 3
    assert untagged.version.startswith(f"{base}+src")
    assert changed.version.startswith(f"{base}+src")


def test_a_release_of_another_repository_is_ignored(small_checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout from a zip is inside another repository, or a hook of Git names another repository."""
    version = wheel.build(small_checkout).version
    base = version.split("+")[0]
    other = small_checkout.parent
    (other / "tpl" / ".git").rename(other / "unused")
    checkouts.commit(other / "tpl" / "src")
    run(other / "tpl" / "src", "git", "tag", f"v{base}")
    monkeypatch.setenv("GIT_DIR", str(other / "tpl" / "src" / ".git"))
    shutil.copytree(other / "tpl", other / "copy", ignore=shutil.ignore_patterns(".git"))
    assert wheel.build(other / "copy").version == version


@pytest.mark.parametrize("digest", ["012345678901", "0" * 12, "1e5000000000", "abcdef012345"])
def test_a_version_is_written_as_installers_write_it(
    small_checkout: Path, digest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Installers drop leading zeros of numeric parts, and would then look for another name."""
    monkeypatch.setattr(wheel, "_digest", lambda files: digest)
    version = wheel.build(small_checkout).version
    assert digest in version
    assert str(Version(version)) == version


# Its size ------------------------------------------------------------------------------------------------------------


def _packed(root: Path) -> int:
    """Return how many bytes the history has as Git packs it."""
    run(root, "git", "gc", "--quiet", "--prune=now")
    counted = dict(line.split(": ") for line in run(root, "git", "count-objects", "--verbose").splitlines())
    return int(counted["size-pack"]) * 1024


def test_it_is_small_and_so_is_a_change_of_it(tmp_path: Path, built: wheel.Wheel) -> None:
    """At most 3 MB as a file and 1 MB in history; one line changed in one module adds at most 50 KB to it."""
    copy, root = checkouts.copy(tmp_path / "copy"), tmp_path / "repository"
    (root / "requirements").mkdir(parents=True)
    (root / ".gitattributes").write_text("* text=auto eol=lf\n*.whl binary\n")
    checkouts.commit(root, "before")
    empty = _packed(root)
    sizes = []
    for count in range(2):
        if count:
            _change(copy / "src" / "gitops_ml" / "cli.py")
        wheel.write(wheel.build(copy), root)
        checkouts.commit(root, "a wheel")
        sizes.append(_packed(root))
    figures = f"file {len(built.content):,}, packed {sizes[0] - empty:,}, one line more {sizes[1] - sizes[0]:,} bytes"
    print(figures)
    assert len(list((root / "vendor").iterdir())) == 1, figures
    assert len(built.content) <= 3 * MB, figures
    assert sizes[0] - empty <= MB, figures
    assert sizes[1] - sizes[0] <= 50_000, figures


# Installing it -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated repository, with an empty environment in `.venv`."""
    root = bake(tmp_path_factory.mktemp("installed"))
    run(root, sys.executable, "-m", "venv", "--without-pip", ".venv")
    return root


def installer(name: str, root: Path) -> list[str]:
    """Return the command that installs into the repository's environment by hash, without dependencies."""
    python, options = str(root / ".venv/bin/python"), ["--quiet", "--no-deps", "--require-hashes"]
    if name == "uv":
        return [sys.executable, "-m", "uv", "pip", "install", "--python", python, "--offline", "--reinstall", *options]
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--disable-pip-version-check", "--no-index"]
    return [*pip, "--force-reinstall", *options]


@pytest.mark.parametrize("folder", [".", "requirements", "/"], ids=["the root", "requirements", "elsewhere"])
@pytest.mark.parametrize("name", ["pip", "uv"])
@pytest.mark.slow
def test_it_is_installed_by_its_hash_from_any_folder(repository: Path, name: str, folder: str) -> None:
    """pip and uv resolve `--find-links ../vendor` from the file that contains it; the package is complete."""
    start = repository / folder
    pin = os.path.relpath(repository / "requirements" / "gitops.txt", start)
    run(start, *installer(name, repository), "-r", pin)
    program = (
        "import json; from importlib.metadata import distribution as d; found = d('gitops-ml'); "
        "print(json.dumps([found.version, [[e.group, e.name] for e in found.entry_points]]))"
    )
    version, points = json.loads(run(repository, ".venv/bin/python", "-c", program))
    assert version == wheel.build(TEMPLATE).version
    assert {group: {name for each, name in points if each == group} for group, _ in points} == ENTRY_POINTS
    assert (repository / ".venv/bin/gitops").is_file()
    assert (repository / ".venv/bin/gitops-uv").is_file()


@pytest.mark.parametrize(("name", "says"), [("pip", "DO NOT MATCH THE HASHES"), ("uv", "Hash mismatch")])
@pytest.mark.slow
def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, repository: Path, name: str, says: str) -> None:
    """Neither pip nor uv installs another wheel of the same name."""
    _swap(repository, tmp_path)
    refused = run(tmp_path, *installer(name, repository), "-r", "requirements/gitops.txt", code=1)
    assert says in refused


@pytest.mark.slow
def test_set_up_refuses_a_wheel_with_another_hash(tmp_path: Path, repository: Path) -> None:
    """`make setup` fails with the installer's message, and leaves no environment that looks complete."""
    _swap(repository, tmp_path)
    assert "DO NOT MATCH THE HASHES" in run(tmp_path, "make", "setup", code=2)
    assert not (tmp_path / ".venv" / "dev").exists()


def _swap(repository: Path, root: Path) -> None:
    """Copy a repository without its environment, and change its wheel."""
    shutil.copytree(repository, root, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".venv"))
    (vendored,) = (root / "vendor").iterdir()
    with zipfile.ZipFile(vendored) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(vendored, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(b"Summary: Machine", b"Summary: machine"))


@pytest.mark.slow
def test_a_checkout_with_other_line_ends_has_the_same_wheel(tmp_path: Path, repository: Path) -> None:
    """Git for Windows converts text files; it must not convert a wheel."""
    origin = tmp_path / "origin"
    shutil.copytree(repository, origin, ignore=shutil.ignore_patterns(".venv"))
    checkouts.commit(origin)
    clone = ("git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "clone", "--quiet", "origin", "clone")
    run(tmp_path, *clone)
    (vendored,) = (repository / "vendor").iterdir()
    assert (tmp_path / "clone" / "vendor" / vendored.name).read_bytes() == vendored.read_bytes()
    assert b"\r" not in (tmp_path / "clone" / "requirements" / "gitops.txt").read_bytes()
    attribute = run(tmp_path / "clone", "git", "check-attr", "binary", "--", f"vendor/{vendored.name}")
    assert attribute.endswith("binary: set\n")


def test_a_checkout_of_the_template_with_other_line_ends_gives_the_same_wheel(
    tmp_path: Path, small_checkout: Path
) -> None:
    """On WSL, Git may convert line endings."""
    (small_checkout / ".gitattributes").write_bytes((TEMPLATE / ".gitattributes").read_bytes())
    checkouts.commit(small_checkout, "attributes")
    run(tmp_path, "git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "clone", "--quiet", "tpl", "clone")
    assert wheel.build(tmp_path / "clone") == wheel.build(small_checkout)


# The template in it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answers", [{}, {"task": "regression", "project_name": "Ada's Modèle"}], ids=["defaults", "other"]
)
@pytest.mark.slow
def test_the_template_in_it_renders_the_same_repository(
    tmp_path: Path, archive: zipfile.ZipFile, answers: dict[str, str]
) -> None:
    """Rendered by cookiecutter as a library, without hooks: byte for byte equal, except for the hook's files."""
    unpacked = unpack(archive.read(wheel.ARCHIVE), tmp_path / "template")
    context = generate_context(str(unpacked / "cookiecutter.json"), extra_context=answers)
    context["cookiecutter"] |= prompt_for_config(context, no_input=True)
    context["cookiecutter"] |= {"_template": "", "_output_dir": "", "_repo_dir": str(unpacked), "_checkout": None}
    rendered = Path(generate_files(str(unpacked), context, str(tmp_path / "rendered"), accept_hooks=False))
    expected = _files(bake(tmp_path / "baked", **answers))
    added = {name for name in expected if name.startswith("vendor/")} | {"requirements/gitops.txt"}
    assert {name: each for name, each in expected.items() if name not in added} == _files(rendered)


def _files(root: Path) -> dict[str, tuple[bytes, bool]]:
    """Return content and executable bit of each file, by its name."""
    found = (file for file in root.rglob("*") if file.is_file())
    return {file.relative_to(root).as_posix(): (file.read_bytes(), os.access(file, os.X_OK)) for file in found}
