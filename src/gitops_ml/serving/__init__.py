"""The room of answers: loads a model file safely and scores rows with it."""
