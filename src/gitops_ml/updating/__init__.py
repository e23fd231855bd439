"""Merge a newer version of library and template into a generated repository.

The older library gets the new one (new_library), and runs the new one's code, which does the rest in an environment of
its own: `python -m gitops_ml.updating`. That code imports no package of training, and does not read model.toml, so that
an invalid one does not prevent an update.
"""
