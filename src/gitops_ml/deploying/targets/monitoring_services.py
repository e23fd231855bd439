"""Configuration files of Prometheus, Alertmanager and Grafana, which run beside a deployment."""

import shutil
from pathlib import Path

from gitops_ml import bundled
from gitops_ml.deploying.settings_digest import settings_digest

# Profile of compose.yaml, and the services in it with their default ports on this machine.
PROFILE = "monitoring"
SERVICES = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
FOLDERS = ("prometheus", "grafana")


def write_configuration(folder: Path, root: Path, rules: str) -> str:
    """Write the services' configuration files.

    Args:
        folder: Folder to write, outside of the clone, because a runner cleans up the clone.
        root: Root folder of the repository; files in its `deploy` replace the library's.
        rules: Alert rules of Prometheus, with the thresholds of model.toml.

    Returns:
        Digest of the files.
    """
    for name in FOLDERS:
        for path, file in bundled.find_files(root, name).items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / name / path)
    (folder / "prometheus" / "rules.yml").write_text(rules, encoding="utf-8")
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    for written in (folder, *folder.rglob("*")):
        written.chmod(0o755 if written.is_dir() else 0o644)  # each service runs as another user
    return settings_digest([file.read_text(encoding="utf-8") for file in files], with_secrets=False)
