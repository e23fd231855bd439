"""History: the version that served at a date, a commit or a release, by main and the ledger at that time."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gitops_ml import config
from gitops_ml.errors import ConfigError
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.history import DesiredState, desired_state_at, resolve_moment, serving_periods
from gitops_ml.registry.ledger import AnyFact, Expired, Held, LiftedHold, Override, Verified, append_facts
from gitops_ml.registry.record import HistoryEntry, load_record
from unit.facts import NOW, entry, record
from unit.sample import Project


def day(number: float) -> datetime:
    """Return a time this number of days after NOW."""
    return NOW + timedelta(days=number)


def fact_about(kind: type[Verified] | type[Held], number: int, days: float, **fields: str) -> AnyFact:
    """Return a fact about a version."""
    return kind(environment="production", digest=str(number) * 4, at=day(days), by="a run", **fields)


MAIN = (entry(2, 10), entry(1, 0))
FACTS = (fact_about(Verified, 1, 0.1), fact_about(Held, 2, 11, why="it fails"))
OVERRIDE = Override(environment="production", digest="1" * 4, at=day(12), by="Ada", until=day(14), why="trouble")


def state_after(
    days: float, facts: Sequence[AnyFact] = FACTS, lifted: Sequence[LiftedHold] = ()
) -> DesiredState | None:
    """Return the desired state this number of days after NOW."""
    entries: list[HistoryEntry] = [each for each in MAIN if datetime.fromisoformat(each.when) <= day(days)]
    return desired_state_at(entries, facts, lifted, day(days))


def test_without_a_fact_main_decides() -> None:
    """The state has the merge of the version and the fact that verified it."""
    found = state_after(5)
    assert found
    assert (found.record.version, found.on_main, found.still_serving) == ("1", None, None)
    assert found.verified == FACTS[0]
    assert state_after(-1) is None


def test_before_verification_the_last_verified_version_serves() -> None:
    """A version that is not verified does not serve yet."""
    found = state_after(10.5)
    assert found
    assert found.record.version == "2"
    assert found.verified is None
    assert found.still_serving == record(1)
    verified = state_after(10.5, [*FACTS, fact_about(Verified, 2, 10.6)])
    assert verified
    assert verified.still_serving == record(1)
    assert verified.verified


def test_the_last_verified_version_serves_instead_of_a_held_one() -> None:
    """A hold replaces the version until it is lifted; subsequent facts do not change earlier states."""
    found = state_after(12)
    assert found
    assert (found.record.version, found.on_main, found.held) == ("1", record(2), FACTS[1])
    assert found.entry == MAIN[1]
    unheld = state_after(12, lifted=[LiftedHold(environment="production", digest="2" * 4, at=day(11), why="fixed")])
    assert unheld
    assert (unheld.record.version, unheld.held) == ("2", None)


def test_the_last_verified_version_serves_instead_of_one_with_expired_evidence() -> None:
    """The expired version is replaced from the time of the fact, which has the reason."""
    fact = Expired(environment="production", digest="2" * 4, at=day(11), by="a run", commit="c", why="the gates")
    found = state_after(12, [FACTS[0], fact])
    assert found
    assert (found.record.version, found.on_main, found.held, found.expired) == ("1", record(2), None, fact)
    before = state_after(10.5, [FACTS[0], fact])
    assert before
    assert (before.record.version, before.expired) == ("2", None)


def test_an_override_replaces_main_until_it_ends() -> None:
    """The state names the override."""
    facts = [FACTS[0], OVERRIDE]
    during, after = state_after(13, facts), state_after(15, facts)
    assert during
    assert after
    assert (during.record.version, during.override) == ("1", OVERRIDE)
    assert (after.record.version, after.override) == ("2", None)


def test_history_has_failed_versions_and_their_replacements() -> None:
    """A version on main that failed never served; a hold, a lift and an override start a new period."""
    lift = (day(20), LiftedHold(environment="production", digest="2" * 4, at=day(11), why="fixed"))
    facts = [*FACTS, fact_about(Verified, 2, 20.5), OVERRIDE.model_copy(update={"at": day(22), "until": day(23)})]
    found = serving_periods(MAIN, facts, [lift], day(30))[::-1]
    versions = [(p.desired.record.version if p.desired else None, p.start, p.serving_since) for p in found]
    assert versions == [
        ("1", day(0), day(0.1)),
        ("2", day(10), None),  # failed its smoke test
        ("1", day(11), day(11)),  # replaced version 2
        ("2", day(20), day(20.5)),  # the hold was lifted
        ("1", day(22), day(22)),  # override
        ("2", day(23), day(23)),
    ]
    assert [period.until for period in found] == [*(period.start for period in found[1:]), None]
    assert [bool(p.desired and p.desired.held) for p in found] == [False, False, True, False, False, False]
    assert serving_periods([], facts, [lift], day(30)) == []


def test_at_prints_the_serving_version(at_stage: Callable[[str], Project]) -> None:
    """The version is found by release, commit and date; before the promotion there is none."""
    project = at_stage("promoted")
    start = project.git("rev-list", "--max-parents=0", "main")
    merge = project.git("rev-parse", "main")
    assert "No version was to serve in production" in project.must("at", start).out
    project.record_verification()
    current = load_record(project.root, "production", "main")
    assert current is not None
    lineage = current.lineage
    for moment in ("1.0.0", "v1.0.0", merge, project.git("rev-parse", "promote/production"), "2999-01-01"):
        output = project.must("at", moment).out
        assert "version 1, release 1.0.0" in output, moment
        assert f"by Ada, commit {merge}" in output
        assert "by a test" in output
        for value in (current.digest, lineage.data, lineage.commit):
            assert str(value) in output.replace("\n", "")


@pytest.mark.slow
def test_at_prints_the_held_version(at_stage: Callable[[str], Project]) -> None:
    """The output has the version that served instead, and the reason of the hold."""
    project = at_stage("promoted")
    project.record_verification()
    project.improve()
    project.commit("better")
    project.promote()
    digest = project.must("train").outputs["digest"]
    fact = Held(environment="production", digest=digest, at=datetime.now(UTC), by="a test", why="it fails")
    append_facts(Branch(config.find_repository(project.root)), fact)
    output = project.must("at", "2999-01-01").out
    assert "version 1, release 1.0.0" in output
    assert "version 2, which main named" in output
    assert "it fails" in output


@pytest.mark.parametrize(
    ("text", "message"),
    [("2026-13-01", "not a date"), ("1999-01-01", "no commit yet on 1999-01-01"),
     ("9.9.9", "never had a release 9.9.9"), ("yesterday", "a commit of main")],
)  # fmt: skip
def test_an_unknown_moment_is_an_error(project: Project, text: str, message: str) -> None:
    """The message says what is wrong with the date, release or commit."""
    with pytest.raises(ConfigError, match=message):
        resolve_moment(project.root, "production", "main", text)


def test_a_moment_is_in_utc_unless_it_says_otherwise(project: Project) -> None:
    """A date without a time means its last microsecond."""
    assert resolve_moment(project.root, "production", "main", "2999-01-31").when == datetime(
        2999, 1, 31, 23, 59, 59, 999999, UTC
    )
    assert resolve_moment(project.root, "production", "main", "2999-01-31T12:00").when == datetime(
        2999, 1, 31, 12, tzinfo=UTC
    )
    assert resolve_moment(project.root, "production", "main", "2999-01-31T12:00+02:00").when == datetime(
        2999, 1, 31, 10, tzinfo=UTC
    )
