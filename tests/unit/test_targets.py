"""Places of deployment, as far as they are text, files and commands; engines and clusters are the template's to try."""

import json
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gitops_ml import config, git
from gitops_ml.commands.site import open_site
from gitops_ml.config import Repository
from gitops_ml.deploying import settings
from gitops_ml.deploying.engine import Engine
from gitops_ml.deploying.login import logged_in
from gitops_ml.deploying.state import home
from gitops_ml.deploying.target import Rollout, Target
from gitops_ml.deploying.targets import argocd, kustomization
from gitops_ml.deploying.targets.argocd import ArgoCD
from gitops_ml.deploying.targets.choose import choose
from gitops_ml.deploying.targets.compose import Compose, project
from gitops_ml.deploying.targets.front import BLUE, GREEN, Front
from gitops_ml.deploying.targets.kubernetes import NOBODY, Kubernetes
from gitops_ml.deploying.targets.none import NoneTarget
from gitops_ml.deploying.targets.process import ProcessTarget
from gitops_ml.errors import ConfigError, ContainerError
from gitops_ml.logged import TRIAL
from gitops_ml.private import OF_SERVERS
from unit.cluster import Cluster
from unit.sample import DATA, MODEL_TOML, TEMPLATE, Project
from unit.served import digest_of

CLUSTER = '[targets.production]\nkind = "kubernetes"\nnamespace = "models"\nreplicas = 3\nready_seconds = 1\n'
ONE, TWO = (
    Rollout("production", "sample", str(n), f"1.{n}.0", f"sha256:{str(n) * 64}", f"r.example/m@sha256:{str(n) * 64}",
            None, Path())
    for n in (1, 2)
)  # fmt: skip
NAMES = {
    ("sample", "production"): "sample-production",
    ("Sample_2.0", "production"): "sample-2-0-production-9cc485",
    ("2nd", "production"): "m-2nd-production-3d0e18",
    ("sample", "next"): "sample-next-2e38cd",
}


def repository(root: Path, toml: str) -> Repository:
    """A repository with this target and the manifests of this one."""
    shutil.copytree(TEMPLATE / "deploy", root / "deploy")
    return Repository(root, config.parse(MODEL_TOML + toml))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """An empty cluster, which kubectl reaches."""
    (tmp_path / "bin").mkdir()
    return Cluster(tmp_path / "bin", monkeypatch)


@pytest.fixture
def target(cluster: Cluster, tmp_path: Path) -> Iterator[Kubernetes]:
    """Its target."""
    made = Kubernetes(repository(tmp_path, CLUSTER), "production")
    yield made
    made.abandon()


@pytest.mark.parametrize(("named", "expected"), NAMES.items(), ids=lambda part: str(part))
def test_a_name_is_one_that_kubernetes_accepts(named: tuple[str, str], expected: str) -> None:
    """A name that had to be changed carries a mark; none is that of another environment's pod on trial."""
    assert kustomization.name(*named) == expected


def test_a_long_name_is_cut() -> None:
    """What is made of it must still fit into the 63 characters that Kubernetes allows."""
    found = kustomization.name("a" * 100, "production")
    assert len(f"{found}-{kustomization.NEXT}-{kustomization.BASE}") <= 63
    assert found != kustomization.name("a" * 101, "production")


def test_a_kustomization_pins_the_image_and_says_which_version_it_is(tmp_path: Path) -> None:
    """By digest, in the namespace and with the replicas of model.toml."""
    said = json.loads(kustomization.kustomization(ONE, repository(tmp_path, CLUSTER).config, "../base"))
    assert said["images"] == [{"name": "serving", "newName": "r.example/m", "digest": f"sha256:{'1' * 64}"}]
    assert (said["namespace"], said["resources"]) == ("models", ["../base"])
    deployment, autoscaler = (json.loads(patch["patch"]) for patch in said["patches"])
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {entry["name"]: entry.get("value") for entry in env} == {**ONE.variables, **dict.fromkeys(OF_SERVERS)}
    assert autoscaler["spec"] == {"minReplicas": 3}


def test_a_pod_on_trial_knows_that_it_is(tmp_path: Path) -> None:
    """It keeps no log of what it is asked, for that is nobody's traffic."""
    config = repository(tmp_path, CLUSTER).config
    said = json.loads(kustomization.kustomization(ONE, config, "../base", beside=True))
    (container,) = json.loads(said["patches"][0]["patch"])["spec"]["template"]["spec"]["containers"]
    assert {"name": TRIAL, "value": "1"} in container["env"]


@pytest.mark.parametrize(
    "url",
    [
        "https://github.com/ada/iris.git",
        "https://x-access-token:t@github.com/ada/iris",
        "git@github.com:ada/iris.git",
        "ssh://git@github.com:22/Ada/iris.git",
        "https://github.com/ada/iris/",
    ],
)
def test_a_repository_has_one_place_whichever_way_it_is_reached(tmp_path: Path, url: str) -> None:
    """A person's clone over SSH finds what the workflow's clone brought up."""
    made = repository(tmp_path, CLUSTER)
    for command in (("init", "--quiet"), ("remote", "add", "origin", url)):
        git.run(tmp_path, *command)
    there = home(made, "production")
    git.run(tmp_path, "remote", "set-url", "origin", "https://github.com/ada/iris")
    assert there == home(made, "production")
    git.run(tmp_path, "remote", "set-url", "origin", "https://github.com/ada/rose")
    assert there != home(made, "production")


@pytest.mark.parametrize("kind", ["process", "compose"])
def test_what_stays_up_is_not_brought_up_where_the_machine_ends(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A runner of GitHub's would be green, and nothing would serve."""
    project = at_stage("promoted")
    project.edit("model.toml", "[project]", f'[targets.production]\nkind = "{kind}"\n\n[project]')
    monkeypatch.setenv("RUNNER_ENVIRONMENT", "github-hosted")
    told = project.gitops("deploy")
    assert told.code == ConfigError.exit_code
    assert "DEPLOY_RUNNER" in told.err


def test_in_a_job_nothing_runs_without_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a person's machine a version is tried as a process; a workflow runs what was reviewed, and signed."""
    made = repository(tmp_path, "")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert isinstance(choose(made, "production", None), ProcessTarget)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(ConfigError, match="names no image"):
        choose(made, "production", None)


@pytest.mark.slow
def test_what_is_ready_and_cannot_be_reached_is_an_error(at_stage: Callable[[str], Project]) -> None:
    """A bridge or a firewall is no reason to hold a version; one that never gets ready is."""
    project = at_stage("promoted")
    project.edit("model.toml", "[project]", "[targets.production]\nready_seconds = 1\n\n[project]")
    place = open_site(config.find(project.root), "production")
    assert place.ask("http://127.0.0.1:1", ONE, lambda: True) == ["It was not ready after 1 s: it does not answer."]
    with pytest.raises(ContainerError, match="ready by its own check") as caught:
        place.ask("http://127.0.0.1:1", ONE, lambda: True, lambda: True)
    assert "Nothing was held" in caught.value.next


def test_no_image_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    """A record from before there were images."""
    with pytest.raises(ContainerError, match="has no image"):
        kustomization.kustomization(replace(ONE, image=None), repository(tmp_path, CLUSTER).config, "../base")


def test_the_layer_is_the_environments_own_or_the_base(tmp_path: Path) -> None:
    """An environment that nobody wrote anything about still runs."""
    repository(tmp_path, CLUSTER)
    assert kustomization.layer(tmp_path, "production") == "deploy/kubernetes/production"
    assert kustomization.layer(tmp_path, "europe") == "deploy/kubernetes/base"


def test_a_version_is_tried_beside_and_then_takes_over(cluster: Cluster, target: Kubernetes) -> None:
    """Only after the switch does the Deployment that callers reach have its image; nothing is left of the trial."""
    assert target.running() is None
    assert target.start(ONE) == "http://127.0.0.1:4321"
    assert target.alive()
    assert target.well()
    assert set(cluster.state["deployments"]) == {"sample-production-next-serving"}
    target.switch(ONE)
    assert set(cluster.state["deployments"]) == {"sample-production-serving"}
    running = target.running()
    assert running is not None
    assert (running.digest, running.image) == (ONE.digest, ONE.image)


def test_an_abandoned_version_leaves_the_other_alone(cluster: Cluster, target: Kubernetes) -> None:
    """Its pod is gone, its last words are told, and the Deployment was never touched."""
    target.start(ONE)
    target.switch(ONE)
    cluster.set(pod="crashing")
    assert target.start(TWO) == NOBODY
    assert not target.alive()
    assert not target.well()
    assert "said something" in target.abandon()
    assert set(cluster.state["deployments"]) == {"sample-production-serving"}
    running = target.running()
    assert running is not None
    assert running.digest == ONE.digest


@pytest.mark.parametrize(
    ("state", "said"), [("evicted", "Evicted The node was low"), ("preempted", "PreemptionByScheduler"), ("", "gone")]
)
def test_a_pod_that_the_cluster_takes_away_has_not_failed(
    cluster: Cluster, target: Kubernetes, state: str, said: str
) -> None:
    """Its container ended with it, and nobody knows more about the version."""
    target.start(ONE)
    pods = cluster.state["pods"]
    cluster.set(pods={name: {**pod, "state": state} for name, pod in pods.items()} if state else {})
    with pytest.raises(ContainerError, match=said):
        target.alive()


def test_a_pod_that_was_taken_away_before_is_not_the_one_that_is_tried(cluster: Cluster, target: Kubernetes) -> None:
    """The next one of the same Deployment is waited for."""
    cluster.set(pod="evicted")
    with pytest.raises(ContainerError, match="was not started"):
        target.start(ONE)


def test_an_image_that_cannot_be_pulled_is_an_error(cluster: Cluster, target: Kubernetes) -> None:
    """Nothing is known about the version, so it did not fail; the message has the cluster's own words."""
    cluster.set(pod="unpulled")
    with pytest.raises(ContainerError, match="ImagePullBackOff no such digest"):
        target.start(ONE)


def test_a_rollout_that_hangs_is_taken_back(cluster: Cluster, target: Kubernetes) -> None:
    """The pods of the old version have never been ended, and the new ones go."""
    target.start(ONE)
    target.switch(ONE)
    target.start(TWO)
    cluster.set(rollout=False)
    with pytest.raises(ContainerError, match="progress deadline"):
        target.switch(TWO)
    assert cluster.state["calls"][-1] == "rollout undo"
    assert cluster.state["deployments"]["sample-production-serving"]["digest"] == ONE.digest


def drift(target: Target) -> str:
    """What is not as it should be about what serves."""
    running = target.running()
    assert running is not None
    return running.drift


def test_a_rollout_on_its_way_is_not_as_it_should_be(cluster: Cluster, target: Kubernetes) -> None:
    """After a kill in the middle of one, or where no pod is up, the next deployment goes through with it."""
    target.start(ONE)
    target.switch(ONE)
    assert drift(target) == ""
    cluster.set(rollout=False)
    assert "its pods are not all of it" in drift(target)


def test_a_cluster_with_the_settings_of_yesterday_is_brought_to_those_of_today(
    target: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replicas, a manifest or the token: a reconcile sees each, and sees nothing once it was rolled out."""
    target.start(ONE)
    target.switch(ONE)
    more = Repository(tmp_path, config.parse(MODEL_TOML + CLUSTER.replace("replicas = 3", "replicas = 4")))
    assert "settings" in drift(Kubernetes(more, "production"))
    monkeypatch.setenv("GITOPS_TOKEN", "secret")
    assert "settings" in drift(target)
    target.switch(ONE)
    assert drift(target) == ""
    (tmp_path / "deploy/kubernetes/production/ingress.yaml").write_text("{}")
    assert "settings" in drift(target)


def test_a_mark_changes_with_the_token_and_does_not_tell_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands where others may read it."""
    monkeypatch.delenv("GITOPS_TOKEN", raising=False)
    without = settings.mark("a", 1)
    monkeypatch.setenv("GITOPS_TOKEN", "secret")
    marks = {settings.mark("a", 1), settings.mark("a", 2), without}
    assert len(marks) == 3
    assert all(re.fullmatch("[0-9a-f]{12}", each) for each in marks)
    monkeypatch.setenv("GITOPS_LOG_KEY", "key")
    assert settings.mark("a", 1) not in marks
    assert settings.mark("a", 1, token=False) == without


def test_a_cluster_without_kubectl_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sentence, not a traceback."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerError, match="not installed"):
        Kubernetes(repository(tmp_path / "repository", CLUSTER), "production").running()


class Site:
    """An address that says which version it serves, as Argo CD would have brought it up."""

    def __init__(self) -> None:
        """Serve nothing yet."""
        self.digest: str | None = None
        self.old: str | None = None
        self.asked = 0
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked += 1
                said = site.old if site.old and site.asked % 3 == 0 else site.digest
                body = json.dumps({"digest": said}).encode()
                self.send_response(200 if site.digest else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Keep quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def site() -> Iterator[Site]:
    """Until the test ends."""
    made = Site()
    yield made
    made.server.shutdown()
    made.server.server_close()


def argo(root: Path, url: str) -> ArgoCD:
    """A target of Argo CD at an address."""
    toml = f'[targets.production]\nkind = "argocd"\nurl = "{url}/"\nready_seconds = 1\n'
    return ArgoCD(repository(root, toml), "production")


def test_argocd_is_waited_for(site: Site, tmp_path: Path) -> None:
    """What the address says is what runs."""
    target = argo(tmp_path, site.url)
    assert target.running() is None
    site.digest = ONE.digest
    assert target.start(ONE) == site.url
    running = target.running()
    assert running is not None
    assert (running.digest, running.url) == (ONE.digest, site.url)


@pytest.mark.slow
def test_argocd_that_has_not_synced_is_an_error(site: Site, tmp_path: Path) -> None:
    """The old version still answers; nobody knows anything bad about the new one."""
    site.digest = ONE.digest
    with pytest.raises(ContainerError, match=r"answers with sha256:111111111111, not with sha256:222222222222"):
        argo(tmp_path, site.url).start(TWO)


@pytest.mark.slow
def test_argocd_is_waited_for_until_no_old_pod_answers(site: Site, tmp_path: Path) -> None:
    """While one pod after the other is replaced, the address answers with both versions."""
    site.digest, site.old = TWO.digest, ONE.digest
    target = argo(tmp_path, site.url)
    assert target.running() is None
    with pytest.raises(ContainerError, match="answers with sha256:111111111111"):
        target.start(TWO)


def test_argocd_does_not_say_that_a_version_has_died(tmp_path: Path) -> None:
    """An address that does not answer may be a name, a certificate or a proxy."""
    assert argo(tmp_path, "http://127.0.0.1:1").alive()


def test_argocd_without_an_address_is_a_mistake_in_model_toml(tmp_path: Path) -> None:
    """The message names the key."""
    with pytest.raises(ConfigError, match=r"\[targets.production\] has no `url`"):
        ArgoCD(repository(tmp_path, '[targets.production]\nkind = "argocd"\n'), "production")


def test_what_a_promotion_writes_for_argocd_leads_to_the_manifests(tmp_path: Path) -> None:
    """The folder that the Application names, and from there to the environment's own manifests."""
    made = repository(tmp_path, CLUSTER)
    file = tmp_path / argocd.path("production")
    said = json.loads(argocd.content(ONE, made))
    assert (file.parent / said["resources"][0]).resolve() == tmp_path / "deploy/kubernetes/production"
    application = (tmp_path / "deploy/argocd/application.yaml").read_text()
    assert f"path: {argocd.FOLDER}/ENVIRONMENT\n" in application


def front(folder: Path, name: str = "gitops-sample-production", network: str = "bridge") -> Front:
    """The front of a project."""
    return Front(folder / name, name, 8080, network)


def test_callers_are_sent_to_the_colour_that_is_pointed_to(tmp_path: Path) -> None:
    """Blue until somebody says green; saying it twice changes nothing."""
    made = front(tmp_path)
    made.write(DATA / "compose/nginx.conf")
    assert (made.serving, made.idle) == (BLUE, GREEN)
    for colour in (GREEN, GREEN, BLUE, BLUE):
        made.point(colour)
        assert made.serving == colour


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_what_nginx_reads_is_written_once(tmp_path: Path, network: str) -> None:
    """A second time nothing differs, so that nginx need not be told; the places stay the same."""
    made = front(tmp_path, network=network)
    assert made.write(DATA / "compose/nginx.conf")
    before = (made.folder / "places.conf").read_text()
    again = front(tmp_path, network=network)
    assert not again.stale(DATA / "compose/nginx.conf")
    assert not again.write(DATA / "compose/nginx.conf")
    assert again.stale(DATA / "compose/compose.yaml")
    assert (made.folder / "places.conf").read_text() == before
    assert all(f"upstream {colour} {{ server {place};" in before for colour, place in again.places().items())


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_prometheus_asks_both_colours_where_nginx_finds_them(tmp_path: Path, network: str) -> None:
    """One job for each deployment, called as the rules expect it."""
    made = front(tmp_path, network=network)
    made.write(DATA / "compose/nginx.conf")
    told = json.loads((made.folder / "targets.json").read_text())
    assert [(one["targets"], one["labels"]["colour"]) for one in told] == [
        ([place], colour) for colour, place in made.places().items()
    ]
    assert {one["labels"]["job"] for one in told} == {made.project}
    assert made.project.startswith("gitops-")


def test_two_projects_have_addresses_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where they are taken, a person names others."""
    one, two = front(tmp_path), front(tmp_path, "gitops-sample-staging")
    assert set(one.places().values()).isdisjoint(two.places().values())
    monkeypatch.setenv("GITOPS_SUBNET", "10.9.8.0/29")
    assert one.places() == {BLUE: "10.9.8.3:8080", GREEN: "10.9.8.4:8080"}


def test_compose_accepts_the_name_of_any_model(tmp_path: Path) -> None:
    """Lower-case letters, digits, dashes and underscores."""
    toml = MODEL_TOML.replace('name = "sample"', 'name = "Sample.Model_2"')
    found = project(Repository(tmp_path, config.parse(toml)), "production")
    assert re.fullmatch(r"gitops-sample-model_2-production-[0-9a-f]{6}", found)


def test_two_repositories_may_have_models_of_the_same_name(tmp_path: Path) -> None:
    """On one host neither takes the other's containers."""
    one, two = (Repository(tmp_path / name, config.parse(MODEL_TOML)) for name in ("one", "two"))
    for each in (one, two):
        each.root.mkdir()
    assert project(one, "production") != project(two, "production")


PODMAN = """#!/bin/sh
case "$1" in
    ps) ;;
    create) echo made ;;
    container) echo '[{"Id": "made", "Name": "trial", "Created": "1", "State": {"Running": true},
        "Config": {"Image": "i"}, "NetworkSettings": {"Ports": {"8080/tcp": [{"HostPort": "4321"}]}}}]' ;;
    push) while [ "$1" != --digestfile ]; do shift; done; printf "sha256:%s" "$PUSHED" >"$2" ;;
esac
"""


@pytest.mark.parametrize(
    ("state", "restarts", "unwell"),
    [
        ({"Running": True}, 0, False),
        ({"Running": True, "Health": {"Status": "healthy"}}, 3, False),
        ({"Running": True, "Health": {"Status": "starting"}}, 0, False),
        ({"Running": True, "Health": {"Status": "starting"}}, 3, True),
        ({"Running": True, "Health": {"Status": "unhealthy"}}, 0, True),
        ({"Running": True, "Restarting": True}, 3, True),
    ],
)
def test_a_container_that_ends_again_and_again_is_not_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: dict[str, object], restarts: int, unwell: bool
) -> None:
    """It is up whenever somebody looks, and serves nobody."""
    told = [{"Id": "made", "Name": "trial", "Created": "1", "State": state, "RestartCount": restarts,
             "Config": {"Image": "i"}, "NetworkSettings": {}}]  # fmt: skip
    (tmp_path / "podman").write_text(f"#!/bin/sh\necho '{json.dumps(told)}'\n")
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert Engine("podman").inspect("made").unwell is unwell


@pytest.mark.parametrize("pushed", ["1", "2"])
def test_what_is_published_is_what_was_reviewed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pushed: str) -> None:
    """An engine may write an image anew when it pushes it; then nobody has seen what it published."""
    (tmp_path / "podman").write_text(PODMAN)
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("PUSHED", pushed * 64)
    target = NoneTarget(repository(tmp_path / "repository", ""), "production", Engine("podman"))
    assert target.start(ONE) == "http://127.0.0.1:4321"
    if pushed == "1":
        target.switch(ONE)
        return
    with pytest.raises(ContainerError, match="was pushed as sha256:2222"):
        target.switch(ONE)


DOCKER = """#!/bin/sh
case "$1" in
    context) echo unix:///engine.sock ;;
    login) printf '%s %s %s' "$*" "$(cat)" "$DOCKER_HOST" >"$DOCKER_CONFIG/login" ;;
    pull) cp "$DOCKER_CONFIG/login" "$FOUND" ;;
esac
"""


def test_a_private_image_is_pulled_with_a_login_that_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password is on no command line, and the folder that held the login is gone."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("FOUND", str(tmp_path / "found"))
    monkeypatch.setenv("GITOPS_REGISTRY_USER", "ada")
    monkeypatch.setenv("GITOPS_REGISTRY_PASSWORD", "secret")
    with logged_in(Engine("docker"), str(ONE.image), "r.example/m") as engine:
        folder = Path(engine.environment["DOCKER_CONFIG"])
        engine.pull(str(ONE.image))
    said = "login --username ada --password-stdin r.example secret unix:///engine.sock"
    assert (tmp_path / "found").read_text() == said
    assert not folder.exists()


ENGINE = """#!/bin/sh
case "$*" in
    *" up "*) echo "$GITOPS_LOG_SINK $*" >>"$FOUND" ;;
    "ps "*) echo made ;;
    *RestartCount*) echo 2 ;;
    "container inspect"*) cat "$TOLD" ;;
    logs*) printf 'ready\\nConfiguration: model.toml: no key.\\n  Set it.\\n' ;;
esac
"""


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    """A place on an engine that notes what is brought up; its green colour has ended, as the file `told` says."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(ENGINE)
    (tmp_path / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("FOUND", str(tmp_path / "found"))
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    toml = f'[targets.production]\nkind = "compose"\n[log]\nsink = "{tmp_path}/today"\n'
    made = repository(tmp_path / "repository", toml)
    for name in ("then", "today"):
        (tmp_path / name).mkdir()
    return Compose(made, "production", Engine("docker"), tmp_path / "home")


def ended(folder: Path, code: int) -> None:
    """Let the green colour have ended with this code, and be about to be started again."""
    labels = {"com.docker.compose.service": GREEN}
    told = [{"Id": "made", "Name": "green", "Created": "1", "Config": {"Image": "i", "Labels": labels},
             "State": {"Running": True, "Restarting": True, "ExitCode": code}, "NetworkSettings": {}}]  # fmt: skip
    (folder / "told").write_text(json.dumps(told))


def test_a_colour_that_ends_over_its_configuration_has_not_failed(compose: Compose, tmp_path: Path) -> None:
    """What it said of it is told, and the version is not held; any other end is the version's."""
    ended(tmp_path, ConfigError.exit_code)
    with pytest.raises(ContainerError, match=r"Configuration: model.toml: no key\. Set it\.") as caught:
        compose.alive()
    assert "nothing was held" in caught.value.next
    ended(tmp_path, 1)
    assert not compose.alive()


@pytest.mark.slow
def test_a_process_that_ends_over_its_configuration_has_not_failed(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it is with a colour: here a hash without a key, by a version that would otherwise serve."""
    project = at_stage("promoted")
    project.edit("model.toml", "[gates]\n", '[log]\nsink = "log"\nhashed = ["kind"]\n\n[gates]\n')
    (project.root / "requirements" / "serve.txt").touch()
    project.vendor()
    made = config.find(project.root)
    run = project.root / ".gitops" / "run"
    monkeypatch.delenv("GITOPS_LOG_KEY", raising=False)
    monkeypatch.setattr(ProcessTarget, "_python", lambda self, wanted: Path(sys.executable))
    target = ProcessTarget(made, "production", 1)
    wanted = replace(ONE, digest=digest_of(run), files=run)
    try:
        assert target.start(wanted)  # what is only tried keeps no log
        assert target.alive()
        with pytest.raises(ContainerError, match=r"Configuration: .*GITOPS_LOG_KEY is not set"):
            target.switch(wanted)
    finally:
        target.end()


SINKS = {
    "that of its own commit": ("then", "then"),
    "none, for then there was no log": (None, None),
    "none, for the folder is not there": ("gone", None),
    "today's, for nobody knows the commit": ("", "today"),
}


@pytest.mark.parametrize(("named", "mounted"), SINKS.values(), ids=SINKS.keys())
def test_the_sink_that_is_mounted_is_the_one_that_the_version_reads(
    compose: Compose, tmp_path: Path, named: str | None, mounted: str | None
) -> None:
    """A rollback to a version that was trained with another sink starts."""
    root = tmp_path / "repository"
    git.run(root, "init", "--quiet")
    (root / "model.toml").write_text("" if named is None else f'[log]\nsink = "{tmp_path}/{named}"\n')
    git.run(root, "add", "model.toml")
    git.run(root, "commit", "--quiet", "--message", "then", env=git.identity(root))
    commit = git.run(root, "rev-parse", "HEAD").strip() if named != "" else "0" * 40
    compose._up(GREEN, replace(ONE, commit=commit))
    sink, _, command = (tmp_path / "found").read_text().partition(" ")
    assert sink == (str(tmp_path / mounted) if mounted else "")
    assert ("/log.yaml" in command) is (mounted is not None)
