"""Render a template in the way cookiecutter does, but without hooks, prompts and files of the user's home."""

import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gitops_ml import git, wheel
from gitops_ml.errors import ConfigError
from gitops_ml.updating.file_owners import ANSWERS

HOOK = "hooks/pre_gen_project.py"
# The hook contains this text, which cookiecutter replaces by the answers.
PLACEHOLDER = "<<cookiecutter|jsonify>>"


def read_answers(root: Path, revision: str) -> dict[str, str]:
    """Return the answers that a commit records.

    Args:
        root: Root of the clone.
        revision: Commit.

    Raises:
        ConfigError: The file is missing, or it does not have the answers.
    """
    text = git.read_file(root, revision, ANSWERS)
    if text is None:
        raise ConfigError(
            f"{ANSWERS} is missing at main. It has the answers that this repository was generated with, and an update "
            "needs them.",
            f"Restore it from Git (`git log -- {ANSWERS}`), commit it to main, and run the command again.",
        )
    try:
        answers = json.loads(text)["answers"]
        if not isinstance(answers, dict) or not all(isinstance(each, str) for each in answers.values()):
            raise TypeError("answers must be texts")
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{ANSWERS} at main cannot be read: {error}.",
            f"Restore it from Git (`git log -- {ANSWERS}`), commit it to main, and run the command again.",
        ) from error
    return answers


def unpack(template: bytes, folder: Path) -> Path:
    """Unpack the archive of a template, and return its folder.

    Args:
        template: Content of the zip archive.
        folder: Empty or missing folder.
    """
    with zipfile.ZipFile(io.BytesIO(template)) as archive:
        archive.extractall(folder)
        files = {entry.filename: archive.read(entry) for entry in archive.infolist() if not entry.is_dir()}
    for name, content in wheel.expand_locks(files).items():
        if content != files[name]:
            (folder / name).write_bytes(content)
    return folder


def check_answers(template: Path, answers: Mapping[str, str]) -> None:
    """Check answers by the rules of the template's hook.

    Args:
        template: Folder of the template.
        answers: Answers to all questions.

    Raises:
        ConfigError: An answer is not allowed; the message is the hook's.
    """
    program = (template / HOOK).read_text(encoding="utf-8").replace(PLACEHOLDER, json.dumps(dict(answers)))
    done = subprocess.run([sys.executable, "-I", "-"], input=program, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise _not_allowed((done.stderr.strip().splitlines() or ["no message"])[-1])


def render(template: Path, answers: Mapping[str, str], folder: Path) -> Path:
    """Render a template.

    Args:
        template: Folder of the template.
        answers: Answers; questions without one get their default, and answers to unknown questions are ignored.
        folder: Folder for the rendered repository.

    Returns:
        Root of the rendered repository.

    Raises:
        ConfigError: An answer is not among the choices of its question.
    """
    context, root = _context(template, answers), str(template)
    # cookiecutter's main() reads and writes files in the user's home; these functions do not.
    from cookiecutter.generate import generate_files

    context["cookiecutter"] |= {"_template": root, "_output_dir": str(folder), "_repo_dir": root, "_checkout": None}
    return Path(generate_files(root, context, str(folder), accept_hooks=False))


def _context(template: Path, answers: Mapping[str, str]) -> dict[str, Any]:
    from cookiecutter.generate import generate_context
    from cookiecutter.prompt import prompt_for_config

    try:
        context: dict[str, Any] = generate_context(str(template / "cookiecutter.json"), extra_context=dict(answers))
    except ValueError as error:  # a choice that the template no longer has
        raise _not_allowed(str(error)) from error
    context["cookiecutter"] |= prompt_for_config(context, no_input=True)
    return context


def _not_allowed(reason: str) -> ConfigError:
    return ConfigError(
        f"An answer in {ANSWERS} is no longer allowed: {reason.rstrip('.')}.",
        f"Change the answer in {ANSWERS} on main, commit, and run the command again.",
    )
