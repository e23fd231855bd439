"""How the prediction log lies in its sink: Parquet by day, written by servers, read by monitoring and ingestion.

`predictions/day=2026-01-31/<writer>-<batch>.parquet`: the columns below, then each column that the model looks at under
its own name, but for those that model.toml leaves out. `outcomes/day=2026-01-31/<writer>-<batch>.parquet`: the request,
the row in it, the truth, and when it was told. A request and the number of a row in it name a row for ever.
"""

# Set where a version is only tried: what a server is asked then is nobody's traffic, and it keeps no log.
TRIAL = "GITOPS_TRIAL"

PREDICTIONS, OUTCOMES = "predictions", "outcomes"
DAY = "day="  # of the UTC time at which a row was written

REQUEST = "gitops_request"  # text: the request's id
ROW = "gitops_row"  # whole number: the row in the request, from 0
TIME = "gitops_time"  # UTC timestamp
VERSION = "gitops_version"  # text: as /metrics labels it
PREDICTION = "gitops_prediction"  # what was said: a label as text, or a number
WATCHED = "gitops_watched"  # what bins.watched() watches of it: a number or a label
OUTCOME = "gitops_outcome"  # the truth, told later: a label as text, or a number
