"""The local GitHub's Actions: which workflows an event starts, and running their real files with act.

`router.py` hears of events, `execution.py` is one run, `groups.py` keeps the locks, `record.py` reads act's log,
`rewrite.py` makes the copy of the file that act is given, and ../actions stands in for third-party actions.

What it leaves out: called workflows, local and Docker actions, containers and services, environments and their
protection, secrets and variables other than the token, the cache, `run-name`, a lock on a job with a matrix, problem
matchers, annotations, retries, and the limits of GitHub. A workflow that uses one of the first four fails and says so.

Where act differs from GitHub and we let it be:
 - jobs start in stages: a job waits for every job of the stage before, not only for those that it needs;
 - a lock that cancels a job cancels its whole run; a job that is superseded while it waits for a lock ends its run as
   soon as nothing else in it runs, so that `always()` jobs after it do not run;
 - the steps of a cancelled run have 20 seconds, not five minutes, and `always()` jobs after it do not run;
 - `timeout-minutes` of a job counts the wait for its lock, and fractions of a minute are ignored.
"""

from github.runner.router import Runner

__all__ = ["Runner"]
