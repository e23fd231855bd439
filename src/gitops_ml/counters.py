"""The counters that a server shows at /metrics, by their names; monitoring and the alert rules read them.

Prometheus' text format adds `_total` to a counter's name. All carry the label `version`.
"""

FEATURES = "gitops_features"  # rows by `column`, and `bin` of the reference: its place, as bins.counted() has it
PREDICTIONS = "gitops_predictions"  # predictions by `bin`, the same
WITHIN = "within"  # what a bin holds, in words; a label beside each `bin`
ROWS = "gitops_rows"  # rows predicted
REQUESTS = "gitops_requests"  # requests answered, by `path` and `status`
ERRORS = "gitops_errors"  # requests refused or failed, by `code`
SECONDS = "gitops_request_seconds"  # a histogram of the time of requests, by `path`
LOGGED = "gitops_log_rows"  # rows written to the prediction log, by `kind`: predictions or outcomes
DROPPED = "gitops_log_dropped_rows"  # rows that it had no room for, or could not write, by `kind`
LOST = "gitops_log_lost_rows"  # rows that servers which ended before this one had not written yet, by `kind`
INFO = "gitops_model_info"  # which model, by `version`, `digest` and `release`
# Gauges of the reference itself, for whoever has no file of it; the prediction is the one without `column`.
REFERENCE = "gitops_reference_rows"  # its rows by `column`, `bin` and `within`, as above
CHANCE = "gitops_reference_chance"  # by `column`: what chance may do to its drift, times the rows of a window
