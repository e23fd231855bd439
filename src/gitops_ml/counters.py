"""Names of the metrics that a server exposes at /metrics; monitoring and the alert rules read them.

Prometheus' text format adds `_total` to the name of a counter. All metrics have the label `version`.
"""

FEATURES = "gitops_features"  # rows by `column` and `bin`: index of the bin, in the order of bins.bin_counts()
PREDICTIONS = "gitops_predictions"  # predictions by `bin`, the index as above
WITHIN = "within"  # label beside each `bin`: text that describes the bin
ROWS = "gitops_rows"  # rows predicted
REQUESTS = "gitops_requests"  # responses, by `path` and `status`
ERRORS = "gitops_errors"  # refused or failed requests, by `code`
SECONDS = "gitops_request_seconds"  # histogram of the duration of requests, by `path`
LOGGED = "gitops_log_rows"  # rows written to the prediction log, by `kind`: predictions or outcomes
DROPPED = "gitops_log_dropped_rows"  # rows dropped, for the queue was full or writing failed, by `kind`
LOST = "gitops_log_lost_rows"  # rows that earlier servers on this machine ended without writing, by `kind`
INFO = "gitops_model_info"  # the model, by `version`, `digest` and `release`
# Gauges of the reference, for alert rules, which have no file of it; the prediction has no label `column`.
REFERENCE = "gitops_reference_rows"  # rows of the reference by `column`, `bin` and `within`, as above
CHANCE = "gitops_reference_chance"  # by `column`: drift that chance may cause, times the rows of a window
