"""Refuse an invalid answer with a message that shows a valid one; change nothing."""

import sys

if not getattr(sys.flags, "safe_path", False):
    sys.path.pop(0)  # the working directory, which may contain a file called json.py
if sys.version_info < (3, 11):
    sys.exit(
        "The template needs Python 3.11 or newer, and this cookiecutter runs on %d.%d. Install cookiecutter for a "
        "newer Python: pipx install --python python3.12 cookiecutter" % sys.version_info[:2]
    )

import json
import keyword
import re

ANSWERS = json.loads(r"""<<cookiecutter|jsonify>>""")

OWNER = r"[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,38}"
TEXT = r'[^"\\<>\x00-\x1f]'
RULES = {
    "project_name": (
        rf"(?=.{{1,60}}$){TEXT}*\w{TEXT}*",
        "at most 60 characters without double quotes, backslashes or angle brackets, such as 'Tumour Screening'",
    ),
    "project_slug": (
        r"(?=.{1,100}$)[a-z][a-z0-9]*(?:-[a-z0-9]+)*",
        "lower-case words joined by hyphens, at most 100 characters, such as 'tumour-screening'",
    ),
    "package_name": (
        r"(?=.{1,100}$)[a-z][a-z0-9]*(?:_[a-z0-9]+)*",
        "lower-case words joined by underscores, at most 100 characters, such as 'tumour_screening'",
    ),
    "description": (
        f"(?=.{{0,350}}$){TEXT}*",
        "one line of at most 350 characters, without double quotes, backslashes or angle brackets, such as 'Finds "
        "tumours early.'",
    ),
    "github_owner": (OWNER, "a GitHub user or organisation, such as 'octocat'"),
    "maintainer": (
        rf"{OWNER}(?:/[a-z0-9][a-z0-9._-]*)?",
        "a GitHub user or team without the @, such as 'octocat' or 'octo-org/data-science'",
    ),
    "task": ("classification|regression", "'classification' or 'regression'"),
    "python_version": (r"3\.1[123]", "'3.11', '3.12' or '3.13'"),
}
RESERVED = {"gitops", "gitops_ml", "tests", "data", "registry", "deploy", "docs"}


def error_message(name: str, answer: str) -> "str | None":
    """Return the error message for an answer; None if the answer is valid."""
    pattern, requirement = RULES[name]
    if not re.fullmatch(pattern, answer):
        return f"{name} is {answer!r}, but must be {requirement}."
    if name != "package_name":
        return None
    hint = f"choose another, such as '{answer}_model'"
    if keyword.iskeyword(answer) or keyword.issoftkeyword(answer):
        return f"package_name is {answer!r}, a keyword of Python; {hint}."
    if answer in sys.stdlib_module_names:
        return f"package_name is {answer!r}, a module of Python's standard library; {hint}."
    if answer in RESERVED:
        return f"package_name is {answer!r}, a name that the generated repository uses; {hint}."
    return None


for message in filter(None, (error_message(name, ANSWERS[name]) for name in RULES)):
    sys.exit(message)
