"""Git remote: `git http-backend` behind GitHub's rules on tokens."""

import gzip
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from . import access, pushes, rules
from .errors import ApiError
from .git import ZERO, clean_environment
from .hub import Hub
from .model import Token

HOOK = Path(__file__).with_name("pre_receive.py")


@dataclass(frozen=True)
class GitRequest:
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
        """Name of the Git service: git-upload-pack for fetches, git-receive-pack for pushes."""
        return "git-receive-pack" if "git-receive-pack" in f"{self.rest}?{self.query}" else "git-upload-pack"

    @property
    def writes(self) -> bool:
        """Return whether the request can change refs."""
        return self.rest == "git-receive-pack"


def install_hook(hub: Hub) -> None:
    """Install the pre-receive hook."""
    hook = hub.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\nexec '{sys.executable}' -I -S '{HOOK}'\n")
    hook.chmod(0o755)


def authorize(hub: Hub, token: Token | None, service: str) -> None:
    """Raise an error with the message that Git shows, if a Git client is not allowed."""
    pushing = service == "git-receive-pack"
    if token is None:
        if pushing or hub.settings.private:
            raise ApiError(401, "Authentication required", headers={"WWW-Authenticate": 'Basic realm="GitHub"'})
        return
    if pushing and not access.has_grant(hub, token, "contents=write"):
        raise ApiError(403, f"Permission to {hub.repository}.git denied to {token.login}.")
    if hub.settings.private and not access.has_grant(hub, token, "contents=read"):
        # GitHub hides the repository from a token that may not read it.
        raise ApiError(404, "Repository not found.")


def serve(hub: Hub, token: Token | None, request: GitRequest) -> tuple[int, dict[str, str], bytes]:
    """Return the status, headers and body of the response; changes of a push are processed first."""
    authorize(hub, token, request.service)
    body = gzip.decompress(request.body) if request.encoding == "gzip" else request.body
    if not request.writes or token is None:
        return _backend(hub, token, request, body, {})
    with hub.locked():
        before = hub.git.refs()
        response = _backend(hub, token, request, body, {"LOCAL_GITHUB_RULES": _rules(hub, token, body)})
        pushes.process_changes(hub, token, before)
    return response


def _rules(hub: Hub, token: Token, body: bytes) -> str:
    refs = {
        ref: rules.push_violations(hub, token, ref, old == ZERO, new == ZERO, new)
        for old, new, ref in parse_commands(body)
    }
    is_guarded = token.kind == "actions" or (token.kind == "app" and token.permissions.get("workflows") != "write")
    return json.dumps({"workflows": is_guarded, "refs": refs, "page": f"{hub.html_url}/rules"})


def parse_commands(body: bytes) -> list[tuple[str, str, str]]:
    """Return the old commit, new commit and name of each ref of a push: the packet lines before the first flush."""
    commands, offset = [], 0
    while (size := int(body[offset : offset + 4] or b"0", 16)) >= 4:
        fields = body[offset + 4 : offset + size].partition(b"\0")[0].decode().strip().split(" ", 2)
        if len(fields) == 3:
            commands.append((fields[0], fields[1], fields[2]))
        offset += size
    return commands


def _backend(
    hub: Hub, token: Token | None, request: GitRequest, body: bytes, env: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    variables = {
        "GIT_PROJECT_ROOT": str(hub.folder),
        "GIT_HTTP_EXPORT_ALL": "1",
        "PATH_INFO": f"/{hub.name}.git/{request.rest}",
        "REQUEST_METHOD": request.method,
        "QUERY_STRING": request.query,
        "CONTENT_TYPE": request.content_type,
        "CONTENT_LENGTH": str(len(body)),
        "GIT_PROTOCOL": request.protocol,
        "REMOTE_USER": token.login if token else "",
        "REMOTE_ADDR": "127.0.0.1",
    }
    done = subprocess.run(
        ["git", "http-backend"],
        input=body,
        env={**clean_environment(), **variables, **env},
        check=False,
        capture_output=True,
    )
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
    return int(headers.pop("Status", "200").split()[0]), headers, rest
