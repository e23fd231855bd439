"""`python -m gitops` is `gitops`."""

from gitops_ml.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
