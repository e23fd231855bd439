"""Who learns does not judge: code that a version brings changes no verdict, and no command imports it that writes."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gitops_ml.confinement import judge, kernel
from unit.sample import Project

# What `gitops compare` writes, and what the workflow reads.
COMPARISON = Path(".gitops", "comparison", "comparison.json")
ATTACKS = {
    "a gate is replaced": """
        from gitops_ml.training.gates import champion
        champion.ChampionGate.evaluate = lambda self, evidence: self.outcome(True, {})
    """,
    "every gate is replaced": """
        import gitops_ml.training.gates.gate as gates
        gates.Gate.outcome_of = lambda self, evidence: self.outcome(True, {}, message="fine")
    """,
    "metrics are replaced": """
        import sklearn.metrics as metrics
        from gitops_ml.training import metrics as own
        metrics.roc_auc_score = lambda *values, **options: 0.999
        own.measure_all = lambda *values: {"roc_auc": 0.999}
    """,
    "the verdict is written at the end": """
        import atexit, json, os, pathlib
        def forge():
            for file in pathlib.Path(ROOT).rglob("comparison.json"):
                document = json.loads(file.read_text())
                file.write_text(json.dumps({**document, "verdict": "promote"}))
            with open(os.environ.get("GITHUB_OUTPUT", ROOT + "/.gitops/outputs"), "a") as outputs:
                outputs.write("verdict=promote\\noffer=true\\n")
        atexit.register(forge)
    """,
    "a process outlives the judgement": """
        import os, pathlib, time
        if os.fork() == 0:
            os.setsid()
            for _ in range(300):
                time.sleep(0.01)
                for file in pathlib.Path(ROOT).rglob("comparison.json"):
                    file.write_text("{}")
            os._exit(0)
    """,
    "an installed package is changed": """
        import pathlib, gitops_ml
        try:
            file = pathlib.Path(gitops_ml.__file__).parent / "forged.pth"
            file.write_text("import os")
        except OSError:
            pass
    """,
    "the split is replaced": """
        from gitops_ml.training import split
        split.holdout_mask = lambda repository, frame: frame["label"] == "no"
    """,
    "the frame of the caller is changed": """
        import gc, pandas
        for each in gc.get_objects():
            if isinstance(each, pandas.DataFrame) and "label" in each:
                each["label"] = "no"
    """,
}


@pytest.fixture
def champion(at_stage: Callable[[str], Project]) -> Project:
    """A repository with a champion."""
    return at_stage("promoted")


def attack(project: Project, code: str) -> None:
    """Let the estimator become worse, and run code where the package is imported."""
    lines = [line[8:] for line in code.replace("ROOT", repr(str(project.root))).splitlines()]
    estimator = project.root / "src" / "sample" / "estimator.py"
    worse = estimator.read_text().replace("random_state=seed", "random_state=seed, C=1e-9, class_weight={'yes': 99}")
    estimator.write_text(worse + "\n" + "\n".join(lines) + "\n")
    project.commit("attack")


def compare(project: Project) -> tuple[dict[str, Any], dict[str, str]]:
    """Train, register and compare; return the document and the outputs of the step."""
    project.must("train")
    project.must("register")
    result = project.must("compare")
    return json.loads((project.root / COMPARISON).read_text()), result.outputs


@pytest.mark.slow
@pytest.mark.parametrize("code", ATTACKS.values(), ids=ATTACKS)
def test_code_of_a_worse_version_changes_no_verdict(champion: Project, code: str) -> None:
    """Neither by what it replaces in the process, nor by what it writes, nor later."""
    attack(champion, code)
    # Training runs this code in its own process; what it has replaced there must not reach the comparison.
    for command in ("train", "register"):
        subprocess.run([sys.executable, "-m", "gitops_ml", "--project", champion.root, command], check=True,
                       capture_output=True)  # fmt: skip
    outputs = champion.must("compare").outputs
    document = json.loads((champion.root / COMPARISON).read_text())
    assert (document["verdict"], outputs["verdict"], outputs["offer"]) == ("refuse", "refuse", "false")
    assert "CHAMPION" in [gate["id"] for gate in document["gates"] if gate["verdict"] == "refused"]
    assert document["open_doors"] == []


def test_the_judging_process_imports_none_of_your_code(champion: Project) -> None:
    """Neither the package nor the tests; the other way round, models are predicted by code that is yours."""
    champion.must("compare")
    assert [name for name in sys.modules if name.split(".")[0] in ("sample", "behaviour")] == []


def test_the_report_says_what_the_barriers_stopped(champion: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the kernel has none, it says that your code could have changed the verdict; on GitHub nothing is judged."""
    champion.must("compare")
    report = champion.root / ".gitops" / "comparison" / "report.md"
    assert "could reach neither the data nor this verdict" in report.read_text()
    from forked_zygote import fork_zygote

    monkeypatch.setattr(judge, "start", fork_zygote)
    monkeypatch.setattr(kernel, "landlock_version", lambda: 0)
    champion.must("compare")
    assert "⚠️ **Your code could have changed this verdict**" in report.read_text()
    assert "read the data" in report.read_text()
    champion.add_remote()
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    result = champion.gitops("compare")
    assert result.code == 20
    assert "Not confined: On this runner, a process that runs your code could" in result.err


def test_a_model_that_answers_wrongly_is_an_error_and_no_verdict(champion: Project) -> None:
    """A process that ends gives no answer, so nothing is judged."""
    champion.edit("src/sample/schema.py", "import pandera.pandas as pa", "import os\n\nimport pandera.pandas as pa\n\n"
                  "print('ending')\nos._exit(3)")  # fmt: skip
    before = (champion.root / COMPARISON).read_text() if (champion.root / COMPARISON).exists() else None
    result = champion.gitops("compare")
    assert result.code == 20
    assert "it ended without an answer: ending" in result.err
    after = (champion.root / COMPARISON).read_text() if (champion.root / COMPARISON).exists() else None
    assert before == after


def test_schema_that_changes_the_target_is_refused(champion: Project) -> None:
    """Otherwise the user's code would say what the truth is."""
    champion.edit("src/sample/schema.py", "    class Config:", """    @pa.dataframe_parser
    def flip(cls, rows):
        \"\"\"Every row is positive.\"\"\"
        return rows.assign(label="yes")

    class Config:""")  # fmt: skip
    result = champion.gitops("compare")
    assert result.code == 3
    assert "schema.py changes the values of the target 'label'" in " ".join(result.err.split())


def test_rows_are_read_as_by_the_users_schema(champion: Project) -> None:
    """Both processes read the same: the comparison has the same held-out rows as training."""
    document, _ = compare(champion)
    run = json.loads((champion.root / ".gitops" / "run" / "run.json").read_text())
    assert document["holdout"] == run["lineage"]["holdout"]
