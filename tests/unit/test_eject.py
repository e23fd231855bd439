"""Files of the library that commands read, and a repository's own in their stead."""

import json
from pathlib import Path

import pytest
import yaml

from gitops_ml import bundled
from gitops_ml.deploying.targets.watchers import lay_out
from gitops_ml.errors import ConfigError
from gitops_ml.monitoring.rules import rules
from gitops_ml.watch import Monitoring
from unit.sample import DATA, Project


@pytest.mark.parametrize("part", bundled.PARTS)
def test_eject_copies_every_file_and_a_second_run_does_nothing(project: Project, part: str) -> None:
    """The copies are the library's files, byte for byte."""
    first = project.must("eject", part)
    made = {file: file.read_bytes() for file in (project.root / "deploy" / part).rglob("*") if file.is_file()}
    assert made
    assert {str(file.relative_to(project.root / "deploy")): content for file, content in made.items()} == {
        str(file.relative_to(DATA)): file.read_bytes() for file in (DATA / part).rglob("*") if file.is_file()
    }
    assert first.out.count("Copied deploy/") == len(made)
    again = project.must("eject", part)
    assert again.out == f"Nothing to do: deploy/{part} has every file.\n"
    assert {file: file.read_bytes() for file in made} == made


def test_a_file_that_differs_is_left_alone_and_named(project: Project) -> None:
    """What a person changed is never lost; what is missing beside it comes back."""
    project.must("eject", "compose")
    project.write("deploy/compose/nginx.conf", "# mine\n")
    (project.root / "deploy/compose/host.yaml").unlink()
    told = project.must("eject", "compose").out
    assert "deploy/compose/nginx.conf differs from the library's, and stays as it is." in told
    assert told.count("Copied ") == 1
    assert "Copied deploy/compose/host.yaml." in told
    assert (project.root / "deploy/compose/nginx.conf").read_text() == "# mine\n"


def test_an_unknown_part_is_a_usage_error_with_the_nearest_name(project: Project) -> None:
    """As click says it; nothing is written."""
    told = project.gitops("eject", "composer")
    assert told.code == 2
    assert "There is no part 'composer'. Perhaps you meant 'compose'." in told.err
    assert not (project.root / "deploy").exists()


def test_a_file_of_the_repository_stands_in_for_the_library_s(tmp_path: Path) -> None:
    """The others, and all of them where nothing was ejected, are the library's."""
    assert bundled.file(tmp_path, "compose", "nginx.conf") == DATA / "compose" / "nginx.conf"
    own = tmp_path / "deploy" / "compose" / "nginx.conf"
    own.parent.mkdir(parents=True)
    own.write_text("# mine\n")
    assert bundled.file(tmp_path, "compose", "nginx.conf") == own
    assert bundled.file(tmp_path, "compose", "compose.yaml") == DATA / "compose" / "compose.yaml"


def test_what_watches_reads_the_repository_s_own_files(tmp_path: Path) -> None:
    """A dashboard beside the library's, a receiver instead of it; another mark, so that they are started anew."""
    before = lay_out(tmp_path / "laid", tmp_path, "groups: []\n")
    for name, text in {"grafana/dashboards/mine.json": "{}", "prometheus/alertmanager.yml": "route: {}\n"}.items():
        (tmp_path / "deploy" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "deploy" / name).write_text(text)
    assert lay_out(tmp_path / "laid", tmp_path, "groups: []\n") != before
    assert (tmp_path / "laid/grafana/dashboards/mine.json").read_text() == "{}"
    assert json.loads((tmp_path / "laid/grafana/dashboards/model.json").read_text())["title"]
    assert yaml.safe_load((tmp_path / "laid/prometheus/alertmanager.yml").read_text()) == {"route": {}}


def test_rules_of_one_s_own_get_the_thresholds_too(project: Project) -> None:
    """After `gitops eject prometheus` their text is the repository's."""
    project.must("eject", "prometheus")
    project.write("deploy/prometheus/rules.yml.in", "groups: [] # @errors, @@\n")
    assert rules(Monitoring(errors=0.25), project.root) == "groups: [] # 0.25, @\n"
    assert project.must("config", "--prometheus").out == "groups: [] # 0.01, @\n"


@pytest.mark.parametrize("text", ["@nothing", "a@ b"], ids=["an unknown threshold", "a lone @"])
def test_a_threshold_that_there_is_not_is_named(tmp_path: Path, text: str) -> None:
    """With the file and what is known, not as a bug of ours."""
    file = tmp_path / "deploy" / "prometheus" / "rules.yml.in"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"rules\.yml\.in: .* no threshold") as caught:
        rules(Monitoring(), tmp_path)
    assert "errors" in caught.value.next
