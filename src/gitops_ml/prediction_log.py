"""Layout of the prediction log in its sink: Parquet files by day, which servers write and commands read.

`predictions/day=2026-01-31/<writer>-<batch>.parquet`: the columns below, then each feature of the model under its own
name, except those that model.toml leaves out. `outcomes/day=2026-01-31/<writer>-<batch>.parquet`: the request, the row
in it, the outcome, and the time when it arrived. The id of a request and the number of a row in it identify a row.
"""

# Variable of servers that run a smoke test only: their requests are no traffic, and are not logged.
SMOKE_TEST = "GITOPS_TRIAL"

PREDICTIONS, OUTCOMES = "predictions", "outcomes"
DAY_PREFIX = "day="  # prefix of the folder of a day (UTC) when rows were written

REQUEST = "gitops_request"  # text: id of the request
ROW = "gitops_row"  # integer: index of the row in the request, from 0
TIME = "gitops_time"  # UTC timestamp
VERSION = "gitops_version"  # text: version as in the labels of /metrics
PREDICTION = "gitops_prediction"  # prediction: a label as text, or a number
MONITORED = "gitops_watched"  # monitored value of bins.monitored_values(): a number or a label
OUTCOME = "gitops_outcome"  # outcome, which arrives later: a label as text, or a number
