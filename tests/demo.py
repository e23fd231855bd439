"""`make demo`: generate a repository, push it to a GitHub on this machine, and watch its workflows ship two models,
serve them, and roll one back.

Nothing leaves this machine: the server (tests/github) is a real Git remote with GitHub's rules, and act runs the
repository's own workflow files. What serves is a process of this machine, with or without a container engine: the base
of an image comes from a registry, which nothing on this machine can stand in for.
Every verdict that is told was read from what GitHub and Git hold; when one is not what the story says, the demo stops
and names it. KEEP=1 leaves the server up to look around.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from cookiecutter.main import cookiecutter

import memory
from desk import BETTER, WORSE
from github.model import Job, Run
from github.site import NotInstalled, Site, site, warm_cache

TEMPLATE = Path(__file__).parents[1]
FOLDER = TEMPLATE / ".demo"
DATA = "data/breast_cancer.csv"
STATUS = ".gitops/status.html"
MARKS = {"success": "✓", "failure": "✗", "skipped": "–", "cancelled": "–"}


# Jobs that were told of already, by run and name.
TOLD: set[tuple[int, str]] = set()


class NotAsTold(Exception):
    """Something ended otherwise than the story says."""


def insist(told: bool, what: str) -> None:
    """Stop where the story is not true."""
    if not told:
        raise NotAsTold(what)


def tell(title: str, text: str = "") -> None:
    """A heading and a sentence."""
    print(f"\n{_bold('━' * 100)}\n{_bold(title)}" + (f"\n{text}" if text else ""), flush=True)


def show(text: str) -> None:
    """What somebody sees, a little to the right."""
    print("\n".join(f"    {line}" for line in text.rstrip().splitlines()), flush=True)


def shell(github: Site, *command: str) -> None:
    """What a person types, and what comes of it."""
    print(f"\n{_dim('$')} {_bold(' '.join(command).replace('.venv/bin/', ''))}", flush=True)
    show(github.run(*command))


def push(github: Site, message: str) -> None:
    """Commit and push, as a person does."""
    print(f"\n{_dim('$')} {_bold(f'git commit -am {message!r} && git push')}", flush=True)
    github.push(message)


def watch(github: Site, *, red: tuple[str, ...] = ()) -> dict[str, Run]:
    """Say how each job ends, as it ends, until nothing runs; only the workflows named in `red` may fail."""
    done: dict[str, Run] = {}
    waiting = threading.Thread(target=lambda: done.update(github.settled()))
    waiting.start()
    while waiting.is_alive():
        waiting.join(0.3)
        for run in list(github.server.runs.values()):
            for job in list(run.jobs.values()):
                if job.conclusion and (run.id, job.id) not in TOLD:
                    TOLD.add((run.id, job.id))
                    _job(run, job)
    for name, run in done.items():
        wanted = "failure" if name in red else "success"
        ended = f"{name} ended with {run.conclusion}. {_failed(run)}\n`make demo KEEP=1` keeps the files of all runs."
        insist(run.conclusion in (wanted, "action_required"), ended)
    return done


def _job(run: Run, job: Job) -> None:
    where = f"{run.name} / {job.id}"
    print(f"    {MARKS.get(str(job.conclusion), '?')} {where:<22} {job.seconds:5.1f} s  {_dim(_last(job))}", flush=True)


def _last(job: Job) -> str:
    """The sentence that a job ended with, where it ended with one."""
    said = [line for line in job.log.splitlines() if line.startswith(("Opened", "Refreshed", "Left", "Nothing to",
            "Version ", "Registered", "Accepted", "Alias", "Nothing was", "No image"))]  # fmt: skip
    return said[0][:110] if said else ""


def _failed(run: Run) -> str:
    """How the logs end of jobs that failed."""
    return "\n".join(f"{job.id}:\n{job.log[-1500:]}" for job in run.jobs.values() if job.conclusion == "failure")


def pull_request(github: Site) -> int:
    """Show the open pull request as a reviewer sees it."""
    pull = github.pull
    print(f"\n  {_bold('#' + str(pull['number']) + ' ' + pull['title'])}\n  {pull['html_url']}\n", flush=True)
    show(pull["body"].split("<details>")[0].replace("\\", ""))
    checks = github.statuses(pull["head"]["sha"])
    show(f"Check `required`: {checks[0][1]}")
    insist(checks[0] == ("required", "success"), "CI's status on the pull request is not green.")
    return int(pull["number"])


def verdict(run: Run) -> None:
    """Show the verdict in a run's summary."""
    summary = run.jobs["compare"].summary
    start = summary.index("## ")
    show(summary[start:].split("<details>")[0].replace("\\", ""))


def generate() -> tuple[Path, int]:
    """A repository from the template with every default answer, under Git; and the port where its model will answer."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    root = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(FOLDER)))
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=root, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    toml = root / "model.toml"
    text = toml.read_text().replace('kind = "none"', 'kind = "process"').replace("port = 8080", f"port = {port}")
    toml.write_text(text)
    show(
        f'In model.toml: [targets.production] kind = "process", port = {port}. A container would need a base image '
        "from a registry; the demo asks none, so the model is served by the same runtime as a process."
    )
    return root, port


def ask(port: int, rows: list[dict[str, Any]]) -> str:
    """Ask the model that serves about rows, as anybody would; the version that answered."""
    url = f"http://127.0.0.1:{port}"
    print(f"\n{_dim('$')} {_bold(f'curl {url}/predict -d {json.dumps(rows)[:60]}...')}", flush=True)
    answer = requests.post(f"{url}/predict", json={"rows": rows}, timeout=30)
    insist(answer.ok, f"The model refuses: {answer.text}")
    show(answer.text)
    return str(answer.json()["version"])


def patients(port: int) -> list[dict[str, Any]]:
    """Two rows that the model's own API gives as an example."""
    document = requests.get(f"http://127.0.0.1:{port}/openapi.json", timeout=30).json()
    shown = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    found: list[dict[str, Any]] = shown["examples"]["rows"]["value"]["rows"][:2]
    return found


def spoil(github: Site) -> None:
    """Spoil three values of the data, as a bad export would."""
    file = github.clone / DATA
    lines = file.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], "-17.99", *cells[2:]])
    cells = lines[2].split(",")
    lines[2] = ",".join([*cells[:-1], "unknown"])
    lines[3] = lines[2]
    file.write_text("\n".join(lines) + "\n")


def story(github: Site, port: int) -> None:
    """The loop, from the first push to the second champion, and back."""
    tell("2. Push", f"To {github.server.page}, a GitHub on this machine. Its workflows start.")
    push(github, "Start from the template")
    watch(github)
    tell("3. One pull request offers the first model", "Opened by the workflow Train; CI has checked it.")
    first = pull_request(github)
    tell("4. A person merges it", "The record on main changes; Deploy brings the model up and asks it what it knows.")
    github.merge(first)
    watch(github)
    insist(github.record("main")["version"] == "1", "The record on main does not name version 1.")
    rows = patients(port)
    insist(ask(port, rows) == "1", "Version 1 does not answer.")
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")

    tell("5. A worse model", "Somebody leaves the pipeline a single column.")
    github.choose(WORSE)
    push(github, "Simplify the features")
    ended = watch(github)
    verdict(ended["train.yml"])
    insist(not [pull for pull in github.pulls if pull["state"] == "open"], "A pull request was opened.")
    tell("   ... is not offered", "Train is green: a refusal is a result. No pull request was opened.")

    tell("6. A better model", "Somebody adds what the tumour looks like at its worst.")
    github.choose(BETTER)
    push(github, "Look at the worst cells too")
    watch(github)
    second = pull_request(github)
    insist(second != first, "The better model has no pull request of its own.")

    tell("7. A bad export of the data, in a pull request", "CI checks every row against schema.py.")
    github.run("git", "switch", "--quiet", "--create", "new-data")
    spoil(github)
    github.push("New data", "new-data")
    github.ask("POST", "/pulls", title="New data", head="new-data", base="main")
    ended = watch(github, red=("ci.yml",))
    show(ended["ci.yml"].jobs["data"].summary.replace("\\", ""))
    refused = next(pull for pull in github.pulls if pull["title"] == "New data")
    github.ask("PATCH", f"/pulls/{refused['number']}", state="closed")
    github.run("git", "switch", "--quiet", "main")

    tell("8. The better model is merged", "It comes up beside the old one, is heard, and takes its place.")
    github.merge(second)
    watch(github)
    insist(github.record("main")["version"] == "3", "The record on main does not name version 3.")
    insist(ask(port, rows) == "3", "Version 3 does not answer.")

    tell("9. Somebody rolls it back at once", "The workflow Roll back: ledger first, then the old version, then words.")
    asked = {"why": "The ward reports false alarms.", "now": "true"}
    github.ask("POST", "/actions/workflows/rollback.yml/dispatches", ref="main", inputs=asked)
    watch(github)
    insist(ask(port, rows) == "1", "Version 1 does not answer again.")
    back = pull_request(github)
    github.merge(back)
    watch(github)
    insist(github.record("main")["version"] == "1", "The record on main does not name version 1 again.")
    insist(ask(port, rows) == "1", "Version 1 does not answer any more.")
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")
    shell(github, ".venv/bin/gitops", "history")
    hub = github.server
    os.environ |= {"GITHUB_API_URL": hub.api, "GITHUB_SERVER_URL": hub.url, "GITHUB_TOKEN": hub.person.value}
    shell(github, ".venv/bin/gitops", "status", "--html", STATUS)


def end(root: Path, port: int) -> None:
    """The pages of the API and of the status, in the browser where somebody looks; then nothing is left running."""
    pages = {
        "The model's API": f"http://127.0.0.1:{port}/docs",
        "Who serves, since when, why, and what it costs": (root / STATUS).as_uri(),
    }
    insist(requests.get(pages["The model's API"], timeout=30).ok, "The page of the API does not come.")
    insist((root / STATUS).is_file(), "The page of the status is not there.")
    for title, page in pages.items():
        tell(title, page)
    if sys.stdin.isatty() and sys.stdout.isatty():
        for page in pages.values():
            webbrowser.open(page)
        input("    Press Enter to end the demo. ")


def main() -> None:
    """Set the stage, tell the story, and leave nothing running unless asked."""
    began = time.monotonic()
    tell("1. Generate", "One template, every default answer.")
    root, port = generate()
    machine = warm_cache(memory.place(FOLDER) / "machine", root / "requirements")
    machine |= {"GITOPS_STATE": str(FOLDER / "state")}
    with site(FOLDER, root, env=machine) as github, ended(port):
        os.environ.update(machine)
        shell(github, "make", "setup", f"PYTHON={sys.executable}")
        story(github, port)
        where = root.relative_to(Path.cwd()) if root.is_relative_to(Path.cwd()) else root
        tell(f"Done in {time.monotonic() - began:.0f} s", f"Look around: cd {where} && .venv/bin/gitops ui")
        end(root, port)
        if os.environ.get("KEEP"):
            tell("Kept", f"The server stays at {github.server.page} until you press Ctrl-C.")
            threading.Event().wait()


@contextmanager
def ended(port: int) -> Iterator[None]:
    """End the model's server when the demo ends: it would serve for as long as the machine is on."""
    try:
        yield
    finally:
        ours = f"gitops=.*[|]{port}[|]"
        subprocess.run(["pkill", "--full", ours], check=False)
        while subprocess.run(["pgrep", "--full", ours], check=False, stdout=subprocess.DEVNULL).returncode == 0:
            time.sleep(0.1)


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def _dim(text: str) -> str:
    return f"\033[2m{text}\033[0m" if sys.stdout.isatty() else text


if __name__ == "__main__":
    memory.begin()
    try:
        main()
    except NotAsTold as stopped:
        sys.exit(f"\nThe demo stopped: {stopped}")
    except NotInstalled as said:
        sys.exit(
            f"\nThe packages of the model could not be installed. The installer said:\n{said}\n"
            "Type `make demo` again when they are in reach: over a network, or from an index that pip is told of."
        )
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        memory.end()
