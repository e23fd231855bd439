"""`make demo`: generate a repository, push it to a GitHub on this machine, and watch its workflows ship two models,
serve them, and roll one back.

Nothing leaves this machine: the server (tests/github) is a real Git remote with GitHub's rules, and act runs the
repository's own workflow files. The model is served by a process of this machine, not by a container, whose base image
would have to come from a registry.
Every printed result is read from the local GitHub or from Git; the demo stops with a message at the first unexpected
result. KEEP=1 keeps the server running at the end.
"""

import json
import os
import shlex
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

import memory_folder
from github.contributor import Contributor, NotInstalled, start_github, warm_cache
from github.model import Job, Run
from hub_fixture import BETTER, WORSE

TEMPLATE = Path(__file__).parents[1]
FOLDER = TEMPLATE / ".demo"
DATA = "data/breast_cancer.csv"
STATUS = ".gitops/status.html"
MARKS = {"success": "✓", "failure": "✗", "skipped": "–", "cancelled": "–"}


# Jobs that were printed already, by run and name.
REPORTED: set[tuple[int, str]] = set()


class UnexpectedResult(Exception):
    """Error for a result that the demo does not expect."""


def require(condition: bool, message: str) -> None:
    """Raise UnexpectedResult with a message, unless the condition is true."""
    if not condition:
        raise UnexpectedResult(message)


def print_heading(title: str, text: str = "") -> None:
    """Print a heading and a sentence."""
    print(f"\n{_bold('━' * 100)}\n{_bold(title)}" + (f"\n{text}" if text else ""), flush=True)


def print_indented(text: str) -> None:
    """Print a text, indented."""
    print("\n".join(f"    {line}" for line in text.rstrip().splitlines()), flush=True)


def run_command(github: Contributor, *command: str) -> None:
    """Print a command, run it, and print its output."""
    print(f"\n{_dim('$')} {_bold(' '.join(command).removeprefix('.venv/bin/'))}", flush=True)
    print_indented(github.run(*command))


def push(github: Contributor, message: str) -> None:
    """Commit and push, as a person does."""
    print(f"\n{_dim('$')} {_bold(f'git commit -am {message!r} && git push')}", flush=True)
    github.push(message)


def watch_runs(github: Contributor, *, red: tuple[str, ...] = ()) -> dict[str, Run]:
    """Print the conclusion of each job until all runs have ended; only the workflows in `red` may fail."""
    done: dict[str, Run] = {}
    watcher = threading.Thread(target=lambda: done.update(github.wait_for_runs()))
    watcher.start()
    while watcher.is_alive():
        watcher.join(0.3)
        for run in list(github.server.runs.values()):
            for job in list(run.jobs.values()):
                if job.conclusion and (run.id, job.id) not in REPORTED:
                    REPORTED.add((run.id, job.id))
                    _print_job(run, job)
    for name, run in done.items():
        expected = "failure" if name in red else "success"
        message = (
            f"{name} ended with {run.conclusion}. {_failed_logs(run)}\n`make demo KEEP=1` keeps the files of all runs."
        )
        require(run.conclusion in (expected, "action_required"), message)
    return done


def _print_job(run: Run, job: Job) -> None:
    job_name = f"{run.name} / {job.id}"
    print(
        f"    {MARKS.get(str(job.conclusion), '?')} {job_name:<22} {job.seconds:5.1f} s  {_dim(_result_line(job))}",
        flush=True,
    )


def _result_line(job: Job) -> str:
    """Return the line of a job's log with its result, if there is one."""
    results = [line for line in job.log.splitlines() if line.startswith(("Opened", "Refreshed", "Nothing to",
            "Version ", "Registered", "Accepted", "Alias", "Nothing was", "No image"))]  # fmt: skip
    return results[0][:110] if results else ""


def _failed_logs(run: Run) -> str:
    """Return the ends of the logs of failed jobs."""
    return "\n".join(f"{job.id}:\n{job.log[-1500:]}" for job in run.jobs.values() if job.conclusion == "failure")


def show_pull_request(github: Contributor) -> int:
    """Print the open pull request as a reviewer sees it, and return its number."""
    pull = github.pull
    print(f"\n  {_bold('#' + str(pull['number']) + ' ' + pull['title'])}\n  {pull['html_url']}\n", flush=True)
    print_indented(pull["body"].split("<details>")[0].replace("\\", ""))
    checks = github.statuses(pull["head"]["sha"])
    print_indented(f"Check `required`: {checks[0][1]}")
    require(checks[0] == ("required", "success"), "CI's status on the pull request is not green.")
    return int(pull["number"])


def show_comparison(run: Run) -> None:
    """Print the comparison in a run's summary."""
    summary = run.jobs["compare"].summary
    start = summary.index("## ")
    print_indented(summary[start:].split("<details>")[0].replace("\\", ""))


def generate_repository() -> tuple[Path, int]:
    """Generate a repository with the default answers, in Git; return its folder and the port of its model server."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    root = Path(cookiecutter(str(TEMPLATE), no_input=True, output_dir=str(FOLDER)))
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=root, check=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    toml = root / "model.toml"
    text = toml.read_text().replace('kind = "none"', 'kind = "process"').replace("port = 8080", f"port = {port}")
    toml.write_text(text)
    print_indented(
        f'In model.toml: [targets.production] kind = "process", port = {port}. A container would need a base image '
        "from a registry, so the demo serves the model as a process, with the same library code."
    )
    return root, port


def predict(port: int, rows: list[dict[str, Any]]) -> str:
    """Send rows to the model server, print the response, and return the version that answered."""
    url = f"http://127.0.0.1:{port}"
    command = f"curl {url}/predict --json {shlex.quote(json.dumps({'rows': rows}))}"
    print(f"\n{_dim('$')} {_bold(command)}", flush=True)
    response = requests.post(f"{url}/predict", json={"rows": rows}, timeout=30)
    require(response.ok, f"The model server returned an error: {response.text}")
    print_indented(response.text)
    return str(response.json()["version"])


def example_rows(port: int) -> list[dict[str, Any]]:
    """Return one of the example rows in the model's API."""
    document = requests.get(f"http://127.0.0.1:{port}/openapi.json", timeout=30).json()
    content = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    rows: list[dict[str, Any]] = content["examples"]["rows"]["value"]["rows"][:1]
    return rows


def corrupt_data(github: Contributor) -> None:
    """Write invalid values into three rows of the data, as a faulty export would."""
    file = github.clone / DATA
    lines = file.read_text().splitlines()
    cells = lines[1].split(",")
    lines[1] = ",".join([cells[0], "-17.99", *cells[2:]])
    cells = lines[2].split(",")
    lines[2] = ",".join([*cells[:-1], "unknown"])
    lines[3] = lines[2]
    file.write_text("\n".join(lines) + "\n")


def run_story(github: Contributor, port: int) -> None:
    """Run the whole loop, from the first push to the second champion and the rollback."""
    print_heading("2. Push", f"To {github.server.html_url}, a GitHub on this machine. This starts its workflows.")
    push(github, "Start from the template")
    watch_runs(github)
    print_heading("3. One pull request proposes the first model", "The workflow Train opened it, and CI checked it.")
    first = show_pull_request(github)
    print_heading("4. A person merges it", "The record on main changes. Deploy starts the model and runs a smoke test.")
    github.merge(first)
    watch_runs(github)
    require(github.record("main")["version"] == "1", "The record on main does not name version 1.")
    rows = example_rows(port)
    require(predict(port, rows) == "1", "Version 1 does not answer.")
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")

    print_heading("5. A worse model", "A person reduces the features to a single column.")
    github.choose_columns(WORSE)
    push(github, "Simplify the features")
    runs = watch_runs(github)
    show_comparison(runs["train.yml"])
    require(not [pull for pull in github.pulls if pull["state"] == "open"], "A pull request was opened.")
    print_heading(
        "   ... is not proposed", "Train is green, because a refusal is a result. No pull request was opened."
    )

    print_heading("6. A better model", "A person adds features of the worst cells.")
    github.choose_columns(BETTER)
    push(github, "Look at the worst cells too")
    watch_runs(github)
    second = show_pull_request(github)
    require(second != first, "The better model has no pull request of its own.")

    print_heading("7. A faulty export of the data, in a pull request", "CI checks every row against schema.py.")
    github.run("git", "switch", "--quiet", "--create", "new-data")
    corrupt_data(github)
    github.push("New data", "new-data")
    github.request("POST", "/pulls", title="New data", head="new-data", base="main")
    runs = watch_runs(github, red=("ci.yml",))
    print_indented(runs["ci.yml"].jobs["data"].summary.replace("\\", ""))
    failing = next(pull for pull in github.pulls if pull["title"] == "New data")
    github.request("PATCH", f"/pulls/{failing['number']}", state="closed")
    github.run("git", "switch", "--quiet", "main")

    print_heading(
        "8. The better model is merged", "It starts beside the old one, passes its smoke test, and replaces it."
    )
    github.merge(second)
    watch_runs(github)
    require(github.record("main")["version"] == "3", "The record on main does not name version 3.")
    require(predict(port, rows) == "3", "Version 3 does not answer.")

    print_heading(
        "9. A person rolls it back at once",
        "The workflow Roll back writes to the ledger, starts the old version, and reports.",
    )
    inputs = {"why": "The ward reports false alarms.", "now": "true"}
    github.request("POST", "/actions/workflows/rollback.yml/dispatches", ref="main", inputs=inputs)
    watch_runs(github)
    require(predict(port, rows) == "1", "Version 1 does not answer again.")
    rollback = show_pull_request(github)
    github.merge(rollback)
    watch_runs(github)
    require(github.record("main")["version"] == "1", "The record on main does not name version 1 again.")
    require(predict(port, rows) == "1", "Version 1 does not answer any more.")
    github.run("git", "pull", "--quiet", "--rebase", "origin", "main")
    run_command(github, ".venv/bin/gitops", "history")
    hub = github.server
    os.environ |= {"GITHUB_API_URL": hub.api, "GITHUB_SERVER_URL": hub.url, "GITHUB_TOKEN": hub.person.value}
    run_command(github, ".venv/bin/gitops", "status", "--html", STATUS)


def show_pages(root: Path, port: int) -> None:
    """Check the pages of the API and of the status; open them in the browser in an interactive terminal."""
    pages = {
        "The model's API": f"http://127.0.0.1:{port}/docs",
        "The version that serves, since when, why, and its costs": (root / STATUS).as_uri(),
    }
    require(requests.get(pages["The model's API"], timeout=30).ok, "The page of the API is not available.")
    require((root / STATUS).is_file(), "The status page does not exist.")
    for title, page in pages.items():
        print_heading(title, page)
    if sys.stdin.isatty() and sys.stdout.isatty():
        for page in pages.values():
            webbrowser.open(page)
        input("    Press Enter to end the demo. ")


def main() -> None:
    """Generate, set up and run the demo; with KEEP, leave the server running."""
    started = time.monotonic()
    print_heading("1. Generate", "One template, every default answer.")
    root, port = generate_repository()
    machine = warm_cache(memory_folder.path_or(FOLDER) / "machine", root / "requirements")
    machine |= {"GITOPS_STATE": str(FOLDER / "state")}
    with start_github(FOLDER, root, env=machine) as github, model_server_stopped_at_end(port):
        os.environ.update(machine)
        run_command(github, "make", "setup", f"PYTHON={sys.executable}")
        run_story(github, port)
        job_name = root.relative_to(Path.cwd()) if root.is_relative_to(Path.cwd()) else root
        print_heading(
            f"Done in {time.monotonic() - started:.0f} s", f"Explore it: cd {job_name} && .venv/bin/gitops ui"
        )
        show_pages(root, port)
        if os.environ.get("KEEP"):
            print_heading("Server kept", f"The server runs at {github.server.html_url} until you press Ctrl-C.")
            threading.Event().wait()


@contextmanager
def model_server_stopped_at_end(port: int) -> Iterator[None]:
    """Stop the model server at the end of the block, because it would run until the machine stops."""
    try:
        yield
    finally:
        pattern = f"gitops=.*[|]{port}[|]"
        subprocess.run(["pkill", "--full", pattern], check=False)
        while subprocess.run(["pgrep", "--full", pattern], check=False, stdout=subprocess.DEVNULL).returncode == 0:
            time.sleep(0.1)


def _bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text


def _dim(text: str) -> str:
    return f"\033[2m{text}\033[0m" if sys.stdout.isatty() else text


if __name__ == "__main__":
    memory_folder.create()
    try:
        main()
    except UnexpectedResult as stopped:
        sys.exit(f"\nThe demo stopped: {stopped}")
    except NotInstalled as error:
        sys.exit(
            f"\nThe packages of the model could not be installed. The installer reported:\n{error}\n"
            "Connect to a network, or configure a package index for pip, and run `make demo` again."
        )
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        memory_folder.remove()
