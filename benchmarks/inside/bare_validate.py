"""Validate a whole file, for comparison with gitops validate: bare_validate.py REPOSITORY FILE."""

import importlib
import sys

import pandas as pd


def main(root: str, file: str) -> None:
    """Read the whole file and validate it with the repository's schema."""
    sys.path.insert(0, f"{root}/src")
    schema = importlib.import_module("bench.schema").Schema.to_schema()
    schema.validate(pd.read_csv(file), lazy=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
