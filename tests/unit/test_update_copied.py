"""`gitops update --from-copied`: a repository of 0.1, with a copy of the library, moves to the library."""

import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_ml import library
from gitops_ml.evidence_inputs import collect_evidence_inputs
from gitops_ml.updating import template_rendering
from gitops_ml.updating.copied_library import merge_requirements
from gitops_ml.updating.update_run import UpdateResult, update
from unit import update_repository as world
from unit.update_repository import Clone

FIXTURE = Path(__file__).parents[1] / "fixtures" / "generated-0.1.0.tar.xz"


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A repository of 0.1, on main; each template is rendered once."""
    folder = tmp_path_factory.mktemp("copied")
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(folder, filter="data")
    clone = Clone(folder / "tumour-screening")
    clone.git("init", "--quiet", "--template=", "--initial-branch", "main")
    clone.commit("Start from the template of 0.1")
    renderings = world.Renderings(folder / "renderings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(template_rendering, "unpack", renderings.unpack)
        yield clone


@pytest.fixture
def clone(generated: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A copy of the repository."""
    for name, value in world.IDENTITY.items():
        monkeypatch.setenv(name, value)
    return Clone(Path(shutil.copytree(generated.root, tmp_path / "repository", symlinks=True)))


def move(clone: Clone) -> UpdateResult:
    """Move the repository to the library of this checkout."""
    return update(clone.root, world.older(), from_copied=True)


@pytest.mark.slow
def test_an_untouched_repository_gets_the_new_scaffold(clone: Clone) -> None:
    """Nothing retrains; no file imports the copy, which is gone; evidence of before stays valid."""
    result = move(clone)
    assert result.conflicts == ()
    assert result.text.split("\n\n")[1].startswith("This update retrains nothing")
    assert [path for path in clone.files() if path.startswith(("src/gitops/", "tests/gitops/", "tests/model/"))] == []
    assert {path for path in clone.files() if path.startswith("tests/")} == {
        "tests/behaviour.py", "tests/test_pipeline.py", "tests/test_schema.py"
    }  # fmt: skip
    assert clone.show("tests/behaviour.py") == clone.show("tests/model/behaviour.py", "main")
    assert "gitops-ml[serve]" in clone.show("requirements/serve.in")
    assert clone.show(library.PIN) == world.older().pin.strip()
    assert "deploy/slim.py" not in clone.files()
    for path in ("model.toml", "src/tumour_screening/schema.py", "requirements/train.txt", "data/breast_cancer.csv"):
        assert path not in clone.changed()
    before, after = (collect_evidence_inputs(clone.root, each, None, scheme=1) for each in ("main", "update/gitops-ml"))
    assert before == after
    assert "- model.toml: editors look for its schema" in result.text
    assert move(clone).commit is None


@pytest.mark.slow
def test_edits_of_people_are_kept_and_listed(clone: Clone) -> None:
    """A changed copy, a changed test, an added package, a changed part of the deployment, a changed workflow."""
    clone.append("src/gitops/git.py", "# ours\n")
    clone.append("src/gitops/__init__.py", "# ours\n")
    clone.write("src/gitops/extra.py", "# ours\n")
    clone.append("tests/model/behaviour.py", "# ours\n")
    clone.append("tests/model/test_schema.py", "# ours\n")
    clone.append("requirements/train.in", "# ours\n")
    clone.append("requirements/build.txt", "# ours\n")
    clone.append("deploy/compose/nginx.conf", "# ours\n")
    clone.append("docs/targets.md", "ours\n")
    clone.append(".gitignore", "ours/\n")
    clone.path("data/breast_cancer.csv").unlink()
    clone.commit()
    text = move(clone).text
    files = clone.files()
    assert {path for path in files if path.startswith("src/gitops/")} == {"src/gitops/git.py", "src/gitops/extra.py"}
    assert "- src/gitops/__init__.py: you changed this file of the library; it is removed all the same" in text
    assert "- src/gitops/git.py: you changed this file of the library; it is kept" in text
    assert "- src/gitops/extra.py: you added this file to the library; it is kept" in text
    assert clone.show("tests/behaviour.py").endswith("# ours")
    assert clone.show("tests/test_schema.py").endswith("# ours")
    assert "- tests/test_schema.py: it imports `gitops`, the copied library" in text
    assert {path for path in files if path.startswith("deploy/compose/")} == {"deploy/compose/nginx.conf"}
    assert clone.show("docs/targets.md").endswith("ours")
    assert "docs/gates.md" not in files
    assert clone.show("requirements/build.txt").endswith("# ours")
    assert clone.show(".gitignore").endswith("ours/")
    assert "data/breast_cancer.csv" not in files


def test_requirements_are_merged_by_line() -> None:
    """Packages of the library are replaced by its name; added ones stay, removed ones stay away."""
    base, new = "# Text\nclick\nnumpy\npandas\n", "# New text\ngitops-ml[serve]\nnumpy\npandas\n"
    assert merge_requirements(base, base, new) == new
    assert (
        merge_requirements(base, "# Text\nclick\npandas\nxgboost>=3\n", new)
        == "# New text\ngitops-ml[serve]\npandas\nxgboost>=3\n"
    )


def test_the_archive_has_every_file_of_0_1() -> None:
    """The digests are those of the fixture, which has the same copies."""
    import hashlib
    import json

    from gitops_ml.updating import copied_library

    with tarfile.open(copied_library.ARCHIVE) as archive:
        member = archive.extractfile(copied_library.DIGESTS)
        assert member is not None
        digests = json.load(member)
    with tarfile.open(FIXTURE) as fixture:
        members = {each.name.partition("/")[2]: each for each in fixture if each.isfile()}
        copies = {path for path in members if path.startswith("src/gitops/")}
        assert copies == {path for path in digests if path.startswith("src/gitops/")}
        for path in sorted(copies)[:20]:
            content = fixture.extractfile(members[path])
            assert content is not None
            assert hashlib.sha256(content.read()).hexdigest().startswith(digests[path])
