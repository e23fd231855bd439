"""Greet with the next three commands; change nothing."""

print("""
<<cookiecutter.project_slug>> is ready. Next:

  cd <<cookiecutter.project_slug>> && git init -b main && git add -A && git commit -m "Start from the template"
  make setup       # Python packages from hash-pinned locks, into .venv
  make loop        # validate, train, register, compare and promote, on this machine
""")
