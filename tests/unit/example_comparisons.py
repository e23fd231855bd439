"""Examples of comparisons, one of them with hostile text wherever text comes from data."""

import json
from collections import Counter
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt

from gitops_ml.config import SplitConfig
from gitops_ml.run import Lineage
from gitops_ml.training.compare import ComparedVersion, Comparison
from gitops_ml.training.flips import Contribution, Flip, FlipExplanation, Flips
from gitops_ml.training.gates import Outcome, Verdict
from gitops_ml.training.proposed_version import ProposedVersion
from gitops_ml.training.shifts import ColumnShift, DataChanges, FigureChange
from gitops_ml.training.slices import Slice

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


LINEAGE = Lineage(
    commit="a1" * 20, dirty=False, data="sha256:" + "d" * 64, rows=569, holdout="sha256:" + "e" * 64, holdout_rows=171,
    split=SplitConfig(method="hash", column="id", holdout=0.3), training="sha256:" + "f" * 64,
    configuration="sha256:" + "0" * 64, lock="sha256:" + "1" * 64, python="3.11.7",
    libraries={"numpy": "2.4.0", "scikit-learn": "1.8.0"},
)  # fmt: skip
OLDER = LINEAGE.model_copy(
    update={"commit": "b2" * 20, "lock": None, "libraries": {"numpy": "2.3.1", "scikit-learn": "1.8.0"}, "rows": 500}
)


def make_version(version: str, roc_auc: float | None, lineage: Lineage = LINEAGE, **changes: Any) -> ComparedVersion:
    """Return a version with its metrics."""
    fields = {"metrics": {"roc_auc": roc_auc, "log_loss": 0.25}, "own_code": False, **changes}
    return ComparedVersion(version=version, digest="sha256:1", training="sha256:2", lineage=lineage, **fields)


def make_outcome(gate: str, verdict: Verdict, message: str, *figures: float) -> Outcome:
    """Return the outcome of a gate."""
    named = dict(zip(("value", "threshold", "low", "high"), figures, strict=False))
    return Outcome(id=gate, title=f"Requirement of {gate}", verdict=verdict, message=message, **named)


PASSED_FLOOR = make_outcome("FLOOR", "passed", "roc_auc is 0.9500 and must be at least 0.9.", 0.95, 0.9)
PASSED_CHAMPION = make_outcome("CHAMPION", "passed", "The gain lies in [0.01, 0.04].", 0.0251, 0.0, 0.01, 0.04)
REFUSED_CHAMPION = make_outcome(
    "CHAMPION", "refused", "The gain lies in [-0.04, -0.01]; ask @ada | <b>", -0.0251, 0.0, -0.04, -0.01
)
NO_CHAMPION = make_outcome("CHAMPION", "not applicable", "There is no champion yet.")


SLICES = (
    Slice(name="mean_radius in [11.7, 13.4)", rows=43, challenger=0.91, champion=0.95, loss=0.04, low=-0.01, high=0.09),
    Slice(name="kind = b", rows=60, challenger=0.97, champion=0.96, loss=-0.01),
)
SLICES_WITHOUT_CHAMPION = tuple(
    each.model_copy(update={"champion": None, "loss": None, "low": None, "high": None}) for each in SLICES
)
EXPLANATION = FlipExplanation(
    of="malignant", unit="log-odds",
    reasons=(Contribution(column="worst_radius", contribution=-4.1234),
             Contribution(column="mean_texture", contribution=0.25)),
)  # fmt: skip
FLIPS = Flips(
    rule="champion and challenger predict different labels", rows=171, count=7, rate=7 / 171, better=5, worse=2,
    examples=(
        Flip(key="BC-0039", truth="malignant", champion="malignant", champion_probability=0.85, challenger="benign",
             challenger_probability=0.98, challenger_why=EXPLANATION),
    ),
)  # fmt: skip
SAME_DATA = DataChanges(
    same=True, rows_before=569, rows_after=569, share_new=0.0, added=(), removed=(), retyped={}, target=(), shifts=(),
    unknown=None,
)  # fmt: skip
PROPOSED_WORSE = ProposedVersion(
    side=make_version("2", 0.93), beaten=True, message="The gain lies in [0.01, 0.03].", value=0.02
)
DETAILS = {"slices": SLICES, "slices_measured": 117, "flips": FLIPS, "data": SAME_DATA}


def compare(
    gate: Outcome,
    champion: ComparedVersion | None,
    challenger: ComparedVersion,
    *,
    is_same: bool = False,
    **details: Any,
) -> Comparison:
    """Return a comparison with two gates."""
    verdict = "champion" if is_same else "refuse" if gate.verdict == "refused" else "promote"
    without_champion = {**DETAILS, "slices": SLICES_WITHOUT_CHAMPION, "flips": None, "data": None}
    defaults = {"rival": None, **(DETAILS if champion else without_champion)}
    return Comparison(
        verdict=verdict, metric="roc_auc", rows=171, holdout="sha256:3", challenger=challenger, champion=champion,
        baseline={"roc_auc": 0.5, "log_loss": 0.6931}, gates=(PASSED_FLOOR, gate), **{**defaults, **details},
    )  # fmt: skip


NO_CONTRIBUTION = FlipExplanation(of=None, unit="progression", reasons=())
CONTRIBUTIONS = FlipExplanation(of=None, unit="progression", reasons=(Contribution(column="bmi", contribution=48.25),))


def regression_comparison() -> Comparison:
    """Return a comparison of regressors, on data that changed."""
    figures: list[dict[str, Any]] = [{"r2": 0.42, "rmse": 55.0}, {"r2": 0.35, "rmse": 59.0}]
    flips = Flips(
        rule="the number moves by more than 7.7, a tenth of the target's standard deviation in the held-out rows",
        rows=133, count=80, rate=80 / 133, better=50, worse=30,
        examples=(Flip(key="P-7", truth=151.0, champion=99.123456, champion_probability=None, challenger=148.5,
                       challenger_probability=None, champion_why=NO_CONTRIBUTION, challenger_why=CONTRIBUTIONS),),
    )  # fmt: skip
    shift = ColumnShift(column="bmi", psi=0.312, chance=0.12,
                        largest=FigureChange(what="bmi ≥ 33.1", unit="share", before=0.1, after=0.31))  # fmt: skip
    small = ColumnShift(column="sex", psi=0.004, chance=0.02,
                        largest=FigureChange(what="sex < 2", unit="share", before=0.53, after=0.5))  # fmt: skip
    data = DataChanges(
        same=False, rows_before=442, rows_after=900, share_new=0.51, added=("s7",), removed=("s1",),
        retyped={"age": ("int64", "float64")}, shifts=(shift, small), unknown=None,
        target=(FigureChange(what="mean", unit="number", before=152.13, after=161.0),
                FigureChange(what="standard deviation", unit="number", before=None, after=80.2)),
    )  # fmt: skip
    one = Slice(name="sex = 1", rows=70, challenger=0.4, champion=0.3, loss=-0.1)
    champion = make_version("1", None, OLDER, metrics=figures[1])
    challenger = make_version("2", None, metrics=figures[0])
    comparison = compare(
        PASSED_CHAMPION, champion, challenger, flips=flips, data=data, slices=(one,), slices_measured=1
    )
    return comparison.model_copy(update={"metric": "r2", "baseline": {"r2": 0.0, "rmse": 77.0}, "rows": 133})


BAD = (
    "|</summary></details><script>@ada #1 `x` <!-- **b** [l](javascript:x) https://evil.example www.evil.example"
    "\u202e\n# h\\"
)


def hostile_comparison(repeat: int = 1) -> Comparison:
    """Return a comparison with hostile text wherever text comes from data."""
    bad = BAD * repeat
    explanation = FlipExplanation(of=bad, unit=bad, reasons=(Contribution(column=bad, contribution=1.0),) * 3)
    flip = Flip(key=bad, truth=bad, champion=bad, champion_probability=0.5, challenger=bad, challenger_probability=None,
                champion_why=explanation)  # fmt: skip
    moved = FigureChange(what=bad, unit="share", before=0.5, after=0.25)
    data = DataChanges(
        same=False, rows_before=1, rows_after=2, share_new=None, added=(bad,) * repeat, removed=(bad,) * repeat,
        retyped={bad: (bad, bad)}, target=(moved,) * repeat, unknown=bad,
        shifts=(ColumnShift(column=bad, psi=0.5, chance=0.1, largest=moved),) * 5,
    )  # fmt: skip
    part = Slice(name=bad, rows=30, challenger=0.5, champion=0.6, loss=0.1)
    flips = Flips(rule=bad, rows=9, count=9, rate=1, better=1, worse=1, examples=(flip,) * 5)
    proposed = PROPOSED_WORSE.model_copy(update={"message": bad})
    gate = make_outcome("CHAMPION", "refused", bad, 0.0, 0.0)
    older = OLDER.model_copy(update={"python": bad, "libraries": {bad: bad}})
    champion, challenger = make_version("1", 0.9, older), make_version("2", 0.8)
    return compare(gate, champion, challenger, rival=proposed, slices=(part,) * 8, flips=flips, data=data)


PROPOSED_STAYS = PROPOSED_WORSE.model_copy(update={"beaten": False, "message": "The gain lies in [-0.01, 0.03]."})
REPORTS = {
    "first": compare(NO_CHAMPION, None, make_version("1", 0.95)),
    "better": compare(PASSED_CHAMPION, make_version("1", 0.925, OLDER), make_version("2", 0.95)),
    "worse": compare(REFUSED_CHAMPION, make_version("2", 0.95), make_version("3", 0.925)),
    "not-a-number": compare(REFUSED_CHAMPION, make_version("2", 0.95, own_code=True), make_version("3", None)),
    "already": compare(PASSED_CHAMPION, make_version("2", 0.95), make_version("2", 0.95), is_same=True),
    "proposed-worse": compare(PASSED_CHAMPION, make_version("1", 0.9), make_version("3", 0.95), rival=PROPOSED_WORSE),
    "proposed-stays": compare(PASSED_CHAMPION, make_version("1", 0.9), make_version("3", 0.95), rival=PROPOSED_STAYS),
    "regression": regression_comparison(),
    "hostile": hostile_comparison(),
}


def count_elements(markdown: str) -> Counter[str]:
    """Return the numbers of start tags, end tags and comments in the rendered Markdown."""
    elements: Counter[str] = Counter()

    class ElementCounter(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            elements[tag] += 1

        def handle_endtag(self, tag: str) -> None:
            elements[f"/{tag}"] += 1

        def handle_comment(self, data: str) -> None:
            elements["comment"] += 1

    ElementCounter(convert_charrefs=True).feed(MARKDOWN.render(markdown))
    return elements


def with_harmless_text(comparison: Comparison) -> dict[str, Any]:
    """Return the comparison with a harmless word in place of the hostile text."""
    return dict(json.loads(json.dumps(comparison.model_dump(mode="json")).replace(json.dumps(BAD)[1:-1], "word")))
