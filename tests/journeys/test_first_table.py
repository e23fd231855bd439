"""A table of one's own, by the recipe of `gitops docs own-data`: from the repository to its first deployment."""

import csv
import random
import re
from pathlib import Path

import requests

from container_engine import free_port
from fast_setup import skip_setup_and_checks
from github.contributor import start_github
from hub_fixture import BRANCH, assert_green
from repositories import bake, replace_in_file, run

ROWS = 600
PACKAGE = "src/tumour_screening"
# What the recipe changes in model.toml.
MODEL_TOML = {
    'path = "data/breast_cancer.csv"': 'path = "data/churn.csv"',
    'key = "sample_id"': 'missing = ["", "NA"]\ntrue = ["Yes"]\nfalse = ["No"]\nkey = "Customer ID"',
    'target = "diagnosis"': 'target = "Churn"',
    'positive = "malignant"': "positive = true",
    '\n[split]\nmethod = "hash"\ncolumn = "sample_id"': '\n[data.dates]\n"Signed up" = "%d/%m/%Y"\n\n'
    '[split]\nmethod = "hash"\ncolumn = "Customer ID"',
    "roc_auc = 0.9": "roc_auc = 0.7",
    "attributes = []": 'attributes = ["Sex"]',
}
SCHEMA = '''"""The schema of one row of data, as pandera checks it."""

import pandera.pandas as pa


class Schema(pa.DataFrameModel):
    """One row of training data; a request to the model has the same columns without the target."""

    class Config:
        """Columns that the schema does not name are refused; values are coerced to the types below."""

        strict = True
        coerce = True

    customer: str = pa.Field(alias="Customer ID", unique=True)
    signed_up: pa.DateTime = pa.Field(alias="Signed up")
    sex: str = pa.Field(alias="Sex", isin=["F", "M"])
    contract: str = pa.Field(alias="Contract", isin=["One year", "Two year", "Month-to-month"], nullable=True)
    tenure: int = pa.Field(alias="Tenure (months)", ge=0)
    monthly: float = pa.Field(alias="Monthly (EUR)", ge=0, nullable=True)
    paperless: bool = pa.Field(alias="Paperless")
    churn: bool = pa.Field(alias="Churn")
'''
FEATURES = '''"""The feature step of the pipeline."""

from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["Tenure (months)", "Monthly (EUR)", "Paperless"]
CATEGORIES = ["Contract"]


def features() -> ColumnTransformer:
    """Return the step that scales NUMBERS and encodes CATEGORIES; other columns are dropped."""
    numbers = ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS)
    categories = ("categories", OneHotEncoder(handle_unknown="ignore"), CATEGORIES)
    return ColumnTransformer([numbers, categories])
'''

# A request, as the table has its cells.
ROW = {
    "Signed up": "27/08/2019", "Sex": "F", "Contract": "NA", "Tenure (months)": 3, "Monthly (EUR)": "NA",
    "Paperless": "Yes",
}  # fmt: skip


def write_table(file: Path) -> None:
    """Write customers: categories, NA, dates that are not ISO, Yes and No, and a column that defines groups."""
    draw = random.Random(15)  # noqa: S311 (nothing secret is drawn)
    with file.open("w", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["Customer ID", "Signed up", "Sex", "Contract", "Tenure (months)", "Monthly (EUR)",
                        "Paperless", "Churn"])  # fmt: skip
        for number in range(ROWS):
            contract, tenure = draw.choice(["One year", "Two year", "Month-to-month"]), draw.randrange(72)
            monthly, paperless = round(draw.uniform(20, 120), 2), draw.random() < 0.5
            score = 2 * (contract == "Month-to-month") - tenure / 18 + monthly / 30 + paperless + draw.gauss(0, 0.8)
            signed_up = f"{draw.randrange(1, 29):02}/{draw.randrange(1, 13):02}/{draw.randrange(2017, 2024)}"
            table.writerow([
                f"C{number:05}", signed_up, draw.choice("FM"), contract if draw.random() > 0.05 else "NA", tenure,
                monthly if draw.random() > 0.1 else "NA", "Yes" if paperless else "No", "Yes" if score > 1.5 else "No",
            ])  # fmt: skip


def follow_recipe(clone: Path) -> None:
    """Replace the sample by the table, in the order of `gitops docs own-data`."""
    write_table(clone / "data" / "churn.csv")
    (clone / "data" / "breast_cancer.csv").unlink()
    replace_in_file(clone / "model.toml", MODEL_TOML)
    (clone / PACKAGE / "schema.py").write_text(SCHEMA)
    (clone / PACKAGE / "features.py").write_text(FEATURES)


def test_a_table_of_ones_own_is_promoted_and_deployed(
    fast_machine: dict[str, str], tmp_path: Path, state: Path
) -> None:
    """The first push has the table; its pull request is merged, and the version passes its smoke test and serves."""
    clone = bake(tmp_path)
    skip_setup_and_checks(clone / "Makefile")
    replace_in_file(clone / "model.toml", {'kind = "none"': 'kind = "process"', "port = 8080": f"port = {free_port()}"})
    follow_recipe(clone)
    run(clone, "git", "init", "--quiet", "--initial-branch", "main")
    run(clone, "git", "add", "--all")
    run(clone, "git", "commit", "--quiet", "--message", "Our own data")
    with start_github(tmp_path, clone, env=fast_machine | {"GITOPS_STATE": str(state)}) as github:
        github.push("Our own data")
        assert_green(github.wait_for_runs(), "ci.yml", "train.yml")
        proposed = github.record(BRANCH)
        assert proposed["figure"]["value"] > 0.7
        assert "Signed up" in proposed["columns"]
        assert "No version was ever promoted" in github.pull["body"]
        github.merge(github.pull["number"])
        ended = github.wait_for_runs()
        assert_green(ended, "deploy.yml")
        url = re.search(
            r"(http://127\.0\.0\.1:\d+) serves it", "".join(job.log for job in ended["deploy.yml"].jobs.values())
        )
        assert url
        served = requests.get(f"{url[1]}/metadata", timeout=30).json()
        assert served["version"] == proposed["version"] == github.record("main")["version"]
        answer = requests.post(f"{url[1]}/predict", json=[ROW], timeout=30)
        assert (answer.status_code, len(answer.json()["predictions"])) == (200, 1), answer.text
        assert github.hub.violations == []
