"""GitHub Actions of the local GitHub: starts workflows for events, and runs their real files with act.

`router.py` receives events, `execution.py` executes one run, `gates.py` delays jobs before they start, `groups.py` has
the concurrency groups, `job_deployment.py` creates the deployment of a job with an `environment`, `job_log.py` reads
act's log, `rewrite.py` writes the copy of the workflow for act, `local_actions.py` finds the repository's own actions,
and ../actions has the stand-ins for third-party actions.

It does not support: called workflows, actions that are not composite, the job's token in expressions of a local action,
references to one by `$/`, containers and services, secrets and variables of an environment, the cache, `run-name`,
problem matchers, annotations, retries, and the limits of GitHub. A workflow that uses one of the first five fails with
a message.

Known differences between act and GitHub:
 - jobs start in stages: a job waits for every job of the stage before, not only for those that it needs;
 - a lock that cancels a job cancels its whole run; a job that is superseded while it waits for a lock, or rejected
   while it waits for a review, ends its run as soon as nothing else in it runs, so that later `always()` jobs and
   waiting legs of a matrix do not run;
 - a leg of a matrix that fails never cancels the others, as if `fail-fast` were false; the legs share one token; the
   outputs of the job are those of its first leg, not of its last;
 - a review is requested before a lock, and every deployment that is not a success ends as a failure, also that of a
   cancelled or rejected job;
 - the steps of a cancelled run have 20 seconds, not five minutes, and `always()` jobs after it do not run;
 - processes that a step leaves running end with it, unless they have a separate session (and, after the run, unless
   they have emptied RUNNER_TRACKING_ID, as on GitHub);
 - `timeout-minutes` of a job includes the wait for its lock and for a review, and fractions of a minute are ignored.
"""

from github.runner.router import Runner

__all__ = ["Runner"]
