"""Locks in an update: unchanged while they satisfy the new library, and otherwise with the reason first."""

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gitops_ml import errors
from gitops_ml.updating import lock_renewal, template_rendering
from gitops_ml.updating.library_files import LibraryFiles
from repositories import replace_in_file
from unit import update_repository as world
from unit.update_repository import GENERATED, Clone

TRAIN, SERVE, DEV = (f"requirements/{name}.txt" for name in ("train", "serve", "dev"))


def require_more(checkout: Path) -> None:
    """Make the new library need a newer scikit-learn, which the new template's locks pin."""
    replace_in_file(checkout / "pyproject.toml", {'"scikit-learn>=1.7"': '"scikit-learn>=99"'})
    for lock in ("serve", "train", "dev"):
        file = checkout / GENERATED / "requirements" / f"{lock}.txt"
        file.write_text(re.sub(r"^scikit-learn==\S+", "scikit-learn==99.1", file.read_text(), flags=re.MULTILINE))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Clone, LibraryFiles]]:
    """A generated repository, and a new library that needs another version of a package."""
    folder = tmp_path_factory.mktemp("update")
    renderings = world.Renderings(folder / "renderings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(template_rendering, "unpack", renderings.unpack)
        patch.setattr(template_rendering, "render", renderings.render)
        yield world.generate(folder / "old"), world.make_next(folder / "next", require_more)


@pytest.fixture
def clone(generated: tuple[Clone, LibraryFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A copy of the generated repository."""
    for name, value in world.IDENTITY.items():
        monkeypatch.setenv(name, value)
    return Clone(Path(shutil.copytree(generated[0].root, tmp_path / "repository", symlinks=True)))


@pytest.fixture
def new(generated: tuple[Clone, LibraryFiles]) -> LibraryFiles:
    """The new library."""
    return generated[1]


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Arguments of uv, which pins scikit-learn 99.2 instead of compiling."""
    calls: list[tuple[str, ...]] = []

    def compile_lock(folder: Path, *arguments: str) -> None:
        calls.append(arguments)
        assert (folder / "requirements" / "gitops.txt").is_file()
        assert list((folder / "vendor").iterdir())
        lock = folder / arguments[arguments.index("--output-file") + 1]
        lock.write_text(re.sub(r"(?m)^scikit-learn==\S+", "scikit-learn==99.2", lock.read_text()))

    monkeypatch.setattr(lock_renewal, "_run_uv", compile_lock)
    return calls


def pins(clone: Clone, lock: str) -> list[str]:
    """Return the pins of scikit-learn in a lock on the branch."""
    return re.findall(r"(?m)^scikit-learn==(\S+)", clone.show(lock))


@pytest.mark.slow
def test_untouched_locks_are_replaced_by_those_of_the_new_template(
    clone: Clone, new: LibraryFiles, compiled: list[tuple[str, ...]]
) -> None:
    """The text begins with the packages, and each lock has its reason."""
    before = pins_of(clone)
    text = clone.update(new).text
    assert compiled == []
    assert {*pins(clone, TRAIN), *pins(clone, SERVE), *pins(clone, DEV)} == {"99.1"}
    change = f"scikit-learn {before} → 99.1"
    reason = "because these packages change in the locks of training and serving"
    assert text.split("\n\n")[1] == f"This update retrains, {reason}: {change}."
    needed = f"pins scikit-learn {before}, and gitops-ml {new.version} needs scikit-learn>=99; the new template's lock"
    assert f"requirements/train.txt {needed}" in text
    assert "requirements/build.txt" not in text


def pins_of(clone: Clone) -> str:
    """Return the version of scikit-learn that main pins."""
    (version,) = set(re.findall(r"(?m)^scikit-learn==(\S+)", clone.show(TRAIN, "main")))
    return str(version)


def add_dependency(clone: Clone) -> None:
    """Add a package with its pin."""
    clone.append("requirements/train.in", "xgboost\n")
    for lock in (TRAIN, DEV):
        clone.append(lock, f"xgboost==3.1.0 \\\n    --hash=sha256:{'0' * 64}\n")


def bump_package(clone: Clone) -> None:
    """Bump a version, as Dependabot does."""
    for lock in (TRAIN, SERVE, DEV):
        clone.write(lock, re.sub(r"(?m)^click==\S+", "click==8.9", clone.path(lock).read_text()))


@pytest.mark.parametrize("edit", [add_dependency, bump_package])
@pytest.mark.slow
def test_locks_of_people_are_compiled_again(
    clone: Clone, new: LibraryFiles, compiled: list[tuple[str, ...]], edit: Callable[[Clone], None]
) -> None:
    """In the order of the Makefile, each with the lock that constrains it; other versions stay."""
    edit(clone)
    clone.commit()
    text = clone.update(new).text
    outputs = [each[each.index("--output-file") + 1] for each in compiled]
    assert outputs == [DEV, TRAIN, SERVE]
    assert [each[each.index("--constraint") + 1] for each in compiled[1:]] == [DEV, TRAIN]
    assert {*pins(clone, TRAIN), *pins(clone, SERVE)} == {"99.2"}
    assert "xgboost==3.1.0" in clone.show(TRAIN) or "click==8.9" in clone.show(TRAIN)
    assert text.split("\n\n")[1].startswith("This update retrains, because")


def test_a_failed_compilation_changes_nothing(clone: Clone, new: LibraryFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has the words of uv."""
    add_dependency(clone)
    clone.commit()
    monkeypatch.setattr(lock_renewal, "COMPILE", ("pip", "compile", "--no-such-option"))
    before = clone.state()
    with pytest.raises(errors.ConfigError, match="no-such-option"):
        clone.update(new)
    assert clone.state() == before


def test_a_lock_that_lacked_a_package_before_is_not_the_updates_concern(
    clone: Clone, compiled: list[tuple[str, ...]]
) -> None:
    """`gitops doctor` reports it; an update would retrain for it."""
    clone.append("requirements/train.in", "xgboost\n")
    clone.commit()
    same = replace(world.older(), version="0.2.1", pin=world.older().pin.replace("0.2.0", "0.2.1", 1), wheel=None)
    text = clone.update(same).text
    assert "retrains nothing" in text
    assert compiled == []


def test_a_library_on_the_index_needs_no_wheel(clone: Clone) -> None:
    """The folder vendor goes, and the pin has one line."""
    pin = f"gitops-ml==0.3.0 \\\n    --hash=sha256:{'a' * 64}\n"
    text = clone.update(replace(world.older(), version="0.3.0", pin=pin, wheel=None)).text
    assert clone.show("requirements/gitops.txt") + "\n" == pin
    assert [path for path in clone.files() if path.startswith("vendor/")] == []
    assert f"- requirements/gitops.txt: the library, 0.3.0 instead of {world.older().version}" in text


def test_the_options_are_those_of_the_makefile() -> None:
    """`make lock` and an update compile alike."""
    makefile = (world.TEMPLATE / GENERATED / "Makefile").read_text()
    (options,) = re.findall(r"^UV_COMPILE := (.*)$", makefile, re.MULTILINE)
    assert tuple(options.split()) == lock_renewal.COMPILE
    commands = re.findall(r"\$\(UV_COMPILE\) (?:--upgrade )?requirements/(\w+)\.in(.*) --output-file", makefile)
    constraints = [(name, re.search(r"--constraint requirements/(\w+)", rest)) for name, rest in commands]
    assert tuple((name, match and match[1]) for name, match in constraints) == lock_renewal.ORDER
    assert [("requirements/gitops.txt" in rest) for _, rest in commands] == [True, True, True, False]
