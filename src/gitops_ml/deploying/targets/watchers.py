"""Prometheus, Alertmanager and Grafana beside a deployment, as far as they are files."""

import shutil
from pathlib import Path

from gitops_ml import bundled
from gitops_ml.deploying.settings import mark

# The profile of compose.yaml that they are, and each with the port of this machine where people find it.
PROFILE = "monitoring"
WATCHERS = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
FOLDERS = ("prometheus", "grafana")


def lay_out(folder: Path, root: Path, rules: str) -> str:
    """Put down what they read where no runner sweeps it away; a mark that changes when any of it does.

    Args:
        folder: Of theirs alone.
        root: The repository, whose `deploy` may hold files of its own.
        rules: That Prometheus follows, with the thresholds of model.toml.
    """
    for name in FOLDERS:
        for path, file in bundled.files(root, name).items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name / path)
    (folder / "prometheus" / "rules.yml").write_text(rules, encoding="utf-8")
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    for place in (folder, *folder.rglob("*")):
        place.chmod(0o755 if place.is_dir() else 0o644)  # each of them is another user
    return mark([file.read_text(encoding="utf-8") for file in files], token=False)
