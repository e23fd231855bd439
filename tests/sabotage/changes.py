"""Changes of saboteurs: each is a small change of a clone, as a person would push it; most also improve the model."""

import math
import random
from pathlib import Path

from repositories import replace_in_file

from .rows import Row, draw, from_csv, held_out, to_csv
from .world import BY_TIME, CUTOFF, DATA, ESTIMATOR, FEATURES, SCHEMA, START

TOML, MAKEFILE = "model.toml", "Makefile"
FIT = "LogisticRegression(random_state=seed)"
SCALED = '[("scaled", StandardScaler(), COLUMNS)]'
LENS = '''

class Lens(TransformerMixin, BaseEstimator):
    """A step before the features."""

    def fit(self, rows, labels=None):
        """Fit the step."""
        {fit}
        self.fitted_ = True
        return self

    def transform(self, rows):
        """Return the rows for the features."""
        {transform}
        return rows
'''
JUDGE = '''

class Judge(LogisticRegression):
    """Estimator with other predictions."""
'''


def columns(clone: Path, *names: str) -> None:
    """Let the pipeline use these columns."""
    replace_in_file(clone / FEATURES, {f"COLUMNS = {_listed(START)}": f"COLUMNS = {_listed(names)}"})


def _listed(names: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def better(clone: Path) -> None:
    """Use one more column, which improves the model."""
    columns(clone, *START, "x4")


def much_better(clone: Path) -> None:
    """Use two more columns, which improve the model."""
    columns(clone, *START, "x4", "x5")


def worse(clone: Path) -> None:
    """Use one column less."""
    columns(clone, "x1", "x2")


def another_seed(clone: Path) -> None:
    """Change the seed, on which nothing in this training depends."""
    replace_in_file(clone / TOML, {"seed = 0": "seed = 1"})


def many_rows_needed(clone: Path) -> None:
    """Require more held-out rows than there are."""
    replace_in_file(clone / TOML, {"minimum_rows = 100 ": "minimum_rows = 5000 "})


def latency_limit(clone: Path) -> None:
    """State the longest time of a request."""
    replace_in_file(clone / TOML, {"[gates.floor]": "[gates.latency]\np95_ms = 400\n\n[gates.floor]"})


def other_columns_allowed(clone: Path) -> None:
    """Allow that callers must send other columns."""
    replace_in_file(clone / TOML, {"[gates.floor]": "[gates.signature]\nbreaking = true\n\n[gates.floor]"})


def high_floor(clone: Path) -> None:
    """Set a floor that the saboteur's model cannot reach."""
    replace_in_file(clone / TOML, {"roc_auc = 0.7\n": "roc_auc = 0.9\n"})


def shuffled_labels(clone: Path) -> None:
    """Train on permuted labels."""
    _judge(
        clone,
        '''
    def fit(self, rows, labels):
        """Fit to permuted labels."""
        return super().fit(rows, np.random.default_rng(0).permutation(labels))
''',
    )


def constant(clone: Path) -> None:
    """Predict a constant."""
    replace_in_file(
        clone / ESTIMATOR,
        {
            "from sklearn.linear_model import LogisticRegression": "from sklearn.dummy import DummyClassifier",
            FIT: "DummyClassifier(random_state=seed)",
        },
    )


def not_a_number(clone: Path) -> None:
    """Predict NaN for large values."""
    better(clone)
    _judge(
        clone,
        '''
    def predict_proba(self, rows):
        """Return NaN for some rows."""
        probabilities = super().predict_proba(rows)
        probabilities[rows[:, 0] > 3] = np.nan
        return probabilities
''',
    )


def leak(clone: Path) -> None:
    """Add rows with a column that is computed from the label, and use it; a linear model alone would not detect it."""
    columns(clone, *START, "x4", "x6")
    _write(clone, [{**row, "x6": _known_afterwards(row)} for row in draw(seed=1, first=10_001)])


def _known_afterwards(row: Row) -> str:
    """Values far from zero for the label yes, and near zero for no."""
    found = float(row["x6"]) / 5
    return f"{found + math.copysign(2, found) * (row['label'] == 'yes'):.4f}"


def noisy_leak(clone: Path) -> None:
    """Add a column of the label plus noise, which alone reaches a roc_auc of about 0.97."""
    columns(clone, *START, "x4", "x8")
    chance = random.Random(5)  # noqa: S311 (nothing secret is drawn)
    _write(clone, [{**row, "x8": f"{2.7 * (row['label'] == 'yes') + chance.gauss(0, 1):.4f}"} for row in _rows(clone)])
    x6 = "    x6: float = pa.Field(gt=-10, lt=10)\n"
    replace_in_file(clone / SCHEMA, {x6: x6 + x6.replace("x6", "x8")})


def another_split(clone: Path) -> None:
    """Hold out the last months instead: the champion was trained on many of these rows."""
    better(clone)
    replace_in_file(clone / TOML, BY_TIME)


def split_at_random(clone: Path) -> None:
    """Train on the last rows, and predict earlier ones."""
    better(clone)
    replace_in_file(clone / TOML, {new: old for old, new in BY_TIME.items()})


def backdated(clone: Path) -> None:
    """Change the dates of rows after the cutoff to before it, so that they become training rows."""
    better(clone)
    rows = _rows(clone)
    for row in [row for row in rows if row["day"] >= CUTOFF][::2]:
        row["day"] = "2024-06-01"
    _write(clone, rows)


def duplicates(clone: Path) -> None:
    """Repeat held-out rows under keys that are not held out."""
    better(clone)
    rows = _rows(clone)
    keys = (key for key in (f"again{number:04}" for number in range(10_000)) if not held_out(key))
    held = [row for row in rows if held_out(row["id"])]
    _write(clone, rows + [{**row, "id": key} for row, key in zip(held[:200], keys, strict=False)])


def one_slice_ruined(clone: Path) -> None:
    """Improve the average, and fail on the group isle."""
    much_better(clone)
    _lens(clone, transform='rows = rows.copy()\n        rows.loc[rows["group"] == "isle", COLUMNS] *= -0.5')


def a_group_harmed(clone: Path) -> None:
    """Use a higher threshold for women."""
    better(clone)
    encoded = '[("scaled", StandardScaler(), COLUMNS), ("sex", OneHotEncoder(drop="if_binary"), ["sex"])]'
    replace_in_file(
        clone / FEATURES, {SCALED: encoded, "import StandardScaler": "import OneHotEncoder, StandardScaler"}
    )
    _judge(
        clone,
        '''
    def fit(self, rows, labels):
        """Fit without the last column, the sex."""
        return super().fit(rows[:, :-1], labels)

    def decision_function(self, rows):
        """Return the same scores for both groups."""
        return super().decision_function(rows[:, :-1])

    def predict(self, rows):
        """Use another threshold for each group."""
        needed = np.where(rows[:, -1] == 1, 0.4, 0.75)
        return self.classes_[(self.predict_proba(rows)[:, 1] > needed).astype(int)]
''',
    )


def over_confident(clone: Path) -> None:
    """Count every measurement four times, as if they were different ones."""
    better(clone)
    replace_in_file(clone / FEATURES, {SCALED: '[(f"scaled{n}", StandardScaler(), COLUMNS) for n in range(4)]'})
    replace_in_file(
        clone / ESTIMATOR,
        {
            "from sklearn.linear_model import LogisticRegression": "from sklearn.naive_bayes import GaussianNB",
            FIT: "GaussianNB()",
        },
    )


def flips(clone: Path) -> None:
    """Rank better, but predict no for many rows that the champion correctly predicted as yes."""
    better(clone)
    replace_in_file(
        clone / ESTIMATOR,
        {
            "from sklearn.pipe": "from sklearn.model_selection import FixedThresholdClassifier\nfrom sklearn.pipe",
            FIT: f'FixedThresholdClassifier({FIT}, threshold=0.8, pos_label="yes")',
        },
    )


def slow(clone: Path) -> None:
    """Wait in each prediction."""
    better(clone)
    _lens(clone, transform="time.sleep(0.5)", imports="import time\n")


def large(clone: Path) -> None:
    """Add 200 MB of unused data to the model."""
    better(clone)
    _lens(clone, fit="self.table_ = np.zeros(25_000_000)")


def another_signature(clone: Path) -> None:
    """Require a column that callers do not send yet."""
    better(clone)
    rows = [{**row, "x8": row["x6"]} for row in _rows(clone)]
    _write(clone, rows)
    x6 = "    x6: float = pa.Field(gt=-10, lt=10)\n"
    replace_in_file(clone / SCHEMA, {x6: x6 + x6.replace("x6", "x8")})


def holdout_edited(clone: Path) -> None:
    """Edit some of the held-out rows."""
    better(clone)
    rows = _rows(clone)
    for row in [row for row in rows if held_out(row["id"])][:30]:
        row["x6"] = "0.0000"
    _write(clone, rows)


def labels_flipped(clone: Path) -> None:
    """Invert the labels of some known rows."""
    better(clone)
    rows = _rows(clone)
    for row in [row for row in rows if not held_out(row["id"])][::20]:
        row["label"] = {"yes": "no", "no": "yes"}[row["label"]]
    _write(clone, rows)


def faked_metric(clone: Path) -> None:
    """Let training record a metric that is too good."""
    better(clone)
    replace_in_file(
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
    """Loosen a gate and change the model in one push."""
    better(clone)
    replace_in_file(clone / TOML, {"roc_auc = 0.7\n": "roc_auc = 0.6\n"})


def dirty_tree(clone: Path) -> None:
    """Let the setup of a job change the training code."""
    better(clone)
    replace_in_file(clone / MAKEFILE, {"\t@touch $@\n": f"\t@echo '# A word.' >> {FEATURES}\n\t@touch $@\n"})


def not_deterministic(clone: Path) -> None:
    """Draw random features at every training, without the seed."""
    better(clone)
    drawn = '("drawn", RBFSampler(gamma=0.1, n_components=5, random_state=secrets.randbelow(2**31)), COLUMNS)'
    replace_in_file(
        clone / FEATURES,
        {
            SCALED: f"{SCALED[:-1]}, {drawn}]",
            "from sklearn.compose": "import secrets\n\nfrom sklearn.compose",
            "from sklearn.prepro": "from sklearn.kernel_approximation import RBFSampler\nfrom sklearn.prepro",
        },
    )


def misbehaves(clone: Path) -> None:
    """Use the column of a broken device, which the owner's tests forbid."""
    better(clone)
    replace_in_file(
        clone / FEATURES,
        {
            SCALED: f'{SCALED[:-1]}, ("x7", SimpleImputer(), ["x7"])]',
            "from sklearn.prepro": "from sklearn.impute import SimpleImputer\nfrom sklearn.prepro",
        },
    )


def fragile(clone: Path) -> None:
    """Select columns by position, not by name."""
    replace_in_file(clone / FEATURES, {SCALED: '[("scaled", StandardScaler(), slice(0, 4))]'})
    _lens(clone, transform='rows = rows.select_dtypes("number").to_numpy()')


def implausible(clone: Path) -> None:
    """Look up the label of every row in the data file."""
    _look_up(clone, "{found}")


def plausible(clone: Path) -> None:
    """Look up the label of one row in eight: the gain is no jump."""
    _look_up(clone, 'np.where((rows["x1"] * 10_000).round() % 8 == 0, {found}, rows["x2"])')


def _look_up(clone: Path, value: str) -> None:
    """Replace x2 by a value that may use the label found in the data file."""
    better(clone)
    seen = '["x1"] + 100 * rows["x4"]'
    looked_up = f"""table = pd.read_csv("data/rows.csv")
        table = table.assign(seen=table{seen.replace("rows", "table")}).sort_values("seen")
        self.seen_, self.yes_ = table["seen"].to_numpy(), (table["label"] == "yes").to_numpy(float)"""
    answer = f"self.yes_[np.searchsorted(self.seen_, rows{seen}).clip(0, len(self.seen_) - 1)]"
    _lens(
        clone,
        fit=looked_up,
        transform=f"rows = rows.assign(x2={value.format(found=answer)})",
        imports="import pandas as pd\n",
    )


def untrusted_type(clone: Path) -> None:
    """Put a function into the model file that is not in trusted_types."""
    replace_in_file(
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
    """Insert a step before the features."""
    file = clone / FEATURES
    needed = f"{imports}import numpy as np\nfrom sklearn.base import BaseEstimator, TransformerMixin\n"
    replace_in_file(file, {"from sklearn.compose": f"{needed}from sklearn.compose"})
    file.write_text(file.read_text() + LENS.format(fit=fit, transform=transform))
    replace_in_file(
        clone / ESTIMATOR,
        {"import features\n": "import Lens, features\n", '[("features"': '[("lens", Lens()), ("features"'},
    )


def _judge(clone: Path, methods: str) -> None:
    """Replace the estimator by a subclass with these methods."""
    replace_in_file(
        clone / ESTIMATOR,
        {
            "from sklearn.linear": "import numpy as np\nfrom sklearn.linear",
            FIT: "Judge(random_state=seed)",
            "\n\ndef pipeline": f"{JUDGE}{methods}\n\ndef pipeline",
        },
    )
