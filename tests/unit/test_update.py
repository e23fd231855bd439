"""`gitops update` with 20 kinds of local edits: from the library of this checkout to a patched one."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gitops_ml import errors, git
from gitops_ml.evidence_inputs import collect_evidence_inputs
from gitops_ml.updating import template_rendering, update_branch
from gitops_ml.updating.update_run import update
from unit import update_repository as world
from unit.update_repository import Clone

# Half a minute of a processor; test_update_copied.py has quick tests of a merge.
pytestmark = pytest.mark.slow
CI = ".github/workflows/ci.yml"
PAGES = ".github/workflows/pages.yml"
BUDGET = "deploy/kubernetes/base/poddisruptionbudget.yaml"  # the newer template does not have it
MARKERS = ("<<<<<<< yours", "||||||| template 0.2.0.dev0", "=======", ">>>>>>> template 0.3.0.dev0")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A generated repository, on main; each template is rendered once."""
    folder = tmp_path_factory.mktemp("update")
    renderings = world.Renderings(folder / "renderings")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(template_rendering, "unpack", renderings.unpack)
        patch.setattr(template_rendering, "render", renderings.render)
        world.set_newer(world.make_next(folder / "next"))
        yield world.generate(folder / "old")


@pytest.fixture
def clone(generated: Clone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """A copy of the generated repository."""
    for name, value in world.IDENTITY.items():
        monkeypatch.setenv(name, value)
    return Clone(Path(shutil.copytree(generated.root, tmp_path / "repository", symlinks=True)))


def line_of(text: str, path: str) -> str:
    """Return the line of the text about a path."""
    (line,) = (line for line in text.splitlines() if line.startswith(f"- {path}"))
    return line


# Without edits -------------------------------------------------------------------------------------------------------


def test_an_untouched_repository_becomes_what_the_new_template_generates(clone: Clone) -> None:
    """One commit on main, with the new scaffold, wheel, pin and answers; yours and the locks stay."""
    result = clone.update()
    assert result.conflicts == ()
    assert clone.git("rev-list", "--parents", "-1", "update/gitops-ml").split()[1:] == [clone.git("rev-parse", "main")]
    rendered = template_rendering.render(
        template_rendering.unpack(world.newer().template, Path()), {**world.ANSWERS}, Path()
    )
    expected = {each.relative_to(rendered).as_posix() for each in rendered.rglob("*") if each.is_file()}
    wheel = f"vendor/{world.newer().wheel_name}"
    assert clone.files() == expected | {wheel, "requirements/gitops.txt"}
    differing = {path for path in expected if clone.show(path) != (rendered / path).read_text().rstrip("\n")}
    assert differing - {"data/breast_cancer.csv"} == {"model.toml"}
    assert clone.show("requirements/gitops.txt") == world.newer().pin.strip()


def test_the_text_says_what_changed_and_why(clone: Clone) -> None:
    """It is also the message of the commit."""
    text = clone.update().text
    assert text.splitlines()[2] == "This update retrains nothing: the locks of training and serving stay as they are."
    assert line_of(text, CI) == f"- {CI} (+4 -4): the template changed it"
    assert line_of(text, BUDGET) == f"- {BUDGET}: the template no longer has it"
    assert line_of(text, "docs/new-page.md") == "- docs/new-page.md: new in the template"
    assert "docs/instructions.md: the template moved it from docs/runbook.md" in text
    assert "- EXAMPLE" in text
    assert "- licence: 'MIT'" in text
    assert (
        f"{world.newer().wheel_name}: the library, {world.newer().version} instead of {world.older().version}" in text
    )
    message = clone.git("log", "-1", "--format=%B", "update/gitops-ml")
    assert text.startswith(message.split("\n\nGitops-Tree: ")[0])
    assert "git merge --no-ff update/gitops-ml" in text


def test_a_new_gate_does_not_expire_evidence(clone: Clone) -> None:
    """An open promotion pull request stays valid: decision 31; the text lists the gate."""
    result = clone.update()
    assert "New gates, which are on by default (`gitops docs update`):\n- EXAMPLE" in result.text
    before, after = (collect_evidence_inputs(clone.root, each, None) for each in ("main", "update/gitops-ml"))
    assert before == after


def test_the_update_changes_no_file_of_the_user(clone: Clone) -> None:
    """Untracked, changed and staged files, the index and all other branches stay as they are."""
    clone.write("notes.txt", "untracked")
    clone.append("Makefile", "# not committed\n")
    clone.append("README.md", "staged\n")
    clone.git("add", "README.md")
    refs, index, status = clone.state()
    clone.update()
    clone.git("update-ref", "-d", "refs/heads/update/gitops-ml")
    assert clone.state() == (refs, index, status)
    assert clone.path("notes.txt").read_text() == "untracked"


# Edits ---------------------------------------------------------------------------------------------------------------


def test_a_workflow_line_away_from_the_templates_change_is_kept(clone: Clone) -> None:
    """Both changes are there."""
    clone.edit(CI, {"REQUIRED_TIMEOUT || '10'": "REQUIRED_TIMEOUT || '11'"})
    clone.commit()
    result = clone.update()
    assert result.conflicts == ()
    assert "REQUIRED_TIMEOUT || '11'" in clone.show(CI)
    assert "name: Check the types" in clone.show(CI)
    assert line_of(result.text, CI).endswith("the template changed it; your changes are kept")


def test_a_line_next_to_the_templates_change_is_a_conflict(clone: Clone) -> None:
    """Markers with readable names; the file comes first in the text."""
    clone.edit(CI, {"run: make types": "run: make types lint"})
    clone.commit()
    result = clone.update()
    assert result.conflicts == (CI,)
    shown = clone.show(CI)
    positions = [shown.index(marker) for marker in MARKERS]
    assert positions == sorted(positions)
    assert result.text.index("Conflicts:") < result.text.index("Changed:")
    assert "Resolve it:" in result.text


def test_a_removed_job_stays_removed(clone: Clone) -> None:
    """The template changed another part of the file."""
    before, _, rest = clone.path(CI).read_text().partition("  data:\n")
    clone.write(CI, before + rest[rest.index("  required:\n") :])
    clone.edit(CI, {"needs: [code, data]": "needs: [code]", " data=${{ needs.data.result }}": ""})
    clone.commit()
    assert clone.update().conflicts == ()
    assert "Review records and rules" not in clone.show(CI)
    assert "name: Check the types" in clone.show(CI)


def test_a_deleted_file_stays_deleted_although_the_template_changed_it(clone: Clone) -> None:
    """The text says so."""
    clone.path(CI).unlink()
    clone.path(PAGES).unlink()
    clone.commit()
    result = clone.update()
    assert clone.files().isdisjoint({CI, PAGES})
    assert line_of(result.text, CI).startswith(f"- {CI}: you deleted it; it stays deleted")
    assert result.conflicts == ()


def test_a_renamed_file_gets_the_changes_under_its_new_name(clone: Clone) -> None:
    """A workflow, renamed and edited."""
    clone.git("mv", CI, ".github/workflows/checks.yml")
    clone.edit(".github/workflows/checks.yml", {"REQUIRED_TIMEOUT || '10'": "REQUIRED_TIMEOUT || '11'"})
    clone.commit()
    assert clone.update().conflicts == ()
    assert "name: Check the types" in clone.show(".github/workflows/checks.yml")
    assert CI not in clone.files()


def test_an_edit_moves_with_a_file_that_the_template_renames(clone: Clone) -> None:
    """The runbook of the team."""
    clone.append("docs/runbook.md", "\n## Our team\n\nCall Ada.\n")
    clone.commit()
    assert clone.update().conflicts == ()
    assert clone.show("docs/instructions.md").endswith("Call Ada.")
    assert "docs/runbook.md" not in clone.files()


def test_both_renamed_a_file_to_other_names(clone: Clone) -> None:
    """The repository's name stays."""
    clone.git("mv", "docs/runbook.md", "docs/our-runbook.md")
    clone.commit()
    result = clone.update()
    assert "docs/our-runbook.md" in clone.files()
    assert clone.files().isdisjoint({"docs/instructions.md", "docs/runbook.md"})
    assert "docs/instructions.md: " in result.text


def test_a_target_of_the_makefile_is_kept(clone: Clone) -> None:
    """Appended at the end."""
    clone.append("Makefile", "\nours: ## Our own\n\t@echo ours\n")
    clone.commit()
    assert clone.update().conflicts == ()
    assert clone.show("Makefile").endswith("@echo ours")
    assert "## Run your tests" in clone.show("Makefile")


def test_the_same_change_on_both_sides_is_no_conflict(clone: Clone) -> None:
    """Nothing is listed, for nothing changes."""
    clone.edit("Makefile", {"## Run the tests of your code": "## Run your tests"})
    clone.commit()
    result = clone.update()
    assert result.conflicts == ()
    assert "- Makefile" not in result.text


def test_yours_is_never_changed(clone: Clone) -> None:
    """model.toml is rewritten, code, data, tests and records are the user's; the template's changes are only listed."""
    clone.write("model.toml", "[project]\nname = 'other'\n")
    clone.write("registry/production.json", "{}\n")
    clone.write("docs/model-card.md", "# Card\n")
    clone.path("data/breast_cancer.csv").unlink()
    clone.write("data/own.csv", "a,b\n")
    clone.append("src/tumour_screening/features.py", "# edited\n")
    clone.append(".github/CODEOWNERS", "* @others\n")
    clone.append("deploy/kubernetes/production/kustomization.yaml", "# ours\n")
    clone.commit()
    text = clone.update().text
    yours = {path for path in clone.files("main") if world.find_owner(path) in ("yours", "record")}
    assert len(yours) > 10
    assert clone.changed() & yours == set()
    assert "data/breast_cancer.csv" not in clone.files()
    assert "- model.toml: yours; only the template's sample changed" in text


def test_an_invalid_model_toml_does_not_matter(clone: Clone) -> None:
    """An update may be what repairs it."""
    clone.write("model.toml", "this is not TOML")
    clone.commit()
    assert clone.update().commit


def test_a_new_sample_of_the_template_is_added_unless_the_repository_has_one(clone: Clone) -> None:
    """A test that the newer template has."""
    clone.update()
    assert "A new sample" in clone.show("tests/test_new.py")
    clone.write("tests/test_new.py", "# our own\n")
    clone.commit()
    clone.update()
    assert clone.show("tests/test_new.py") == "# our own"


def test_a_file_of_a_name_that_the_template_adds_is_a_conflict(clone: Clone) -> None:
    """Both texts are in the file."""
    clone.write("docs/new-page.md", "# Our page\n")
    clone.commit()
    assert clone.update().conflicts == ("docs/new-page.md",)
    shown = clone.show("docs/new-page.md")
    assert "# Our page" in shown
    assert "# A new page" in shown


def test_a_file_that_the_template_removes_is_kept_if_it_was_edited(clone: Clone) -> None:
    """The text says so."""
    clone.append(BUDGET, "# ours\n")
    clone.commit()
    result = clone.update()
    assert BUDGET in clone.files()
    assert result.conflicts == ()
    assert line_of(result.text, BUDGET).endswith("the template no longer has it; it is kept, because you changed it")


def test_a_mode_is_kept(clone: Clone) -> None:
    """An executable Makefile, which the template changes."""
    clone.path("Makefile").chmod(0o755)
    clone.commit()
    clone.update()
    assert clone.git("ls-tree", "update/gitops-ml", "Makefile").startswith("100755")
    assert "## Run your tests" in clone.show("Makefile")


def test_a_file_with_other_line_endings_keeps_them(clone: Clone) -> None:
    """Committed with CRLF, without attributes."""
    clone.path(".gitattributes").unlink()
    clone.commit()
    clone.write("Makefile", clone.path("Makefile").read_bytes().replace(b"\n", b"\r\n"))
    clone.commit()
    assert clone.update().conflicts == ()
    content = git.run_bytes(clone.root, "show", "update/gitops-ml:Makefile")
    assert content.count(b"\r\n") == content.count(b"\n") > 10
    assert b"## Run your tests" in content


@pytest.mark.parametrize(
    ("bump", "used"),
    [(world.OLDER_ACTION, world.NEWER_ACTION), (world.NEWEST_ACTION, world.NEWEST_ACTION)],
    ids=["older", "newer"],
)
def test_the_newer_version_of_an_action_is_used(clone: Clone, bump: str, used: str) -> None:
    """Dependabot and the template both changed it: no conflict."""
    clone.write(CI, world.ACTION.sub(bump, clone.path(CI).read_text()))
    clone.commit()
    result = clone.update()
    assert result.conflicts == ()
    assert set(world.ACTION.findall(clone.show(CI))) == {used}
    version = used.rpartition("v")[2]
    assert line_of(result.text, CI).endswith(
        f"both you and the template changed actions/checkout: the newer version, {version}, is used"
    )


def test_a_digest_that_both_sides_changed_stays_the_repositorys(clone: Clone) -> None:
    """Digests of one tag have no order."""
    digest = world.digest_of(clone.path("deploy/Dockerfile"))
    clone.edit("deploy/Dockerfile", {digest: "c" * 64})
    clone.commit()
    result = clone.update()
    assert result.conflicts == ()
    assert "c" * 64 in clone.show("deploy/Dockerfile")
    assert "docker.io/library/python" in line_of(result.text, "deploy/Dockerfile")


def test_an_ignored_path_of_the_template_is_added(clone: Clone) -> None:
    """The user's .gitignore has other lines, and ignores a file that the template adds."""
    clone.append(".gitignore", "docs/new-page.md\n/notes/\n")
    clone.commit()
    assert clone.update().conflicts == ()
    assert "docs/new-page.md" in clone.files()
    assert clone.show(".gitignore").endswith("/notes/")


def test_a_rewritten_readme_stays(clone: Clone) -> None:
    """The template's change of a line that is gone is a conflict for people, with both texts."""
    clone.write("README.md", "# Our model\n\nAsk Ada.\n")
    clone.commit()
    result = clone.update()
    assert result.conflicts == ("README.md",)
    assert "Ask Ada." in clone.show("README.md")


def test_a_file_that_became_binary_is_kept(clone: Clone) -> None:
    """Without markers, and with a line in the text."""
    clone.write("README.md", b"\x00\x01" + b"binary\n" * 3)
    clone.commit()
    result = clone.update()
    assert git.run_bytes(clone.root, "show", "update/gitops-ml:README.md").startswith(b"\x00\x01")
    assert "README.md: both you and the template changed it, and it cannot be merged; yours is kept" in result.text


def test_a_link_in_the_place_of_a_file_is_kept(clone: Clone) -> None:
    """Git moves it aside; the template changed the file."""
    clone.path("Makefile").unlink()
    clone.path("Makefile").symlink_to("README.md")
    clone.commit()
    result = clone.update()
    assert result.conflicts == ()
    assert clone.git("ls-tree", "update/gitops-ml", "Makefile").startswith("120000")
    assert [path for path in clone.files() if "~" in path] == []
    assert line_of(result.text, "Makefile").endswith("yours is kept")


def test_both_renamed_and_changed_the_same_line(clone: Clone) -> None:
    """The markers have readable names here, too."""
    clone.git("mv", "docs/runbook.md", "docs/our-runbook.md")
    clone.edit("docs/our-runbook.md", {"# Runbook\n": "# Our runbook\n"})
    clone.commit()
    result = clone.update()
    assert result.conflicts == ("docs/our-runbook.md",)
    assert "docs/instructions.md" not in clone.files()
    shown = clone.show("docs/our-runbook.md")
    assert re.search(r"^<{7,8} yours\S*\n# Our runbook$", shown, re.MULTILINE)
    assert not re.search(r"^[<|>]{7,8} [0-9a-f]{7}", shown, re.MULTILINE)


@pytest.mark.parametrize("path", ["docs/new-page.md", "Makefile"])
def test_a_folder_in_the_place_of_a_file_is_kept(clone: Clone, path: str) -> None:
    """Git's `path~branch` is never written."""
    clone.path(path).unlink(missing_ok=True)
    clone.write(f"{path}/inside.txt", "ours\n")
    clone.commit()
    result = clone.update()
    assert {each for each in clone.files() if each.startswith(path)} == {f"{path}/inside.txt"}
    assert line_of(result.text, path).endswith("the other a folder; yours is kept")


def test_a_file_in_the_place_of_a_folder_is_kept(clone: Clone) -> None:
    """The template adds a page to a folder that is a file here."""
    clone.git("rm", "-r", "--quiet", "docs")
    clone.write("docs", "see the wiki\n")
    clone.commit()
    clone.update()
    assert {each for each in clone.files() if each.startswith("docs")} == {"docs"}


def test_a_dependency_and_its_lock_stay(clone: Clone) -> None:
    """requirements/*.in and locks that satisfy the library are not merged."""
    clone.append("requirements/serve.in", "xgboost\n")
    for lock in ("serve", "train", "dev"):
        clone.append(f"requirements/{lock}.txt", f"xgboost==3.1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    clone.commit()
    result = clone.update()
    changed = {path for path in clone.changed() if path.startswith("requirements/")}
    assert changed == {"requirements/gitops.txt"}
    assert "retrains nothing" in result.text


def test_files_that_the_template_never_had_stay(clone: Clone) -> None:
    """Also names that are not ASCII, links and empty files."""
    clone.write("notebooks/a “quoted” naïve name\t.ipynb", "{}")
    clone.write("empty", "")
    clone.path("link").symlink_to("Makefile")
    clone.commit()
    clone.update()
    assert clone.changed().isdisjoint({"notebooks/a “quoted” naïve name\t.ipynb", "empty", "link"})
    assert {"empty", "link"} <= clone.files()


# Twice, killed, and with other branches ------------------------------------------------------------------------------


def test_the_second_run_has_nothing_to_do(clone: Clone) -> None:
    """Before and after the merge."""
    clone.append("Makefile", "\nours: ## Our own\n\t@echo ours\n")
    clone.commit()
    first = clone.update()
    second = clone.update()
    assert second.commit is None
    assert "Nothing to do: the branch update/gitops-ml has this update already." in second.text
    assert clone.git("rev-parse", "update/gitops-ml") == first.commit
    clone.git("merge", "--quiet", "--no-ff", "--no-edit", "update/gitops-ml")
    assert clone.update().text.startswith("Nothing to do: main pins gitops-ml 0.3.0.dev0")


def test_an_update_of_a_merged_update_starts_from_what_was_merged(clone: Clone) -> None:
    """The base is the version that main pins: the first update's changes are not merged again."""
    clone.edit(CI, {"REQUIRED_TIMEOUT || '10'": "REQUIRED_TIMEOUT || '11'"})
    clone.commit()
    clone.update()
    clone.git("merge", "--quiet", "--no-ff", "--no-edit", "update/gitops-ml")
    result = clone.update(world.older())
    assert result.conflicts == ()
    assert "name: Check types" in clone.show(CI)
    assert "REQUIRED_TIMEOUT || '11'" in clone.show(CI)


def test_main_moves_and_the_branch_follows(clone: Clone) -> None:
    """An update without commits of people is replaced."""
    clone.update()
    clone.write("notes.txt", "more")
    head = clone.commit()
    clone.update()
    assert clone.git("rev-parse", "update/gitops-ml^") == head
    assert "notes.txt" in clone.files()


def test_commits_of_people_are_not_overwritten(clone: Clone) -> None:
    """The same update has nothing to do; another one stops, on a commit on top and on an amended one."""
    clone.update()
    clone.git("switch", "--quiet", "update/gitops-ml")
    clone.append("Makefile", "# resolved\n")
    tip = clone.commit("Resolve")
    clone.git("switch", "--quiet", "main")
    assert clone.update().commit is None
    clone.write("notes.txt", "main moves")
    clone.commit()
    with pytest.raises(errors.StoreError, match=r"commits of other people: \w+ by Ada \(Resolve\)"):
        clone.update()
    assert clone.git("rev-parse", "update/gitops-ml") == tip
    assert clone.update(branch="update/another").commit
    clone.git("switch", "--quiet", "update/another")
    clone.append("Makefile", "# amended\n")
    clone.git("commit", "--quiet", "--all", "--amend", "--no-edit")
    clone.git("switch", "--quiet", "main")
    with pytest.raises(errors.StoreError, match="commits of other people"):
        clone.update(branch="update/another")


def test_a_branch_that_is_checked_out_is_not_moved(clone: Clone) -> None:
    """Its files would no longer be those of its commit."""
    clone.update()
    clone.write("notes.txt", "main moves")
    clone.commit()
    clone.git("worktree", "add", "--quiet", str(clone.root.parent / "tree"), "update/gitops-ml")
    with pytest.raises(errors.StoreError, match="is checked out"):
        clone.update()


class Killed(Exception):
    """The process ends here."""


def test_a_kill_at_any_git_command_changes_nothing(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before and after a part of them, among them the last three; the next run ends in the same state."""
    run, count, stop = git.run_bytes, 0, 0

    def interrupted(root: Path, *arguments: str, **options: object) -> bytes:
        nonlocal count
        count += 1
        if count == stop:
            raise Killed
        try:
            return run(root, *arguments, **options)  # type: ignore[arg-type]
        finally:
            if count == -stop:
                raise Killed

    monkeypatch.setattr(git, "run_bytes", interrupted)
    before = clone.state()
    clone.update()
    total, tree = count, clone.git("rev-parse", "update/gitops-ml^{tree}")
    for number in (*range(2, total - 2, 9), *range(total - 2, total + 1)):
        for sign in (1, -1):
            clone.git("update-ref", "-d", "refs/heads/update/gitops-ml")
            count, stop = 0, number * sign
            with pytest.raises(Killed):
                clone.update()
            stop = 0
            if clone.git("branch", "--list", "update/gitops-ml"):
                assert number * sign == -total
            else:
                assert clone.state() == before
            clone.update()
            assert clone.git("rev-parse", "update/gitops-ml^{tree}") == tree


def test_two_updates_at_once_cannot_overwrite_each_other(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """The branch is set by compare-and-swap."""
    read = update_branch.read_branch

    def raced(root: Path, ref: str, main: str) -> update_branch.ExistingBranch:
        existing = read(root, ref, main)
        clone.git("update-ref", ref, "main")
        return existing

    monkeypatch.setattr(update_branch, "read_branch", raced)
    with pytest.raises(errors.StoreError, match="cannot be set"):
        clone.update()


# Repositories that cannot be updated ---------------------------------------------------------------------------------


def test_a_replaced_wheel_is_refused(clone: Clone) -> None:
    """The base must be what the repository was generated with."""
    clone.write(f"vendor/{world.older().wheel_name}", b"another wheel")
    clone.commit()
    with pytest.raises(errors.IntegrityError, match=r"requirements/gitops.txt pins"):
        clone.update()


def test_a_missing_wheel_is_refused(clone: Clone) -> None:
    """The message names it."""
    clone.path(f"vendor/{world.older().wheel_name}").unlink()
    clone.commit()
    with pytest.raises(errors.IntegrityError, match="is missing"):
        clone.update()


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "is missing at main"),
        ("{}", "cannot be read"),
        ("[", "cannot be read"),
        ('{"answers": {"task": 1}}', "cannot be read"),
    ],
    ids=["missing", "without answers", "not JSON", "numbers"],
)
def test_answers_that_cannot_be_read_are_refused(clone: Clone, content: str | None, problem: str) -> None:
    """Without the answers, nothing can be rendered."""
    if content is None:
        clone.path(".cookiecutter.json").unlink()
    else:
        clone.write(".cookiecutter.json", content)
    clone.commit()
    with pytest.raises(errors.ConfigError, match=problem):
        clone.update()


@pytest.mark.parametrize(
    ("answers", "problem"),
    [({"package_name": "pandas-2"}, "package_name is 'pandas-2', but must be"), ({"task": "ranking"}, "task")],
    ids=["a rule of the hook", "a choice"],
)
def test_an_answer_that_is_no_longer_allowed_is_a_sentence(clone: Clone, answers: dict[str, str], problem: str) -> None:
    """The words are those of the template's hook."""
    (old, new) = next(
        iter(
            {
                name: (f'"{name}": "{world.ANSWERS[name]}"', f'"{name}": "{value}"') for name, value in answers.items()
            }.values()
        )
    )
    clone.edit(".cookiecutter.json", {old: new})
    clone.commit()
    with pytest.raises(errors.ConfigError, match=problem):
        clone.update()


def test_a_repository_of_0_1_needs_the_option(clone: Clone) -> None:
    """And others refuse it."""
    with pytest.raises(errors.ConfigError, match="no copy of the library"):
        update(clone.root, world.newer(), from_copied=True)
    clone.git("rm", "-r", "--quiet", "requirements/gitops.txt")
    clone.write("src/gitops/__init__.py", "")
    clone.commit()
    with pytest.raises(errors.ConfigError, match="Add `--from-copied`"):
        clone.update()


def test_an_old_git_is_a_sentence(clone: Clone, monkeypatch: pytest.MonkeyPatch) -> None:
    """merge-tree writes trees since 2.38."""
    monkeypatch.setattr(git, "run", lambda root, *arguments, **options: "git version 2.34.1")
    with pytest.raises(errors.StoreError, match=r"git 2\.38 or newer"):
        clone.update()
