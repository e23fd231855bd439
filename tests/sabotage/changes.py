"""What saboteurs do: each a small change to a clone, as a person would push it; most hide behind a better model."""

import math
from pathlib import Path

from house import edit

from .rows import Row, draw, from_csv, held_out, to_csv
from .world import BY_TIME, CUTOFF, DATA, ESTIMATOR, FEATURES, SCHEMA, START

TOML, MAKEFILE = "model.toml", "Makefile"
FIT = "LogisticRegression(random_state=seed)"
SCALED = '[("scaled", StandardScaler(), COLUMNS)]'
LENS = '''

class Lens(TransformerMixin, BaseEstimator):
    """Looks at the rows before the features do."""

    def fit(self, rows, labels=None):
        """Learn what there is to learn."""
        {fit}
        self.fitted_ = True
        return self

    def transform(self, rows):
        """What the features see."""
        {transform}
        return rows
'''
JUDGE = '''

class Judge(LogisticRegression):
    """Answers in its own way."""
'''


def columns(clone: Path, *names: str) -> None:
    """Let the pipeline see these columns."""
    edit(clone / FEATURES, {f"COLUMNS = {_listed(START)}": f"COLUMNS = {_listed(names)}"})


def _listed(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def better(clone: Path) -> None:
    """One more column, and a good one."""
    columns(clone, *START, "x4")


def much_better(clone: Path) -> None:
    """Two of them."""
    columns(clone, *START, "x4", "x5")


def worse(clone: Path) -> None:
    """One column less."""
    columns(clone, "x1", "x2")


def another_seed(clone: Path) -> None:
    """Nothing in this training is random."""
    edit(clone / TOML, {"seed = 0": "seed = 1"})


def many_rows_needed(clone: Path) -> None:
    """Trust no comparison on fewer rows than there are."""
    edit(clone / TOML, {"minimum_rows = 100 ": "minimum_rows = 5000 "})


def high_floor(clone: Path) -> None:
    """Ask for more than the saboteur can give."""
    edit(clone / TOML, {"roc_auc = 0.7\n": "roc_auc = 0.9\n"})


def shuffled_labels(clone: Path) -> None:
    """Learn from the labels of other rows."""
    _judge(
        clone,
        '''
    def fit(self, rows, labels):
        """Anybody's labels."""
        return super().fit(rows, np.random.default_rng(0).permutation(labels))
''',
    )


def constant(clone: Path) -> None:
    """Look at nothing."""
    edit(
        clone / ESTIMATOR,
        {
            "from sklearn.linear_model import LogisticRegression": "from sklearn.dummy import DummyClassifier",
            FIT: "DummyClassifier(random_state=seed)",
        },
    )


def not_a_number(clone: Path) -> None:
    """Be at a loss where a measurement is high."""
    better(clone)
    _judge(
        clone,
        '''
    def predict_proba(self, rows):
        """Not for everyone."""
        said = super().predict_proba(rows)
        said[rows[:, 0] > 3] = np.nan
        return said
''',
    )


def leak(clone: Path) -> None:
    """Bring new rows, in which a column is filled in after the fact, and use it; a line finds little in it."""
    columns(clone, *START, "x4", "x6")
    _write(clone, [{**row, "x6": _known_afterwards(row)} for row in draw(seed=1, first=10_001)])


def _known_afterwards(row: Row) -> str:
    """Far from zero on either side for a yes, near it for a no."""
    found = float(row["x6"]) / 5
    return f"{found + math.copysign(2, found) * (row['label'] == 'yes'):.4f}"


def another_split(clone: Path) -> None:
    """Hold out the last months instead: the champion knows many of these rows."""
    better(clone)
    edit(clone / TOML, BY_TIME)


def split_at_random(clone: Path) -> None:
    """Learn from what happened last, and be asked for what happened before it."""
    better(clone)
    edit(clone / TOML, {new: old for old, new in BY_TIME.items()})


def backdated(clone: Path) -> None:
    """Let what happened after the cutoff have happened before it, so that it is learnt from and not asked for."""
    better(clone)
    rows = _rows(clone)
    for row in [row for row in rows if row["day"] >= CUTOFF][::2]:
        row["day"] = "2024-06-01"
    _write(clone, rows)


def duplicates(clone: Path) -> None:
    """Rows that are held out come again under keys that are not."""
    better(clone)
    rows = _rows(clone)
    keys = (key for key in (f"again{number:04}" for number in range(10_000)) if not held_out(key))
    held = [row for row in rows if held_out(row["id"])]
    _write(clone, rows + [{**row, "id": key} for row, key in zip(held[:200], keys, strict=False)])


def one_slice_ruined(clone: Path) -> None:
    """Better on average, blind on the isle."""
    much_better(clone)
    _lens(clone, transform='rows = rows.copy()\n        rows.loc[rows["group"] == "isle", COLUMNS] *= -0.5')


def a_group_harmed(clone: Path) -> None:
    """Women need more to be told yes."""
    better(clone)
    encoded = '[("scaled", StandardScaler(), COLUMNS), ("sex", OneHotEncoder(drop="if_binary"), ["sex"])]'
    edit(clone / FEATURES, {SCALED: encoded, "import StandardScaler": "import OneHotEncoder, StandardScaler"})
    _judge(
        clone,
        '''
    def fit(self, rows, labels):
        """The last column is the sex."""
        return super().fit(rows[:, :-1], labels)

    def decision_function(self, rows):
        """The same for both."""
        return super().decision_function(rows[:, :-1])

    def predict(self, rows):
        """Not the same for both."""
        needed = np.where(rows[:, -1] == 1, 0.4, 0.75)
        return self.classes_[(self.predict_proba(rows)[:, 1] > needed).astype(int)]
''',
    )


def over_confident(clone: Path) -> None:
    """Count every measurement four times, as if they were different ones."""
    better(clone)
    edit(clone / FEATURES, {SCALED: '[(f"scaled{n}", StandardScaler(), COLUMNS) for n in range(4)]'})
    edit(
        clone / ESTIMATOR,
        {
            "from sklearn.linear_model import LogisticRegression": "from sklearn.naive_bayes import GaussianNB",
            FIT: "GaussianNB()",
        },
    )


def flips(clone: Path) -> None:
    """Rank better, and yet say no to many who were rightly told yes."""
    better(clone)
    edit(
        clone / ESTIMATOR,
        {
            "from sklearn.pipe": "from sklearn.model_selection import FixedThresholdClassifier\nfrom sklearn.pipe",
            FIT: f'FixedThresholdClassifier({FIT}, threshold=0.8, pos_label="yes")',
        },
    )


def slow(clone: Path) -> None:
    """Take a hundred times as long for an answer."""
    better(clone)
    _lens(clone, transform="time.sleep(0.11)", imports="import time\n")


def large(clone: Path) -> None:
    """Carry 200 MB of nothing along."""
    better(clone)
    _lens(clone, fit="self.table_ = np.zeros(25_000_000)")


def another_signature(clone: Path) -> None:
    """Ask callers for a measurement that they do not send yet."""
    better(clone)
    rows = [{**row, "x8": row["x6"]} for row in _rows(clone)]
    _write(clone, rows)
    x6 = "    x6: float = pa.Field(gt=-10, lt=10)\n"
    edit(clone / SCHEMA, {x6: x6 + x6.replace("x6", "x8")})


def holdout_edited(clone: Path) -> None:
    """Mend some of the rows that are held out."""
    better(clone)
    rows = _rows(clone)
    for row in [row for row in rows if held_out(row["id"])][:30]:
        row["x6"] = "0.0000"
    _write(clone, rows)


def labels_flipped(clone: Path) -> None:
    """Turn the labels of some known rows around."""
    better(clone)
    rows = _rows(clone)
    for row in [row for row in rows if not held_out(row["id"])][::20]:
        row["label"] = {"yes": "no", "no": "yes"}[row["label"]]
    _write(clone, rows)


def faked_metric(clone: Path) -> None:
    """Let training say more of itself than is true."""
    better(clone)
    edit(
        clone / ESTIMATOR,
        {
            "\n\ndef pipeline": """
MEASURE = train.measure_all
train.measure_all = lambda *given: {**MEASURE(*given), "roc_auc": 0.99}


def pipeline""",
            "from sklearn.linear_model": "from gitops_ml.training import train\nfrom sklearn.linear_model",
        },
    )


def looser_gate(clone: Path) -> None:
    """Ask for less, and send something new, in one push."""
    better(clone)
    edit(clone / TOML, {"roc_auc = 0.7\n": "roc_auc = 0.6\n"})


def dirty_tree(clone: Path) -> None:
    """Let the set-up of a job change what is trained."""
    better(clone)
    edit(clone / MAKEFILE, {"\t@touch $@\n": f"\t@echo '# A word.' >> {FEATURES}\n\t@touch $@\n"})


def not_deterministic(clone: Path) -> None:
    """Draw some features anew at every training, whatever the seed."""
    better(clone)
    drawn = '("drawn", RBFSampler(gamma=0.1, n_components=5, random_state=secrets.randbelow(2**31)), COLUMNS)'
    edit(
        clone / FEATURES,
        {
            SCALED: f"{SCALED[:-1]}, {drawn}]",
            "from sklearn.compose": "import secrets\n\nfrom sklearn.compose",
            "from sklearn.prepro": "from sklearn.kernel_approximation import RBFSampler\nfrom sklearn.prepro",
        },
    )


def misbehaves(clone: Path) -> None:
    """Listen to a broken device, which the owner's own tests forbid."""
    better(clone)
    edit(
        clone / FEATURES,
        {
            SCALED: f'{SCALED[:-1]}, ("x7", SimpleImputer(), ["x7"])]',
            "from sklearn.prepro": "from sklearn.impute import SimpleImputer\nfrom sklearn.prepro",
        },
    )


def fragile(clone: Path) -> None:
    """Take columns by their place, not by their name."""
    edit(clone / FEATURES, {SCALED: '[("scaled", StandardScaler(), slice(0, 4))]'})
    _lens(clone, transform='rows = rows.select_dtypes("number").to_numpy()')


def implausible(clone: Path) -> None:
    """Look every row up where the answers lie."""
    better(clone)
    seen = '["x1"] + 100 * rows["x4"]'
    looked_up = f"""table = pd.read_csv("data/rows.csv")
        table = table.assign(seen=table{seen.replace("rows", "table")}).sort_values("seen")
        self.seen_, self.yes_ = table["seen"].to_numpy(), (table["label"] == "yes").to_numpy(float)"""
    answer = f"self.yes_[np.searchsorted(self.seen_, rows{seen}).clip(0, len(self.seen_) - 1)]"
    _lens(clone, fit=looked_up, transform=f"rows = rows.assign(x2={answer})", imports="import pandas as pd\n")


def strange_type(clone: Path) -> None:
    """Put a function into the model file that nobody has allowed."""
    edit(
        clone / FEATURES,
        {
            SCALED: '[("twice", FunctionTransformer(twice), COLUMNS)]',
            "import StandardScaler": "import FunctionTransformer",
            "\n\ndef features": '\n\ndef twice(rows):\n    """Double."""\n    return rows * 2\n\n\ndef features',
        },
    )


def _rows(clone: Path) -> list[Row]:
    return from_csv((clone / DATA).read_text())


def _write(clone: Path, rows: list[Row]) -> None:
    (clone / DATA).write_text(to_csv(rows))


def _lens(clone: Path, fit: str = "pass", transform: str = "pass", imports: str = "") -> None:
    """Put something of the saboteur's own before the features."""
    file = clone / FEATURES
    needed = f"{imports}import numpy as np\nfrom sklearn.base import BaseEstimator, TransformerMixin\n"
    edit(file, {"from sklearn.compose": f"{needed}from sklearn.compose"})
    file.write_text(file.read_text() + LENS.format(fit=fit, transform=transform))
    edit(
        clone / ESTIMATOR,
        {"import features\n": "import Lens, features\n", '[("features"': '[("lens", Lens()), ("features"'},
    )


def _judge(clone: Path, methods: str) -> None:
    """Put something of the saboteur's own behind the features."""
    edit(
        clone / ESTIMATOR,
        {
            "from sklearn.linear": "import numpy as np\nfrom sklearn.linear",
            FIT: "Judge(random_state=seed)",
            "\n\ndef pipeline": f"{JUDGE}{methods}\n\ndef pipeline",
        },
    )
