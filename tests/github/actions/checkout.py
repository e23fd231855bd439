"""Stands in for actions/checkout: the same refs in the same places, from the local server."""

import base64
import os
import re
import subprocess
from pathlib import Path

from github.actions.given import fail, inputs, say, truth, workspace

SHA = re.compile(r"[0-9a-f]{40}")


def main() -> None:
    """Fetch what is asked for, and check it out."""
    asked = inputs()
    folder = workspace() / asked["path"]
    folder.mkdir(parents=True, exist_ok=True)
    server = os.environ["GITHUB_SERVER_URL"]
    _git(folder, "init", "--quiet")
    _git(folder, "remote", "add", "origin", f"{server}/{os.environ['GITHUB_REPOSITORY']}")
    _git(folder, "config", "--local", "gc.auto", "0")
    login = base64.b64encode(f"x-access-token:{asked['token']}".encode()).decode()
    header = (f"http.{server}/.extraheader", f"AUTHORIZATION: basic {login}")
    _git(folder, "config", "--local", *header)
    _fetch(folder, asked)
    if not truth(asked["persist-credentials"]):
        _git(folder, "config", "--local", "--unset-all", header[0])
    _git(folder, "log", "-1", "--format=%H")


def _fetch(folder: Path, asked: dict[str, str]) -> None:
    """Fetch one commit into the place where GitHub has it, or everything, and check it out."""
    ref, sha = _wanted(asked["ref"])
    depth = int(asked["fetch-depth"])
    if depth == 0:
        _git(folder, *FETCH, "--prune", "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
    shallow = [f"--depth={depth}"] if depth else []
    _git(folder, *FETCH, *shallow, "origin", *_specs(ref, sha))
    _git(folder, "checkout", "--force", *_place(folder, ref, sha))


FETCH = ("-c", "protocol.version=2", "fetch", "--no-tags", "--no-recurse-submodules", "--quiet")


def _wanted(ref: str) -> tuple[str, str]:
    """The ref and the commit to fetch; a ref that is given has no commit yet, a commit no ref."""
    if not ref:
        return os.environ["GITHUB_REF"], os.environ["GITHUB_SHA"]
    return ("", ref) if SHA.fullmatch(ref) else (ref, "")


def _remote(ref: str) -> str:
    """Where a fetched ref lies."""
    if ref.startswith("refs/heads/"):
        return f"refs/remotes/origin/{ref.removeprefix('refs/heads/')}"
    return ref.replace("refs/pull/", "refs/remotes/pull/", 1)


def _specs(ref: str, sha: str) -> list[str]:
    """What to ask the server for."""
    if not ref:
        return [sha]
    if not ref.startswith("refs/"):
        return [f"+refs/heads/{ref}*:refs/remotes/origin/{ref}*", f"+refs/tags/{ref}*:refs/tags/{ref}*"]
    return [f"+{sha or ref}:{_remote(ref)}"]


def _place(folder: Path, ref: str, sha: str) -> list[str]:
    """What to check out: a branch as a branch, all else detached."""
    if not ref:
        return ["--detach", sha]
    if not ref.startswith("refs/"):
        ref = _qualified(folder, ref)
    if ref.startswith("refs/heads/"):
        return ["-B", ref.removeprefix("refs/heads/"), _remote(ref)]
    return ["--detach", _remote(ref)]


def _qualified(folder: Path, name: str) -> str:
    """A short name in full: a branch, else a tag."""
    for ref in (f"refs/heads/{name}", f"refs/tags/{name}"):
        if _git(folder, "rev-parse", "--verify", "--quiet", _remote(ref), may_fail=True) == 0:
            break
    else:
        fail(f"A branch or tag with the name '{name}' could not be found")
    return ref


def _git(folder: Path, *arguments: str, may_fail: bool = False) -> int:
    """Run Git, and end the step if it fails."""
    code = subprocess.run(["git", *arguments], cwd=folder, check=False, env=_unprompted()).returncode
    if code and not may_fail:
        say(" ".join(["git", *(word for word in arguments if "AUTHORIZATION" not in word)]))
        fail(f"The process 'git' failed with exit code {code}")
    return code


def _unprompted() -> dict[str, str]:
    """An environment in which Git asks nobody for a password."""
    return {**os.environ, "GIT_TERMINAL_PROMPT": "0"}


if __name__ == "__main__":
    main()
