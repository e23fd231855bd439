"""Run `gitops` as `python -m gitops_ml`."""

from gitops_ml.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
