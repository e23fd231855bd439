"""Validation: rows a second and peak memory of `gitops validate`, against pandas and pandera on the whole."""

from benchmarks.bake import INSIDE, Baked
from benchmarks.process import often, run
from benchmarks.table import Figure, Say

MODEL_TOML = """
[project]
name = "bench"
package = "bench"
task = "classification"

[data]
path = "data/rows.csv"
key = "id"
target = "label"
positive = "yes"
max_mib = 100_000

[split]
method = "hash"
column = "id"
holdout = 0.3

[evaluation]
metric = "roc_auc"
"""

SCHEMA = '''"""Ten columns: text, categories, whole numbers and others."""

import pandera.pandas as pa


class Schema(pa.DataFrameModel):
    """One row."""

    id: str = pa.Field(unique=True)
    note: str
    kind: str = pa.Field(isin=["a", "b", "c"])
    region: str = pa.Field(isin=["north", "east", "south", "west"])
    age: int = pa.Field(ge=0, le=120)
    visits: int = pa.Field(ge=0)
    amount: float = pa.Field(gt=-1_000, lt=1_000)
    score: float = pa.Field(nullable=True)
    share: float = pa.Field(ge=0, le=1)
    label: str = pa.Field(isin=["yes", "no"])

    class Config:
        """Strict and coerced."""

        strict = True
        coerce = True
'''


def measure(baked: Baked, sizes: dict[int, int], say: Say) -> list[Figure]:
    """Each number of rows as often as asked; both sides are whole processes that read the same CSV."""
    root = baked.another("validated")
    (root / "model.toml").write_text(MODEL_TOML, encoding="utf-8")
    (root / "src" / "bench" / "schema.py").write_text(SCHEMA, encoding="utf-8")
    data = root / "data" / "rows.csv"
    figures = []
    for rows, times in sizes.items():
        say(f"validate {rows:,} rows")
        run(baked.python, INSIDE / "make_rows.py", data, str(rows), cwd=root)
        ours = often(times, baked.gitops, "--project", root, "validate", cwd=root)
        bare = often(times, baked.python, INSIDE / "bare_validate.py", root, data, cwd=root)
        what, against = f"validate {rows:,} rows", "read_csv + pandera, whole"
        speeds = rows / ours.seconds, rows / bare.seconds
        figures.append(Figure(f"{what}: speed", "rows/s", *speeds, against, times))
        figures.append(Figure(f"{what}: peak memory", "B", ours.peak, bare.peak, against, times))
        data.unlink()
    return figures
