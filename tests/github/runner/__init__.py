"""The local GitHub's Actions: which workflows an event starts, and running their real files with act.

`router.py` hears of events, `execution.py` is one run, `gates.py` is where its jobs wait before they start, `groups.py`
keeps the locks, `deploying.py` tells the server of a job with an `environment`, `record.py` reads act's log,
`rewrite.py` makes the copy of the file that act is given, `local_actions.py` finds the repository's own actions, and
../actions stands in for third-party ones.

What it leaves out: called workflows, actions that are not composite, the job's token in expressions of a local action,
references to one by `$/`, containers and services, secrets of an environment, variables, the cache, `run-name`, problem
matchers, annotations, retries, and the limits of GitHub. A workflow that uses one of the first five fails and says so.

Where act differs from GitHub and we let it be:
 - jobs start in stages: a job waits for every job of the stage before, not only for those that it needs;
 - a lock that cancels a job cancels its whole run; a job that is superseded while it waits for a lock, or rejected
   while it waits for a person, ends its run as soon as nothing else in it runs, so that `always()` jobs after it, and
   legs of a matrix that wait for it, do not run;
 - a leg of a matrix that fails never cancels the others, as if `fail-fast` were false; the legs share one token; the
   outputs of the job are those of its first leg, not of its last;
 - a person is asked before a lock is asked for, and every deployment that is not a success ends as a failure,
   whatever GitHub may call that of a cancelled or rejected job;
 - the steps of a cancelled run have 20 seconds, not five minutes, and `always()` jobs after it do not run;
 - what a step leaves running ends with it, unless it has a session of its own (and, after the run, unless it has
   emptied RUNNER_TRACKING_ID, as on GitHub);
 - `timeout-minutes` of a job counts the wait for its lock and for a person, and fractions of a minute are ignored.
"""

from github.runner.router import Runner

__all__ = ["Runner"]
