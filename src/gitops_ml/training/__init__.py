"""The room of learning: read, validate, split, fit, evaluate, compare, judge."""
