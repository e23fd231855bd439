"""Answers that the template takes."""

SUPPORTED = {
    "every default": {},
    "regression": {"task": "regression"},
    "an apostrophe and an accent": {"project_name": "Ada's Modèle"},
    "one word": {"project_name": "Churn"},
    "digits": {"project_slug": "model-2", "package_name": "model_2"},
    "no description": {"description": ""},
    "three single quotes": {"description": "It's '''quoted'''."},
    "a team as maintainer": {"github_owner": "octo-org", "maintainer": "octo-org/data-science"},
    "the newest Python": {"python_version": "3.13"},
}
