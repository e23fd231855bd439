"""The Git remote: `git http-backend` behind GitHub's rules on tokens."""

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import access, pushes, rules
from .errors import RefusedError
from .git import ZERO, around
from .hub import Hub
from .model import Token

HOOK = Path(__file__).with_name("gatekeeper.py")


@dataclass(frozen=True)
class Wanted:
    """One request of a Git client."""

    method: str
    rest: str
    query: str
    content_type: str
    encoding: str
    protocol: str
    body: bytes

    @property
    def service(self) -> str:
        """Whether it fetches or pushes."""
        return "git-receive-pack" if "git-receive-pack" in f"{self.rest}?{self.query}" else "git-upload-pack"

    @property
    def writes(self) -> bool:
        """Whether refs may move."""
        return self.rest == "git-receive-pack"


def install(hub: Hub) -> None:
    """Let Git ask the gatekeeper before it accepts a push."""
    hook = hub.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I -S '{HOOK}'\n")
    hook.chmod(0o755)


def allow(hub: Hub, token: Token | None, service: str) -> None:
    """Let a Git client pass, or refuse it in the words that Git will show."""
    pushing = service == "git-receive-pack"
    if token is None:
        if pushing or hub.settings.private:
            raise RefusedError(401, "Authentication required", headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
        return
    if pushing and not access.granted(hub, token, "contents=write"):
        raise RefusedError(403, f"Permission to {hub.repository}.git denied to {token.login}.")
    if hub.settings.private and not access.granted(hub, token, "contents=read"):
        # A token that may not read is told that there is nothing to read.
        raise RefusedError(404, "Repository not found.")


def serve(hub: Hub, token: Token | None, wanted: Wanted) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the answer; a push is settled before it is given."""
    allow(hub, token, wanted.service)
    body = gzip.decompress(wanted.body) if wanted.encoding == "gzip" else wanted.body
    if not wanted.writes or token is None:
        return _backend(hub, token, wanted, body, {})
    with hub.changing():
        before = hub.git.refs()
        answer = _backend(hub, token, wanted, body, {"LOCAL_GITHUB_RULES": _rules(hub, token, body)})
        pushes.settle(hub, token, before)
    return answer


def _rules(hub: Hub, token: Token, body: bytes) -> str:
    refs = {
        ref: rules.refusals(hub, token, ref, old == ZERO, new == ZERO, new) for old, new, ref in commands(body)
    }  # fmt: skip
    guarded = token.kind == "actions" or (token.kind == "app" and token.permissions.get("workflows") != "write")
    return json.dumps({"workflows": guarded, "refs": refs, "page": f"{hub.page}/rules"})


def commands(body: bytes) -> list[tuple[str, str, str]]:
    """Old, new and name of each ref that a push wants to move: the packet lines before the first flush."""
    found, at = [], 0
    while (size := int(body[at : at + 4] or b"0", 16)) >= 4:
        words = body[at + 4 : at + size].partition(b"\0")[0].decode().strip().split(" ", 2)
        if len(words) == 3:
            found.append((words[0], words[1], words[2]))
        at += size
    return found


def _backend(
    hub: Hub, token: Token | None, wanted: Wanted, body: bytes, env: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    variables = {
        "GIT_PROJECT_ROOT": str(hub.folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{hub.name}.git/{wanted.rest}",
        "REQUEST_METHOD": wanted.method,
        "QUERY_STRING": wanted.query,
        "CONTENT_TYPE": wanted.content_type,
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": wanted.protocol,
        "REMOTE_USER": token.login if token else "",
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"], input=body, env={**around(), **variables, **env}, check=False, capture_output=True
    )  # fmt: skip
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    return int(headers.pop("Status", "200").split()[0]), headers, rest
