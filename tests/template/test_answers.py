"""Template answers that are accepted, and answers that are refused in one sentence."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from cookiecutter.exceptions import FailedHookException

from module_names import find_module_names
from repositories import TEMPLATE, bake

QUESTIONS = ("project_name", "project_slug", "package_name", "description", "github_owner", "maintainer", "task",
             "python_version")  # fmt: skip

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

REFUSED = {
    "slug with capitals": ({"project_slug": "My-Model"}, "such as 'tumour-screening'"),
    "slug with a space": ({"project_slug": "my model"}, "such as 'tumour-screening'"),
    "slug that leaves the folder": ({"project_slug": "../escape"}, "such as 'tumour-screening'"),
    "empty slug": ({"project_slug": "-"}, "such as 'tumour-screening'"),
    "package with a hyphen": ({"package_name": "my-model"}, "such as 'tumour_screening'"),
    "package that starts with a digit": ({"package_name": "2nd"}, "such as 'tumour_screening'"),
    "package that is a keyword": ({"package_name": "class"}, "such as 'class_model'"),
    "package that is a soft keyword": ({"package_name": "match"}, "such as 'match_model'"),
    "package of the standard library": ({"package_name": "statistics"}, "such as 'statistics_model'"),
    "package that the library had": ({"package_name": "gitops"}, "such as 'gitops_model'"),
    "package of a dependency": ({"package_name": "mlflow"}, "such as 'mlflow_model'"),
    "package with the module of a dependency": ({"package_name": "sklearn"}, "such as 'sklearn_model'"),
    "slug of 101 letters": ({"project_slug": "a" * 101}, "at most 100 characters"),
    "package of 300 letters": ({"package_name": "a" * 300}, "at most 100 characters"),
    "description of 3,000 letters": ({"description": "a" * 3000}, "at most 350 characters"),
    "empty owner": ({"github_owner": ""}, "such as 'octocat'"),
    "owner with an @": ({"github_owner": "@octocat"}, "such as 'octocat'"),
    "owner with a slash": ({"github_owner": "a/b", "maintainer": "octocat"}, "such as 'octocat'"),
    "maintainer with an @": ({"maintainer": "@octocat"}, "such as 'octocat'"),
    "name with a double quote": ({"project_name": 'The "best"'}, "such as 'Tumour Screening'"),
    "name that is too long": ({"project_name": "x" * 300}, "such as 'Tumour Screening'"),
    "description with a backslash": ({"description": "a\\b"}, "such as 'Finds tumours early.'"),
    "description of two lines": ({"description": "a\nb"}, "such as 'Finds tumours early.'"),
    "description with a tag": ({"description": "<b>bold</b>"}, "such as 'Finds tumours early.'"),
}


@pytest.mark.parametrize("answers", SUPPORTED.values(), ids=SUPPORTED)
def test_a_good_answer_gives_a_repository(tmp_path: Path, answers: dict[str, str]) -> None:
    """The repository is generated, its files parse, and it records the answers."""
    root = bake(tmp_path, **answers)
    tomllib.loads((root / "model.toml").read_text())
    tomllib.loads((root / "pyproject.toml").read_text())
    kept = json.loads((root / ".cookiecutter.json").read_text())
    assert kept["answers"].items() >= answers.items()
    assert tuple(kept["answers"]) == QUESTIONS


@pytest.mark.parametrize(("answers", "good"), REFUSED.values(), ids=REFUSED)
def test_a_bad_answer_is_refused_in_one_sentence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], answers: dict[str, str], good: str
) -> None:
    """The sentence names the answer and shows a good one; nothing is left behind."""
    with pytest.raises(FailedHookException):
        bake(tmp_path, **answers)
    name = next(iter(answers))
    (sentence,) = (line for line in "".join(capfd.readouterr()).splitlines() if line.startswith(f"{name} is "))
    assert good in sentence
    assert list(tmp_path.iterdir()) == []


def test_the_list_of_modules_is_that_of_the_lock() -> None:
    """`make lock` writes it."""
    assert (TEMPLATE / "hooks" / "modules.txt").read_text() == find_module_names()


def test_an_unknown_task_is_refused_by_name(tmp_path: Path) -> None:
    """cookiecutter itself checks the choices."""
    command = [
        sys.executable,
        "-m",
        "cookiecutter",
        "--no-input",
        "-o",
        str(tmp_path),
        str(TEMPLATE),
        "task=clustering",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "clustering" in done.stdout + done.stderr
    assert "classification" in done.stdout + done.stderr


def test_there_are_at_most_eight_questions_and_each_is_a_sentence() -> None:
    """Each question ends with a question mark; the other variables are private."""
    asked = json.loads((TEMPLATE / "cookiecutter.json").read_text())
    questions = [name for name in asked if not name.startswith("_")]
    prompts = {name: p if isinstance(p, str) else p["__prompt__"] for name, p in asked["__prompts__"].items()}
    assert tuple(questions) == QUESTIONS
    assert all(prompts[name].endswith("?") for name in questions)


def test_it_greets_with_the_next_three_commands(tmp_path: Path) -> None:
    """The last lines of the output are the commands to run."""
    command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", str(tmp_path), str(TEMPLATE)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in output.splitlines() if line.startswith("  ")] == ["cd", "make", "git"]
