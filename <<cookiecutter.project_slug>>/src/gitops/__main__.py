# machinery
"""`python -m gitops` is `gitops`."""

from gitops.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
