"""Greet with the next three commands; change nothing."""

print("""
<<cookiecutter.project_slug>> is ready. Next:

  cd <<cookiecutter.project_slug>> && git init -b main && git add -A && git commit -m "Start from the template"
  make setup && make loop     # try it here: validate, train, register, compare and propose
  git remote add origin https://github.com/<<cookiecutter.github_owner>>/<<cookiecutter.project_slug>>.git && \
git push -u origin main     # to an empty repository there: it trains, and opens a pull request that offers the model
""")
