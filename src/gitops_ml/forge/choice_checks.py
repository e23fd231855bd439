"""Checks of `gitops doctor` on the variables and secrets that workflows read: runners, timeouts, and who gets what."""

import difflib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from gitops_ml.config import FILE, Config, load_config
from gitops_ml.doctor_checks import CheckResult, check, ok, problem, warning
from gitops_ml.errors import ForgeError
from gitops_ml.forge import repository_settings
from gitops_ml.forge.github import GitHub
from gitops_ml.forge.github_checks import RemoteRepository
from gitops_ml.job_secrets import TABLE, jobs_by_workflow

SETTINGS = "Settings > Secrets and variables > Actions"
HINT = f"Look under {SETTINGS}, with `gitops docs configuration`. A job's token may not read them; the owner's may."
WORKFLOWS, LOGIN = ".github/workflows", ".github/actions/login/action.yml"
READ_BY_WORKFLOWS = re.compile(r"\bvars\.(\w+_(?:RUNNER|TIMEOUT))\b")
CHOICE = re.compile(r"\w+_(?:RUNNER|TIMEOUT)")
MAX_MINUTES = 7200  # five days, GitHub's limit for a self-hosted runner
CREDENTIALS = ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN")
# Names of which one has no effect without the other.
PAIRS = (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("GITOPS_APP_ID", "GITOPS_APP_PRIVATE_KEY"))


@check("RUNNERS", fallback=HINT)
def runners(repository: RemoteRepository) -> CheckResult:
    """Every variable that chooses a runner or a timeout has a value that GitHub accepts."""
    values = {name: value for name, value in fetch_variables(repository.github).items() if CHOICE.fullmatch(name)}
    known = set(READ_BY_WORKFLOWS.findall(_read_workflows(repository.root)))
    faults = [fault for name, value in sorted(values.items()) if name in known and (fault := find_fault(name, value))]
    unknown = [_describe_unknown(name, known) for name in sorted(values.keys() - known)]
    if faults:
        return problem(f"{' '.join(faults)} {SETTINGS} > Variables: change the value, or delete the variable.")
    if unknown:
        return warning(f"{' '.join(unknown)} {SETTINGS} > Variables: rename or delete it.")
    return ok(f"Set: {', '.join(f'{name} = {value}' for name, value in sorted(values.items())) or 'none'}.")


@check("SECRETS", fallback=HINT)
def secrets(repository: RemoteRepository) -> CheckResult:
    """The secrets that model.toml needs are set."""
    config, places = load_config(repository.root / FILE), _fetch_places(repository.github)
    workflows, login = _read_workflows(repository.root), _read(repository.root / LOGIN)
    missing = [
        _describe_missing(name, reason, workflows)
        for name, reason in _needed(config)
        if name not in places and name not in login
    ]
    if missing:
        return problem(f"{' '.join(missing)} {SETTINGS} > Secrets.")
    incomplete = " ".join(_find_incomplete(places))
    if incomplete:
        return warning(f"{incomplete} {SETTINGS}.")
    return ok(f"Set, and given to these jobs: {_describe_set(places) or 'none'}.")


def find_fault(name: str, value: str) -> str:
    """Return what is wrong with the value of a variable, and what is allowed; empty if GitHub accepts it.

    Args:
        name: Name of the variable, which ends with _RUNNER or _TIMEOUT.
        value: Value of the variable.
    """
    if name.endswith("_TIMEOUT"):
        if re.fullmatch(r"[1-9]\d*", value) and int(value) <= MAX_MINUTES:
            return ""
        return (
            f"{name} is {value!r}, which ends every run before its job starts. It must be whole minutes from 1 to "
            f"{MAX_MINUTES}, such as 120."
        )
    if _is_label(value) if not value.startswith("[") else _is_list(value):
        return ""
    return (
        f"{name} is {value!r}, for which GitHub finds no runner. It must be one label, such as gpu, or a JSON list of "
        'labels that one runner has, such as ["self-hosted", "gpu"].'
    )


def _is_label(value: object) -> bool:
    """Return whether a value can be the label of a runner."""
    return isinstance(value, str) and bool(re.fullmatch(r"[\w.-][\w. -]*", value)) and value == value.strip()


def _is_list(value: str) -> bool:
    """Return whether a value is a JSON list of labels."""
    try:
        labels = json.loads(value)
    except ValueError:
        return False
    return bool(labels) and all(map(_is_label, labels))


def _describe_unknown(name: str, known: set[str]) -> str:
    similar = difflib.get_close_matches(name, sorted(known), n=1)
    return f"No job reads {name}." + (f" Perhaps you meant {similar[0]}." if similar else "")


def fetch_variables(github: GitHub) -> dict[str, str]:
    """Return the variables that workflows see before a job starts; the repository's win over the organization's.

    Args:
        github: The repository.

    Raises:
        ForgeError: GitHub cannot be reached, or refuses.
    """
    paths = ("/actions/organization-variables", "/actions/variables")
    return {item["name"]: item["value"] for path in paths for item in _fetch(github, path, "variables")}


def _fetch_places(github: GitHub) -> dict[str, str]:
    """Return where each secret and variable is set: empty for the repository, or the names of environments."""
    variables = dict.fromkeys(fetch_variables(github), "")
    names = [item["name"] for path in ("/actions/organization-secrets", "/actions/secrets")
             for item in _fetch(github, path, "secrets")]  # fmt: skip
    of_environments: dict[str, list[str]] = {}
    for environment in sorted(repository_settings.fetch_environments(github)):
        for item in _fetch(github, f"/environments/{quote(environment, safe='')}/secrets", "secrets"):
            of_environments.setdefault(item["name"], []).append(environment)
    return {name: ", ".join(found) for name, found in of_environments.items()} | variables | dict.fromkeys(names, "")


def _fetch(github: GitHub, path: str, key: str) -> Iterator[dict[str, str]]:
    """Yield the items of a list; a user's repository has no organization that shares something."""
    try:
        yield from github.paginate(path, key=key, per_page=30)
    except ForgeError as error:
        if error.status != 404 or "organization" not in path:
            raise


def _needed(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the secrets that model.toml needs, each with the reason."""
    if config.data.query:
        yield config.data.url_env, "[data] has a query"
    if config.ingest.source == "sql":
        yield config.ingest.url_env, '[ingest] has source = "sql"'
    if config.image.signers:
        yield "GITOPS_SIGNING_KEY", "[image] names signers"


def _describe_missing(name: str, reason: str, workflows: str) -> str:
    if re.search(rf"\b{re.escape(name)}:", workflows):
        return f"{reason}, but the secret {name} is not set: add it."
    return f"{reason}, but no workflow gives {name} to a job: use a name of `gitops docs configuration`, and add it."


def _find_incomplete(places: dict[str, str]) -> Iterator[str]:
    """Yield sentences about secrets that have no effect without another one."""
    credentials = [name for name in CREDENTIALS if name in places]
    if credentials and "MLFLOW_TRACKING_URI" not in places:
        yield f"{', '.join(credentials)} is set without MLFLOW_TRACKING_URI, so the store is the branch."
    for pair in PAIRS:
        present = [name for name in pair if name in places]
        if len(present) == 1:
            yield f"{present[0]} is set without {next(name for name in pair if name not in places)}."


def _describe_set(places: dict[str, str]) -> str:
    """Return the secrets and variables of the table that are set, each with its jobs."""
    return ". ".join(
        f"{secret.name}{f' (environment {places[secret.name]})' if places[secret.name] else ''}: "
        f"{jobs_by_workflow(secret.jobs)}"
        for secret in TABLE
        if secret.name in places
    )


def _read_workflows(root: Path) -> str:
    """Return the text of all workflows of the clone."""
    return "\n".join(_read(file) for file in sorted((root / WORKFLOWS).glob("*.y*ml")))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.is_file() else ""


CHECKS = (runners, secrets)
