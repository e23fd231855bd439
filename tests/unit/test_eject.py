"""Files of the library that commands read, and a repository's own files that replace them."""

import json
from pathlib import Path

import pytest
import yaml

from gitops_ml import bundled
from gitops_ml.deploying.targets.monitoring_services import write_configuration
from gitops_ml.errors import ConfigError
from gitops_ml.monitoring.alert_rules import render_alert_rules
from gitops_ml.monitoring_config import MonitoringConfig
from unit.sample import DATA, Project


@pytest.mark.parametrize("part", bundled.PARTS)
def test_eject_copies_every_file_and_a_second_run_does_nothing(project: Project, part: str) -> None:
    """The copies are the library's files, byte for byte."""
    first = project.must("eject", part)
    folder = bundled.ejected_folder(project.root, part)
    copied = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    assert copied
    assert {str(file.relative_to(folder.parent)): content for file, content in copied.items()} == {
        str(file.relative_to(DATA)): file.read_bytes() for file in (DATA / part).rglob("*") if file.is_file()
    }
    name = folder.relative_to(project.root)
    assert first.out.count(f"Copied {name}/") == len(copied)
    second = project.must("eject", part)
    assert second.out == f"Nothing to do: {name} has every file.\n"
    assert {file: file.read_bytes() for file in copied} == copied


def test_a_file_that_differs_is_left_alone_and_named(project: Project) -> None:
    """A file that a user changed is kept; a missing file is copied."""
    project.must("eject", "compose")
    project.write("deploy/compose/nginx.conf", "# mine\n")
    (project.root / "deploy/compose/host.yaml").unlink()
    output = project.must("eject", "compose").out
    assert "deploy/compose/nginx.conf differs from the library's file and was not overwritten." in output
    assert output.count("Copied ") == 1
    assert "Copied deploy/compose/host.yaml." in output
    assert (project.root / "deploy/compose/nginx.conf").read_text() == "# mine\n"


def test_an_unknown_part_is_a_usage_error_with_the_nearest_name(project: Project) -> None:
    """The exit code is click's, and no file is written."""
    result = project.gitops("eject", "composer")
    assert result.code == 2
    assert "There is no part 'composer'. Perhaps you meant 'compose'." in result.err
    assert not (project.root / "deploy").exists()


def test_a_file_of_the_repository_replaces_the_library_s(tmp_path: Path) -> None:
    """Other files are the library's, and so are all files if nothing was ejected."""
    assert bundled.find_file(tmp_path, "compose", "nginx.conf") == DATA / "compose" / "nginx.conf"
    own = tmp_path / "deploy" / "compose" / "nginx.conf"
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    assert bundled.find_file(tmp_path, "compose", "nginx.conf") == own
    assert bundled.find_file(tmp_path, "compose", "compose.yaml") == DATA / "compose" / "compose.yaml"


def test_the_monitoring_stack_reads_the_repository_s_own_files(tmp_path: Path) -> None:
    """A dashboard is added, a receiver is replaced, and the digest changes, so that the services restart."""
    before = write_configuration(tmp_path / "configuration", tmp_path, "groups: []\n")
    for name, text in {"grafana/dashboards/mine.json": "{}", "prometheus/alertmanager.yml": "route: {}\n"}.items():
        (tmp_path / "deploy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "deploy" / name).write_text(text)
    assert write_configuration(tmp_path / "configuration", tmp_path, "groups: []\n") != before
    assert (tmp_path / "configuration/grafana/dashboards/mine.json").read_text() == "{}"
    assert json.loads((tmp_path / "configuration/grafana/dashboards/model.json").read_text())["title"]
    assert yaml.safe_load((tmp_path / "configuration/prometheus/alertmanager.yml").read_text()) == {"route": {}}


def test_ejected_alert_rules_get_the_thresholds(project: Project) -> None:
    """After `gitops eject prometheus`, the rules are read from the repository."""
    project.must("eject", "prometheus")
    project.write("deploy/prometheus/rules.yml.in", "groups: [] # @errors, @@\n")
    assert render_alert_rules(MonitoringConfig(errors=0.25), project.root) == "groups: [] # 0.25, @\n"
    assert project.must("config", "--prometheus").out == "groups: [] # 0.01, @\n"


@pytest.mark.parametrize("text", ["@nothing", "a@ b"], ids=["an unknown threshold", "a lone @"])
def test_an_unknown_threshold_is_an_error(tmp_path: Path, text: str) -> None:
    """The message has the file and the thresholds that exist."""
    file = tmp_path / "deploy" / "prometheus" / "rules.yml.in"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"rules\.yml\.in: .* no threshold") as caught:
        render_alert_rules(MonitoringConfig(), tmp_path)
    assert "errors" in caught.value.next_step
