"""The past: which version served at a date, a commit or a release, by what main said and the ledger knew then."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gitops_ml import config
from gitops_ml.errors import ConfigError
from gitops_ml.registry.branch import Branch
from gitops_ml.registry.ledger import AnyFact, Expired, Held, Lifted, Override, Verified, append
from gitops_ml.registry.past import Past, moment, periods, then
from gitops_ml.registry.record import Entry, read
from unit.facts import NOW, entry, record
from unit.sample import Project


def day(number: float) -> datetime:
    """A moment, some days later."""
    return NOW + timedelta(days=number)


def on(kind: type[Verified] | type[Held], number: int, when: float, **more: str) -> AnyFact:
    """A fact about a version."""
    return kind(environment="production", digest=str(number) * 4, at=day(when), by="a run", **more)


MAIN = (entry(2, 10), entry(1, 0))
FACTS = (on(Verified, 1, 0.1), on(Held, 2, 11, why="it fails"))
OVERRIDE = Override(environment="production", digest="1" * 4, at=day(12), by="Ada", until=day(14), why="trouble")


def past(when: float, facts: Sequence[AnyFact] = FACTS, ends: Sequence[Lifted] = ()) -> Past | None:
    """What was to serve some days later."""
    known: list[Entry] = [each for each in MAIN if datetime.fromisoformat(each.when) <= day(when)]
    return then(known, facts, ends, day(when))


def test_main_decides_where_the_ledger_is_silent() -> None:
    """With the merge that put it there, and when it was verified."""
    found = past(5)
    assert found
    assert (found.record.version, found.named, found.before) == ("1", None, None)
    assert found.verified == FACTS[0]
    assert past(-1) is None


def test_a_version_that_was_not_verified_yet_did_not_answer_yet() -> None:
    """The last verified one still did."""
    found = past(10.5)
    assert found
    assert found.record.version == "2"
    assert found.verified is None
    assert found.before == record(1)
    later = past(10.5, [*FACTS, on(Verified, 2, 10.6)])
    assert later
    assert later.before == record(1)
    assert later.verified


def test_a_held_version_gives_way_to_the_last_verified_one() -> None:
    """From the hold on, and until it is lifted; what came later changes nothing that was."""
    found = past(12)
    assert found
    assert (found.record.version, found.named, found.held) == ("1", record(2), FACTS[1])
    assert found.entry == MAIN[1]
    again = past(12, ends=[Lifted(environment="production", digest="2" * 4, at=day(11), why="mended")])
    assert again
    assert (again.record.version, again.held) == ("2", None)


def test_a_merge_on_expired_evidence_gives_way_too() -> None:
    """From the fact on, which says why."""
    fact = Expired(environment="production", digest="2" * 4, at=day(11), by="a run", commit="c", why="the gates")
    found = past(12, [FACTS[0], fact])
    assert found
    assert (found.record.version, found.named, found.held, found.expired) == ("1", record(2), None, fact)
    before = past(10.5, [FACTS[0], fact])
    assert before
    assert (before.record.version, before.expired) == ("2", None)


def test_an_override_wins_as_long_as_it_lasts() -> None:
    """It overrules main, and is named."""
    facts = [FACTS[0], OVERRIDE]
    during, after = past(13, facts), past(15, facts)
    assert during
    assert after
    assert (during.record.version, during.override) == ("1", OVERRIDE)
    assert (after.record.version, after.override) == ("2", None)


def test_history_tells_what_failed_and_what_took_its_place() -> None:
    """What main names is not what served: one that failed never did, and an order that overrules main is told."""
    lift = (day(20), Lifted(environment="production", digest="2" * 4, at=day(11), why="mended"))
    facts = [*FACTS, on(Verified, 2, 20.5), OVERRIDE.model_copy(update={"at": day(22), "until": day(23)})]
    found = periods(MAIN, facts, [lift], day(30))[::-1]
    told = [(p.past.record.version if p.past else None, p.start, p.answered) for p in found]
    assert told == [
        ("1", day(0), day(0.1)),
        ("2", day(10), None),  # it failed
        ("1", day(11), day(11)),  # in its stead
        ("2", day(20), day(20.5)),  # the hold was lifted
        ("1", day(22), day(22)),  # by order
        ("2", day(23), day(23)),
    ]
    assert [period.until for period in found] == [*(period.start for period in found[1:]), None]
    assert [bool(p.past and p.past.held) for p in found] == [False, False, True, False, False, False]
    assert periods([], facts, [lift], day(30)) == []


def test_at_tells_what_served(at_stage: Callable[[str], Project]) -> None:
    """By a commit before the promotion, by release, by commit, by date; with data, code, approver and image."""
    project = at_stage("promoted")
    start = project.git("rev-list", "--max-parents=0", "main")
    merge = project.git("rev-parse", "main")
    assert "Nothing was to serve in production" in project.must("at", start).out
    project.verified()
    record_now = read(project.root, "production", "main")
    assert record_now is not None
    lineage = record_now.lineage
    for named in ("1.0.0", "v1.0.0", merge, project.git("rev-parse", "promote/production"), "2999-01-01"):
        told = project.must("at", named).out
        assert "version 1, release 1.0.0" in told, named
        assert f"by Ada, commit {merge}" in told
        assert "by a test" in told
        for value in (record_now.digest, lineage.data, lineage.commit):
            assert str(value) in told.replace("\n", "")


@pytest.mark.slow
def test_at_tells_what_was_held(at_stage: Callable[[str], Project]) -> None:
    """The version that took its place, and why."""
    project = at_stage("promoted")
    project.verified()
    project.improve()
    project.commit("better")
    project.promote()
    digest = project.must("train").outputs["digest"]
    fact = Held(environment="production", digest=digest, at=datetime.now(UTC), by="a test", why="it fails")
    append(Branch(config.find(project.root)), fact)
    told = project.must("at", "2999-01-01").out
    assert "version 1, release 1.0.0" in told
    assert "version 2, which main named" in told
    assert "it fails" in told


@pytest.mark.parametrize(
    ("text", "words"),
    [("2026-13-01", "no date"), ("1999-01-01", "no main on 1999-01-01"), ("9.9.9", "never had a release 9.9.9"),
     ("yesterday", "no commit that main has")],
)  # fmt: skip
def test_a_moment_that_is_none_is_a_sentence(project: Project, text: str, words: str) -> None:
    """Each with what could be meant."""
    with pytest.raises(ConfigError, match=words):
        moment(project.root, "production", "main", text)


def test_a_moment_is_in_utc_unless_it_says_otherwise(project: Project) -> None:
    """A date alone means its end."""
    assert moment(project.root, "production", "main", "2999-01-31").when == datetime(
        2999, 1, 31, 23, 59, 59, 999999, UTC
    )
    assert moment(project.root, "production", "main", "2999-01-31T12:00").when == datetime(2999, 1, 31, 12, tzinfo=UTC)
    assert moment(project.root, "production", "main", "2999-01-31T12:00+02:00").when == datetime(
        2999, 1, 31, 10, tzinfo=UTC
    )
