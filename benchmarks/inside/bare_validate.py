"""What gitops validate is compared with: bare_validate.py REPOSITORY FILE."""

import importlib
import sys

import pandas as pd


def main(root: str, file: str) -> None:
    """Read the whole file and check it against the repository's schema at once."""
    sys.path.insert(0, f"{root}/src")
    schema = importlib.import_module("bench.schema").Schema.to_schema()
    schema.validate(pd.read_csv(file), lazy=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
