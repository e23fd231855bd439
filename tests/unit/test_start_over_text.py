"""Text of the pull request that ends a line of versions."""

from pathlib import Path

from gitops_ml.forge.start_over_text import StartOver

GOLDEN = Path(__file__).parent / "golden" / "start-over.md"
PROPOSAL = StartOver(
    "sample", "We predict churn *now*.", {"staging": "5", "production": "4"}, "registry/ended/line-1.json"
)


def test_body_equals_golden_file() -> None:
    """It says what a merge does, what it does not do, and how the next version is judged."""
    assert PROPOSAL.body == GOLDEN.read_text(encoding="utf-8")


def test_title_names_the_versions_that_serve() -> None:
    """The title is the subject of the merge too."""
    expected = "Start over: end the line of sample (version 5 in staging, version 4 in production)"
    assert PROPOSAL.title == expected


def test_without_a_record_no_version_serves() -> None:
    """Main may name none, such as after a rollback of the only version."""
    empty = StartOver("sample", "why", {}, "registry/ended/line-1.json")
    assert (empty.title, empty.serving) == ("Start over: end the line of sample", "No version serves.")
