"""Comparisons of every kind, and one whose every text would like to be markup."""

import json
from collections import Counter
from html.parser import HTMLParser
from typing import Any

from markdown_it import MarkdownIt

from gitops_ml.config import Split
from gitops_ml.run import Lineage
from gitops_ml.training.compare import Comparison, Side
from gitops_ml.training.flips import Flip, Flips, Reason, Why
from gitops_ml.training.gates import Outcome, Verdict
from gitops_ml.training.rival import Rival
from gitops_ml.training.shifts import Changes, Moved, Shift
from gitops_ml.training.slices import Slice

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


LINEAGE = Lineage(
    commit="a1" * 20, dirty=False, data="sha256:" + "d" * 64, rows=569, holdout="sha256:" + "e" * 64, holdout_rows=171,
    split=Split(method="hash", column="id", holdout=0.3), training="sha256:" + "f" * 64,
    configuration="sha256:" + "0" * 64, lock="sha256:" + "1" * 64, python="3.11.7",
    libraries={"numpy": "2.4.0", "scikit-learn": "1.8.0"},
)  # fmt: skip
OLDER = LINEAGE.model_copy(
    update={"commit": "b2" * 20, "lock": None, "libraries": {"numpy": "2.3.1", "scikit-learn": "1.8.0"}, "rows": 500}
)


def side(version: str, roc_auc: float | None, lineage: Lineage = LINEAGE, **changes: Any) -> Side:
    """A version with its metrics."""
    given = {"metrics": {"roc_auc": roc_auc, "log_loss": 0.25}, "own_code": False, **changes}
    return Side(version=version, digest="sha256:1", training="sha256:2", lineage=lineage, **given)


def outcome(gate: str, verdict: Verdict, message: str, *figures: float) -> Outcome:
    """What a gate said."""
    named = dict(zip(("value", "threshold", "low", "high"), figures, strict=False))
    return Outcome(id=gate, title=f"Promise of {gate}", verdict=verdict, message=message, **named)


PASSED = outcome("FLOOR", "passed", "roc_auc is 0.9500 and must be at least 0.9.", 0.95, 0.9)
WON = outcome("CHAMPION", "passed", "The gain lies in [0.01, 0.04].", 0.0251, 0.0, 0.01, 0.04)
LOST = outcome("CHAMPION", "refused", "The gain lies in [-0.04, -0.01]; ask @ada | <b>", -0.0251, 0.0, -0.04, -0.01)
NONE = outcome("CHAMPION", "not applicable", "There is no champion yet.")


SLICES = (
    Slice(name="mean_radius in [11.7, 13.4)", rows=43, challenger=0.91, champion=0.95, loss=0.04, low=-0.01, high=0.09),
    Slice(name="kind = b", rows=60, challenger=0.97, champion=0.96, loss=-0.01),
)
ALONE = tuple(each.model_copy(update={"champion": None, "loss": None, "low": None, "high": None}) for each in SLICES)
WHY = Why(of="malignant", unit="log-odds", reasons=(Reason(column="worst_radius", contribution=-4.1234),
                                                  Reason(column="mean_texture", contribution=0.25)))  # fmt: skip
FLIPS = Flips(
    rule="the label differs", rows=171, count=7, rate=7 / 171, better=5, worse=2,
    examples=(
        Flip(key="BC-0039", truth="malignant", champion="malignant", champion_probability=0.85, challenger="benign",
             challenger_probability=0.98, challenger_why=WHY),
    ),
)  # fmt: skip
SAME = Changes(
    same=True, rows_before=569, rows_after=569, share_new=0.0, added=(), removed=(), retyped={}, target=(), shifts=(),
    unknown=None,
)  # fmt: skip
RIVAL = Rival(side=side("2", 0.93), beaten=True, message="The gain lies in [0.01, 0.03].", value=0.02)
DETAILS = {"slices": SLICES, "slices_measured": 117, "flips": FLIPS, "data": SAME}


def comparison(
    gate: Outcome, champion: Side | None, challenger: Side, *, same: bool = False, **details: Any
) -> Comparison:
    """A verdict by two gates."""
    verdict = "champion" if same else "refuse" if gate.verdict == "refused" else "promote"
    given = {"rival": None, **(DETAILS if champion else {**DETAILS, "slices": ALONE, "flips": None, "data": None})}
    return Comparison(
        verdict=verdict, metric="roc_auc", rows=171, holdout="sha256:3", challenger=challenger, champion=champion,
        baseline={"roc_auc": 0.5, "log_loss": 0.6931}, gates=(PASSED, gate), **{**given, **details},
    )  # fmt: skip


STILL = Why(of=None, unit="progression", reasons=())
MOVED = Why(of=None, unit="progression", reasons=(Reason(column="bmi", contribution=48.25),))


def regression() -> Comparison:
    """Numbers that move, on data that moved."""
    figures: list[dict[str, Any]] = [{"r2": 0.42, "rmse": 55.0}, {"r2": 0.35, "rmse": 59.0}]
    flips = Flips(
        rule="the number moves by more than 7.7, a tenth of the target's standard deviation", rows=133, count=80,
        rate=80 / 133, better=50, worse=30,
        examples=(Flip(key="P-7", truth=151.0, champion=99.123456, champion_probability=None, challenger=148.5,
                       challenger_probability=None, champion_why=STILL, challenger_why=MOVED),),
    )  # fmt: skip
    shift = Shift(column="bmi", psi=0.312, chance=0.12,
                  largest=Moved(what="bmi ≥ 33.1", unit="share", before=0.1, after=0.31))  # fmt: skip
    small = Shift(column="sex", psi=0.004, chance=0.02,
                  largest=Moved(what="sex < 2", unit="share", before=0.53, after=0.5))  # fmt: skip
    data = Changes(
        same=False, rows_before=442, rows_after=900, share_new=0.51, added=("s7",), removed=("s1",),
        retyped={"age": ("int64", "float64")}, shifts=(shift, small), unknown=None,
        target=(Moved(what="mean", unit="number", before=152.13, after=161.0),
                Moved(what="standard deviation", unit="number", before=None, after=80.2)),
    )  # fmt: skip
    one = Slice(name="sex = 1", rows=70, challenger=0.4, champion=0.3, loss=-0.1)
    found = comparison(WON, side("1", None, OLDER, metrics=figures[1]), side("2", None, metrics=figures[0]),
                       flips=flips, data=data, slices=(one,), slices_measured=1)  # fmt: skip
    return found.model_copy(update={"metric": "r2", "baseline": {"r2": 0.0, "rmse": 77.0}, "rows": 133})


BAD = (
    "|</summary></details><script>@ada #1 `x` <!-- **b** [l](javascript:x) https://evil.example www.evil.example"
    "\u202e\n# h\\"
)


def hostile(repeat: int = 1) -> Comparison:
    """Every text that comes from data wants out."""
    bad = BAD * repeat
    flip = Flip(key=bad, truth=bad, champion=bad, champion_probability=0.5, challenger=bad, challenger_probability=None,
                champion_why=Why(of=bad, unit=bad, reasons=(Reason(column=bad, contribution=1.0),) * 3))  # fmt: skip
    moved = Moved(what=bad, unit="share", before=0.5, after=0.25)
    data = Changes(
        same=False, rows_before=1, rows_after=2, share_new=None, added=(bad,) * repeat, removed=(bad,) * repeat,
        retyped={bad: (bad, bad)}, target=(moved,) * repeat, unknown=bad,
        shifts=(Shift(column=bad, psi=0.5, chance=0.1, largest=moved),) * 5,
    )  # fmt: skip
    part = Slice(name=bad, rows=30, challenger=0.5, champion=0.6, loss=0.1)
    flips = Flips(rule=bad, rows=9, count=9, rate=1, better=1, worse=1, examples=(flip,) * 5)
    rival = RIVAL.model_copy(update={"message": bad})
    gate = outcome("CHAMPION", "refused", bad, 0.0, 0.0)
    older = OLDER.model_copy(update={"python": bad, "libraries": {bad: bad}})
    return comparison(gate, side("1", 0.9, older), side("2", 0.8), rival=rival, slices=(part,) * 8, flips=flips,
                      data=data)  # fmt: skip


STAYS = RIVAL.model_copy(update={"beaten": False, "message": "The gain lies in [-0.01, 0.03]."})
REPORTS = {
    "first": comparison(NONE, None, side("1", 0.95)),
    "better": comparison(WON, side("1", 0.925, OLDER), side("2", 0.95)),
    "worse": comparison(LOST, side("2", 0.95), side("3", 0.925)),
    "not-a-number": comparison(LOST, side("2", 0.95, own_code=True), side("3", None)),
    "already": comparison(WON, side("2", 0.95), side("2", 0.95), same=True),
    "rival-beaten": comparison(WON, side("1", 0.9), side("3", 0.95), rival=RIVAL),
    "rival-stays": comparison(WON, side("1", 0.9), side("3", 0.95), rival=STAYS),
    "regression": regression(),
    "hostile": hostile(),
}


def shape(markdown: str) -> Counter[str]:
    """The elements that a browser sees, by their names, and how many end."""
    seen: Counter[str] = Counter()

    class Browser(HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None:
            seen[tag] += 1

        def handle_endtag(self, tag: str) -> None:
            seen[f"/{tag}"] += 1

        def handle_comment(self, data: str) -> None:
            seen["comment"] += 1

    Browser(convert_charrefs=True).feed(MARKDOWN.render(markdown))
    return seen


def tame(found: Comparison) -> dict[str, Any]:
    """The same comparison, with a harmless word wherever text from data stands."""
    return dict(json.loads(json.dumps(found.model_dump(mode="json")).replace(json.dumps(BAD)[1:-1], "word")))
