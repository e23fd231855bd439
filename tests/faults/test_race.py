"""Two people train at the same time."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from repositories import GIT_IDENTITY, run

STEPS = "{gitops} train && {gitops} register"


def test_two_trainings_that_push_at_the_same_moment_both_end_in_the_store(repository: Path, tmp_path: Path) -> None:
    """Two clones, two seeds, two processes: both versions are stored, numbered without a gap."""
    remote, gitops = tmp_path / "remote.git", repository / ".venv/bin/gitops"
    shutil.copytree(repository.parent / "remote.git", remote)
    people = []
    for seed in (1, 2):
        clone = tmp_path / f"person-{seed}"
        run(tmp_path, "git", "clone", "--quiet", str(remote), str(clone))
        toml = clone / "model.toml"
        toml.write_text(toml.read_text().replace("seed = 0", f"seed = {seed}"))
        run(clone, "git", "commit", "--quiet", "--all", "--message", f"Seed {seed}")
        command = ["sh", "-c", STEPS.format(gitops=gitops)]
        people.append(subprocess.Popen(command, cwd=clone, env={**os.environ, **GIT_IDENTITY}, stdout=subprocess.PIPE))
    outputs = [person.communicate()[0].decode() for person in people]
    assert [person.returncode for person in people] == [0, 0]
    assert {next(n for n in (2, 3) if f"Registered version {n}" in text) for text in outputs} == {2, 3}
    status = run(tmp_path / "person-1", str(gitops), "store", "status")
    assert [f"│ {number} " in status for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert json.loads(run(tmp_path / "person-1", "git", "show", "HEAD:registry/production.json"))["version"] == "1"
