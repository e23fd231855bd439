"""A GitHub on this machine, for the tests and for the offline demonstration.

Two halves meet in `model.py`: the server (`server.py`: a real Git remote, the REST calls that we use, pages for
people) and the runner (`runner/`, `actions/`), which hears of events and runs workflows.

What it keeps: GitHub's rules on tokens, grants, events that start nothing, pull requests, rulesets, statuses,
dispatches, releases, deployments and environments that wait for a reviewer, in GitHub's words; and GitHub's own
OpenAPI (`openapi.json`, pruned by `prune.py`), against which every request and every answer is checked.

What it leaves out: forks, teams and organisations, milestones, assignees, reactions, review comments on lines, draft
pull requests' own rules, files of releases, the events of deployments, wait timers, branch policies and teams as
reviewers of environments, auto-merge, merge queues, webhooks, GraphQL, Git LFS, packages, secret scanning,
conditional requests, real rate limits (only those that a test asks for), and whatever `routing.declared()` does not
list: a call of it is answered with 404 and noted in `violations`.
"""
