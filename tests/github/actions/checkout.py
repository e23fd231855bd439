"""Stand-in for actions/checkout: the same refs under the same names, from the local server."""

import base64
import os
import re
import subprocess
from pathlib import Path

from github.actions.toolkit import boolean_input, fail, inputs, print_line, workspace

SHA = re.compile(r"[0-9a-f]{40}")


def main() -> None:
    """Fetch the requested commit, and check it out."""
    options = inputs()
    folder = workspace() / options["path"]
    folder.mkdir(parents=True, exist_ok=True)
    server = os.environ["GITHUB_SERVER_URL"]
    _git(folder, "init", "--quiet")
    _git(folder, "remote", "add", "origin", f"{server}/{os.environ['GITHUB_REPOSITORY']}")
    _git(folder, "config", "--local", "gc.auto", "0")
    login = base64.b64encode(f"x-access-token:{options['token']}".encode()).decode()
    header = (f"http.{server}/.extraheader", f"AUTHORIZATION: basic {login}")
    _git(folder, "config", "--local", *header)
    _fetch(folder, options)
    if not boolean_input(options["persist-credentials"]):
        _git(folder, "config", "--local", "--unset-all", header[0])
    _git(folder, "log", "-1", "--format=%H")


def _fetch(folder: Path, options: dict[str, str]) -> None:
    """Fetch one commit to GitHub's ref, or all refs, and check it out."""
    ref, sha = _ref_and_commit(options["ref"])
    depth = int(options["fetch-depth"])
    if depth == 0:
        _git(folder, *FETCH, "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    shallow = [f"--depth={depth}"] if depth else []
    _git(folder, *FETCH, *shallow, "origin", *_refspecs(ref, sha))
    _git(folder, "checkout", "--force", *_checkout_target(folder, ref, sha))


FETCH = ("-c", "protocol.version=2", "fetch", "--no-tags", "--no-recurse-submodules", "--quiet")


def _ref_and_commit(ref: str) -> tuple[str, str]:
    """Return the ref and the commit to fetch; with an explicit ref the commit is empty, with a commit the ref."""
    if not ref:
        return os.environ["GITHUB_REF"], os.environ["GITHUB_SHA"]
    return ("", ref) if SHA.fullmatch(ref) else (ref, "")


def _remote_ref(ref: str) -> str:
    """Return the local name of a fetched ref."""
    if ref.startswith("refs/heads/"):
        return f"refs/remotes/origin/{ref.removeprefix('refs/heads/')}"
    return ref.replace("refs/pull/", "refs/remotes/pull/", 1)


def _refspecs(ref: str, sha: str) -> list[str]:
    """Return the refspecs to fetch."""
    if not ref:
        return [sha]
    if not ref.startswith("refs/"):
        return [f"+refs/heads/{ref}*:refs/remotes/origin/{ref}*", f"+refs/tags/{ref}*:refs/tags/{ref}*"]
    return [f"+{sha or ref}:{_remote_ref(ref)}"]


def _checkout_target(folder: Path, ref: str, sha: str) -> list[str]:
    """Return the arguments of `git checkout`: a branch as a branch, all else detached."""
    if not ref:
        return ["--detach", sha]
    if not ref.startswith("refs/"):
        ref = _qualified(folder, ref)
    if ref.startswith("refs/heads/"):
        return ["-B", ref.removeprefix("refs/heads/"), _remote_ref(ref)]
    return ["--detach", _remote_ref(ref)]


def _qualified(folder: Path, name: str) -> str:
    """Return the full name of a branch, or else of a tag."""
    for ref in (f"refs/heads/{name}", f"refs/tags/{name}"):
        if _git(folder, "rev-parse", "--verify", "--quiet", _remote_ref(ref), may_fail=True) == 0:
            break
    else:
        fail(f"A branch or tag with the name '{name}' could not be found")
    return ref


def _git(folder: Path, *arguments: str, may_fail: bool = False) -> int:
    """Run Git, and end the step if it fails."""
    code = subprocess.run(["git", *arguments], cwd=folder, check=False, env=_environment_without_prompt()).returncode
    if code and not may_fail:
        print_line(" ".join(["git", *(argument for argument in arguments if "AUTHORIZATION" not in argument)]))
        fail(f"The process 'git' failed with exit code {code}")
    return code


def _environment_without_prompt() -> dict[str, str]:
    """Return an environment in which Git never asks for a password."""
    return {**os.environ, "GIT_TERMINAL_PROMPT": "0"}


if __name__ == "__main__":
    main()
