"""Validation: speed and peak memory of `gitops validate`, in comparison with pandas and pandera on the whole file."""

from benchmarks.generated import INSIDE, GeneratedRepository
from benchmarks.process import run, run_repeatedly
from benchmarks.table import Figure, Progress

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

SCHEMA = '''"""Ten columns: text, categories, integers and others."""

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


def measure(generated: GeneratedRepository, sizes: dict[int, int], progress: Progress) -> list[Figure]:
    """Measure each number of rows; both sides are processes that read the same CSV file."""
    root = generated.copy_to("validated")
    (root / "model.toml").write_text(MODEL_TOML, encoding="utf-8")
    (root / "src" / "bench" / "schema.py").write_text(SCHEMA, encoding="utf-8")
    data = root / "data" / "rows.csv"
    figures = []
    for rows, times in sizes.items():
        progress(f"validate {rows:,} rows")
        run(generated.python, INSIDE / "make_rows.py", data, str(rows), cwd=root)
        cost = run_repeatedly(times, generated.gitops, "--project", root, "validate", cwd=root)
        bare = run_repeatedly(times, generated.python, INSIDE / "bare_validate.py", root, data, cwd=root)
        name, against = f"validate {rows:,} rows", "read_csv + pandera, whole"
        speeds = rows / cost.seconds, rows / bare.seconds
        figures.append(Figure(f"{name}: speed", "rows/s", *speeds, against, times))
        figures.append(Figure(f"{name}: peak memory", "B", cost.peak, bare.peak, against, times))
        data.unlink()
    return figures
