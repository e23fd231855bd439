"""A record must be true: records that say something else than their file, the repository or the pinned files."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from gitops_ml import config
from gitops_ml.commands.deploy_context import open_deploy_context
from gitops_ml.commands.promote import argocd_files
from gitops_ml.errors import IntegrityError
from gitops_ml.manifest import digest_file
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.history import serving_periods
from gitops_ml.registry.ledger import AnyFact, Compared, Held, Verified, append_facts, load_facts
from gitops_ml.registry.other_environments import records_of_version
from gitops_ml.registry.record import Record, load_history, load_record, record_path
from unit.facts import NOW, entry
from unit.sample import Project, Result

PATH, BRANCH = record_path("production"), "promote/production"


@pytest.fixture
def proposed(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 proposed."""
    return at_stage("proposed")


def facts(project: Project) -> list[AnyFact]:
    """Return the facts of the ledger."""
    branch = Branch(config.find_repository(project.root))
    branch.refresh()
    return load_facts(branch.root)


def on_branch(project: Project, command: str) -> Result:
    """Run a command on the branch of the proposal."""
    project.git("switch", "--quiet", BRANCH)
    try:
        return project.must(command)
    finally:
        project.git("switch", "--quiet", "main")


@pytest.fixture
def promoted(at_stage: Callable[[str], Project]) -> Project:
    """The project with version 1 on main, not deployed yet."""
    return at_stage("promoted")


def read(project: Project, revision: str = "HEAD") -> Record:
    """Return the record of production."""
    found = load_record(project.root, "production", revision)
    assert found
    return found


def forge(project: Project, **changes: object) -> None:
    """Change keys of the record by hand and commit it to main."""
    document = Record.model_validate(read(project).model_dump() | changes)
    project.write(PATH, document.to_json())
    project.commit("Tidy up")


FOREIGN = {
    "another spelling of the environment": ({"environment": "Production"}, "'Production'"),
    "another environment": ({"environment": "staging"}, "'staging'"),
    "another model": ({"model": "other"}, "'other'"),
}


@pytest.mark.parametrize(("changes", "value"), FOREIGN.values(), ids=FOREIGN)
def test_a_record_of_something_else_is_refused(promoted: Project, changes: dict[str, str], value: str) -> None:
    """Environment and model of a record are those of its file and of its repository, wherever a record is read."""
    forge(promoted, **changes)
    for read_records in (load_record, load_history):
        with pytest.raises(IntegrityError, match=f"{PATH} at .*{value}"):
            read_records(promoted.root, "production", "HEAD")
    for command in (["deploy"], ["reconcile"], ["history"], ["status"], ["review"], ["rollback", "--why", "trouble"]):
        refused = promoted.gitops(*command)
        assert (refused.code, value in refused.err) == (11, True), (command, refused)


def test_one_changed_word_does_not_end_a_hold(promoted: Project) -> None:
    """A held version does not serve because its record calls the environment by another name."""
    hold = Held(environment="production", digest=read(promoted).digest, at=datetime.now(UTC), by="Ada", why="wrong")
    append_facts(Branch(config.find_repository(promoted.root)), hold)
    forge(promoted, environment="Production")
    refused = promoted.gitops("deploy")
    assert refused.code == 11
    assert "verified" not in refused.out


def test_a_repaired_record_ends_the_refusal(promoted: Project) -> None:
    """A false record in the history of main is never restored; it blocks nothing after main has a true one."""
    first = read(promoted)
    forge(promoted, environment="Production")
    promoted.git("revert", "--no-edit", "HEAD")
    assert [entry.record for entry in load_history(promoted.root, "production", "HEAD")] == [first, first]


def test_a_renamed_model_keeps_its_history(promoted: Project) -> None:
    """Each record is compared with model.toml as it was when the record was merged."""
    first = read(promoted)
    promoted.edit("model.toml", 'name = "sample"', 'name = "renamed"')
    promoted.commit()
    assert [entry.record for entry in load_history(promoted.root, "production", "HEAD")] == [first]
    assert read(promoted) == first


CONTRADICTIONS = {
    "the commit of another branch": ("lineage.commit", lambda project: project.git("rev-parse", "unmerged")),
    "other data": ("lineage.data", lambda _: f"sha256:{'0' * 64}"),
    "another lock": ("lineage.lock", lambda _: f"sha256:{'0' * 64}"),
    "other columns": ("columns", lambda _: {"x1": "float64"}),
    "other labels": ("classes", lambda _: ("yes", "no")),
    "another run": ("run", lambda _: "0" * 32),
    "a version that the store does not have": ("version", lambda _: "9"),
}


@pytest.mark.parametrize(("key", "value"), CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_a_record_that_contradicts_its_files_is_refused(
    promoted: Project, key: str, value: Callable[[Project], object]
) -> None:
    """What the digest pins is believed, and nothing that the record says beside it."""
    promoted.git("branch", "unmerged", promoted.git("commit-tree", "-m", "A back door", "HEAD^{tree}"))
    promoted.record_verification()
    lineage, _, name = key.rpartition(".")
    changed = {name: value(promoted)}
    forge(promoted, **({"lineage": read(promoted).lineage.model_dump() | changed} if lineage else changed))
    for command in ("deploy", "reconcile", "review", "compare"):
        refused = promoted.gitops(command)
        assert (refused.code, f"{key} " in refused.err or f"{key}:" in refused.err) == (11, True), (command, refused)


def test_a_record_that_promote_wrote_passes(proposed: Project) -> None:
    """The ledger has the comparison that earned it, once, however often it is proposed."""
    assert "overrules" not in on_branch(proposed, "review").err
    proposed.must("promote", "--local")
    (fact,) = [fact for fact in facts(proposed) if isinstance(fact, Compared)]
    record = read(proposed, BRANCH)
    assert (fact.comparison, fact.record) == (record.comparison, record.content_digest)
    assert record.comparison == digest_file(proposed.root / ".gitops" / "comparison" / "comparison.json")
    proposed.git("merge", "--quiet", "--no-ff", "--no-edit", BRANCH)
    proposed.must("review")


UNEARNED: dict[str, dict[str, object]] = {
    "no evidence, so that it cannot expire": {"evidence": None},
    "no comparison": {"comparison": None},
    "another comparison": {"comparison": f"sha256:{'0' * 64}"},
    "a better metric": {"figure": {"metric": "roc_auc", "value": 0.99, "baseline": 0.5, "champion": None}},
    "another image": {"image": f"elsewhere/sample@sha256:{'0' * 64}"},
    "a release that callers trust": {"release": "1.0.1"},
}


@pytest.mark.parametrize("changes", UNEARNED.values(), ids=UNEARNED)
def test_a_record_that_no_comparison_earned_is_refused(promoted: Project, changes: dict[str, object]) -> None:
    """Each key was written by `promote`, after a comparison; review and deploy refuse every other record."""
    forge(promoted, **changes)
    for command in ("review", "deploy"):
        refused = promoted.gitops(command)
        assert (refused.code, "with version 1" in refused.err) == (17, True), refused
    assert not [fact for fact in facts(promoted) if isinstance(fact, Verified)]


def test_a_person_may_overrule_by_name(promoted: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Review passes with a warning that names the person and the reason, and history shows both."""
    monkeypatch.setenv("COLUMNS", "300")
    forge(promoted, evidence=None, overruled={"by": "Ada", "why": "the old model fails on Mondays"})
    assert "Ada overrules the gates: the old model fails on Mondays" in promoted.must("review").err
    assert "gates overruled by Ada: the old model fails on Mondays" in promoted.must("history").out
    for empty in ({"by": " ", "why": "trouble"}, {"by": "Ada", "why": ""}):
        document = {**read(promoted).model_dump(mode="json"), "overruled": empty}
        promoted.write(PATH, json.dumps(document))
        promoted.commit()
        refused = promoted.gitops("review")
        assert (refused.code, "overruled" in refused.err) == (11, True)
        promoted.git("reset", "--quiet", "--hard", "HEAD~1")


def test_a_rollback_to_a_verified_version_is_not_compared(promoted: Project) -> None:
    """An earlier record passes if its version is verified and not held; so does one of an older library."""
    forge(promoted, comparison=None)
    old = read(promoted)
    forge(promoted, overruled={"by": "Ada", "why": "a trial"})
    promoted.write(PATH, old.to_json())
    promoted.commit("Roll back")
    assert promoted.gitops("review").code == 17
    promoted.record_verification()
    promoted.must("review")
    hold = Held(environment="production", digest=old.digest, at=datetime.now(UTC), by="Ada", why="wrong")
    append_facts(Branch(config.find_repository(promoted.root)), hold)
    assert promoted.gitops("review").code == 17


def test_a_repair_passes_the_review(promoted: Project) -> None:
    """A change that restores a true record is judged by the true records before."""
    forge(promoted, environment="Production")
    promoted.git("revert", "--no-edit", "HEAD")
    promoted.must("review")


def test_the_removal_of_a_record_is_named(promoted: Project) -> None:
    """It passes, and the reviewer reads what it does; a record of an unknown environment does not pass."""
    promoted.git("rm", "--quiet", PATH)
    promoted.commit()
    assert "removes the record of production" in promoted.must("review").err
    promoted.git("revert", "--no-edit", "HEAD")
    promoted.git("mv", PATH, "registry/Production.json")
    promoted.edit("registry/Production.json", '"production"', '"Production"')
    promoted.commit()
    refused = promoted.gitops("review")
    assert (refused.code, "no environment 'Production'" in refused.err) == (11, True)


def test_nothing_serves_is_an_alarm(promoted: Project) -> None:
    """A hold on the only version, forged or not, ends the deployment with an error, as often as it runs."""
    hold = Held(environment="production", digest=read(promoted).digest, at=datetime.now(UTC), by="Eve", why="a lie")
    append_facts(Branch(config.find_repository(promoted.root)), hold)
    for _ in range(2):
        refused = promoted.gitops("deploy")
        assert (refused.code, "by Eve" in refused.err, "a lie" in refused.err) == (18, True, True), refused
    promoted.git("rm", "--quiet", PATH)
    promoted.commit("Start over")
    assert "No version may serve" in promoted.must("deploy").out


def test_a_clock_behind_empties_no_history(promoted: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table has the versions that a machine with another clock merged and verified."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", (datetime.now(UTC) + timedelta(days=30)).isoformat())
    forge(promoted, release="1.0.1")
    assert "1.0.1" in promoted.must("history").out
    later = [entry(1, 30)]
    assert [period.until for period in serving_periods(later, [], [], NOW)] == [None]


def test_a_process_answers_without_the_image_of_the_record(promoted: Project) -> None:
    """The record may name an image for another environment; the ledger and the messages say what was tested."""
    promoted.write(
        "model.toml", (promoted.root / "model.toml").read_text() + '\n[targets.production]\nkind = "process"\n'
    )
    promoted.commit()
    named = read(promoted).model_copy(update={"image": f"elsewhere/sample@sha256:{'0' * 64}"})
    context = open_deploy_context(config.find_repository(promoted.root), "production")
    assert context.prepare_rollout(named).image is None


def test_an_image_in_a_pushed_branch_is_not_adopted(proposed: Project) -> None:
    """A record on a proposal's branch counts only if `promote` wrote it, because anyone who may push can change it."""
    repository, digest = config.find_repository(proposed.root), read(proposed, BRANCH).digest
    assert [record.version for record in records_of_version(repository, digest)] == ["1"]
    forged = read(proposed, BRANCH).model_copy(update={"image": f"elsewhere/sample@sha256:{'0' * 64}"})
    proposed.git("switch", "--quiet", BRANCH)
    proposed.write(PATH, forged.to_json())
    proposed.commit("Tidy up")
    proposed.git("switch", "--quiet", "main")
    assert records_of_version(repository, digest) == []
    proposed.must("promote", "--local")
    assert read(proposed, BRANCH).image is None


def test_argo_cd_deploys_the_image_of_the_record(promoted: Project) -> None:
    """A change of the file that Argo CD follows is refused unless it is the file of the record."""
    target = '\n[targets.production]\nkind = "argocd"\nurl = "http://127.0.0.1:1"\n'
    promoted.write("model.toml", (promoted.root / "model.toml").read_text() + target)
    promoted.commit()
    forge(promoted, image=f"registry/sample@sha256:{'1' * 64}", overruled={"by": "Ada", "why": "a test"})
    repository = config.find_repository(promoted.root)
    ((path, text),) = argocd_files(repository, "production", read(promoted)).items()
    promoted.write(path, str(text))
    promoted.commit()
    promoted.must("review")
    promoted.edit(path, "1" * 64, "2" * 64)
    promoted.commit()
    refused = promoted.gitops("review")
    assert (refused.code, "is not the file of the record" in refused.err) == (11, True), refused
