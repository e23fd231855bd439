"""A GitHub on this machine, for the tests and the offline demo.

Its two halves share `model.py`: the server (`server.py`: a real Git remote, the REST operations that the library uses,
and HTML pages) and the runner (`runner/`, `actions/`), which receives events and runs workflows.

It implements GitHub's rules for tokens, grants, events that start nothing, pull requests, rulesets, statuses,
dispatches, releases, deployments and environments with reviewers, with GitHub's messages. Every request and response is
checked against GitHub's own OpenAPI document (`openapi.json`, pruned by `prune.py`).

It does not implement: forks, teams and organisations, milestones, assignees, reactions, review comments on lines, draft
pull requests' own rules, files of releases, the events of deployments, wait timers, branch policies and teams as
reviewers of environments, auto-merge, merge queues, webhooks, GraphQL, Git LFS, packages, secret scanning,
conditional requests, real rate limits (only those that a test requests), and operations that
`routing.declared_routes()` does not list: these return 404 and are recorded in `violations`.
"""
