"""Deployment targets: their files and commands. Tests with engines and clusters are in tests/containers."""

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
from gitops_ml.commands.deploy_context import open_deploy_context
from gitops_ml.config import Repository
from gitops_ml.deploying import settings_digest
from gitops_ml.deploying.engine import Engine
from gitops_ml.deploying.login import logged_in
from gitops_ml.deploying.state_folder import environment_folder
from gitops_ml.deploying.target import Rollout, Target
from gitops_ml.deploying.targets import argocd, kustomization
from gitops_ml.deploying.targets.argocd import ArgoCD
from gitops_ml.deploying.targets.choose import choose_target
from gitops_ml.deploying.targets.compose import Compose, project
from gitops_ml.deploying.targets.kubernetes import UNREACHABLE, Kubernetes
from gitops_ml.deploying.targets.none import NoneTarget
from gitops_ml.deploying.targets.process import ProcessTarget
from gitops_ml.deploying.targets.reverse_proxy import BLUE, GREEN, ReverseProxy
from gitops_ml.errors import ConfigError, ContainerError
from gitops_ml.prediction_log import SMOKE_TEST
from gitops_ml.secrets import SERVER_SECRETS
from unit.fake_kubectl import FakeCluster
from unit.http_caller import manifest_digest
from unit.sample import DATA, MODEL_TOML, TEMPLATE, Project

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
    """Return a repository with this configuration and the template's manifests."""
    shutil.copytree(TEMPLATE / "deploy", root / "deploy")
    return Repository(root, config.parse_config(MODEL_TOML + toml))


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """Return an empty cluster."""
    (tmp_path / "bin").mkdir()
    return FakeCluster(tmp_path / "bin", monkeypatch)


@pytest.fixture
def target(cluster: FakeCluster, tmp_path: Path) -> Iterator[Kubernetes]:
    """Yield the target in the cluster."""
    kubernetes = Kubernetes(repository(tmp_path, CLUSTER), "production")
    yield kubernetes
    kubernetes.discard()


@pytest.mark.parametrize(("parts", "expected"), NAMES.items(), ids=lambda part: str(part))
def test_a_resource_prefix_is_valid_in_kubernetes(parts: tuple[str, str], expected: str) -> None:
    """A prefix that had to be changed ends with a hash, and none equals that of another environment's smoke test."""
    assert kustomization.resource_prefix(*parts) == expected


def test_a_long_resource_prefix_is_shortened() -> None:
    """The names of the resources have at most 63 characters, which is the limit of Kubernetes."""
    prefix = kustomization.resource_prefix("a" * 100, "production")
    assert len(f"{prefix}-{kustomization.NEXT}-{kustomization.BASE}") <= 63
    assert prefix != kustomization.resource_prefix("a" * 101, "production")


def test_a_kustomization_pins_the_image_and_names_the_version(tmp_path: Path) -> None:
    """The image is named by digest; namespace and replicas are those of model.toml."""
    content = json.loads(kustomization.render_kustomization(ONE, repository(tmp_path, CLUSTER).config, "../base"))
    assert content["images"] == [{"name": "serving", "newName": "r.example/m", "digest": f"sha256:{'1' * 64}"}]
    assert (content["namespace"], content["resources"]) == ("models", ["../base"])
    deployment, autoscaler = (json.loads(patch["patch"]) for patch in content["patches"])
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    assert {entry["name"]: entry.get("value") for entry in env} == {**ONE.variables, **dict.fromkeys(SERVER_SECRETS)}
    assert autoscaler["spec"] == {"minReplicas": 3}


def test_the_pod_of_a_smoke_test_keeps_no_log(tmp_path: Path) -> None:
    """A variable tells the server that its requests are not of callers."""
    config = repository(tmp_path, CLUSTER).config
    content = json.loads(kustomization.render_kustomization(ONE, config, "../base", for_smoke_test=True))
    (container,) = json.loads(content["patches"][0]["patch"])["spec"]["template"]["spec"]["containers"]
    assert {"name": SMOKE_TEST, "value": "1"} in container["env"]


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
def test_all_clones_of_a_repository_have_the_same_state_folder(tmp_path: Path, url: str) -> None:
    """A clone over SSH finds what a clone over HTTPS deployed."""
    clone = repository(tmp_path, CLUSTER)
    for command in (("init", "--quiet"), ("remote", "add", "origin", url)):
        git.run(tmp_path, *command)
    folder = environment_folder(clone, "production")
    git.run(tmp_path, "remote", "set-url", "origin", "https://github.com/ada/iris")
    assert folder == environment_folder(clone, "production")
    git.run(tmp_path, "remote", "set-url", "origin", "https://github.com/ada/rose")
    assert folder != environment_folder(clone, "production")


@pytest.mark.parametrize("kind", ["process", "compose"])
def test_a_server_is_not_started_on_a_hosted_runner(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The job would succeed, and the server would end with the runner."""
    project = at_stage("promoted")
    project.edit("model.toml", "[project]", f'[targets.production]\nkind = "{kind}"\n\n[project]')
    monkeypatch.setenv("RUNNER_ENVIRONMENT", "github-hosted")
    result = project.gitops("deploy")
    assert result.code == ConfigError.exit_code
    assert "DEPLOY_RUNNER" in result.err


def test_a_job_runs_no_version_without_an_image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a user's machine the version runs as a process; a workflow runs only the reviewed image."""
    clone = repository(tmp_path, "")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    assert isinstance(choose_target(clone, "production", None), ProcessTarget)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    with pytest.raises(ConfigError, match="names no image"):
        choose_target(clone, "production", None)


@pytest.mark.slow
def test_a_ready_server_that_cannot_be_reached_is_an_error(at_stage: Callable[[str], Project]) -> None:
    """A version is held if it does not become ready, but not for a fault of the network."""
    project = at_stage("promoted")
    project.edit("model.toml", "[project]", "[targets.production]\nready_seconds = 1\n\n[project]")
    context = open_deploy_context(config.find_repository(project.root), "production")
    failures = context.smoke_test("http://127.0.0.1:1", ONE, lambda: True)
    assert failures == ["It was not ready after 1 s: it does not answer."]
    with pytest.raises(ContainerError, match="passes its own health check") as caught:
        context.smoke_test("http://127.0.0.1:1", ONE, lambda: True, lambda: True)
    assert "No version was held" in caught.value.next_step


def test_a_cluster_needs_an_image(tmp_path: Path) -> None:
    """A record without an image is an error."""
    with pytest.raises(ContainerError, match="has no image"):
        kustomization.render_kustomization(replace(ONE, image=None), repository(tmp_path, CLUSTER).config, "../base")


def test_a_kustomization_extends_the_environments_folder_or_the_base(tmp_path: Path) -> None:
    """An environment without a folder of its own extends the base."""
    repository(tmp_path, CLUSTER)
    assert kustomization.kustomization_base(tmp_path, "production") == "deploy/kubernetes/production"
    assert kustomization.kustomization_base(tmp_path, "europe") == "deploy/kubernetes/base"


def test_a_version_is_tested_in_a_pod_and_then_replaces_the_old_one(cluster: FakeCluster, target: Kubernetes) -> None:
    """The callers' Deployment gets the image at the switch, and the pod of the smoke test is removed."""
    assert target.running() is None
    assert target.start(ONE) == "http://127.0.0.1:4321"
    assert target.is_alive()
    assert target.is_ready()
    assert set(cluster.state["deployments"]) == {"sample-production-next-serving"}
    target.switch(ONE)
    assert set(cluster.state["deployments"]) == {"sample-production-serving"}
    running = target.running()
    assert running is not None
    assert (running.digest, running.image) == (ONE.digest, ONE.image)


def test_a_discarded_version_does_not_affect_the_serving_one(cluster: FakeCluster, target: Kubernetes) -> None:
    """Its pod is removed, its logs are returned, and the Deployment is not changed."""
    target.start(ONE)
    target.switch(ONE)
    cluster.set(pod="crashing")
    assert target.start(TWO) == UNREACHABLE
    assert not target.is_alive()
    assert not target.is_ready()
    assert "printed something" in target.discard()
    assert set(cluster.state["deployments"]) == {"sample-production-serving"}
    running = target.running()
    assert running is not None
    assert running.digest == ONE.digest


@pytest.mark.parametrize(
    ("state", "message"),
    [("evicted", "Evicted The node was low"), ("preempted", "PreemptionByScheduler"), ("", "does not exist")],
)
def test_a_pod_that_the_cluster_removes_is_an_error(
    cluster: FakeCluster, target: Kubernetes, state: str, message: str
) -> None:
    """Its container ended with it, which says nothing about the version."""
    target.start(ONE)
    pods = cluster.state["pods"]
    cluster.set(pods={name: {**pod, "state": state} for name, pod in pods.items()} if state else {})
    with pytest.raises(ContainerError, match=message):
        target.is_alive()


@pytest.mark.slow
def test_a_pod_that_was_removed_before_is_not_used(cluster: FakeCluster, target: Kubernetes) -> None:
    """The target waits for the next pod of the Deployment."""
    cluster.set(pod="evicted")
    with pytest.raises(ContainerError, match="was not started"):
        target.start(ONE)


@pytest.mark.slow
def test_an_image_that_cannot_be_pulled_is_an_error(cluster: FakeCluster, target: Kubernetes) -> None:
    """It says nothing about the version; the message quotes the cluster."""
    cluster.set(pod="unpulled")
    with pytest.raises(ContainerError, match="ImagePullBackOff no such digest"):
        target.start(ONE)


def test_a_rollout_that_does_not_complete_is_undone(cluster: FakeCluster, target: Kubernetes) -> None:
    """The pods of the old version keep serving, and the new ones are removed."""
    target.start(ONE)
    target.switch(ONE)
    target.start(TWO)
    cluster.set(rollout=False)
    with pytest.raises(ContainerError, match="progress deadline"):
        target.switch(TWO)
    assert cluster.state["calls"][-1] == "rollout undo"
    assert cluster.state["deployments"]["sample-production-serving"]["digest"] == ONE.digest


def drift(target: Target) -> str:
    """Return the differences from the desired deployment."""
    running = target.running()
    assert running is not None
    return running.drift


def test_an_incomplete_rollout_is_drift(cluster: FakeCluster, target: Kubernetes) -> None:
    """After a kill during a rollout, or if no pod is available, the next deployment completes it."""
    target.start(ONE)
    target.switch(ONE)
    assert drift(target) == ""
    cluster.set(rollout=False)
    assert "not all of its pods are of this version" in drift(target)


def test_changed_settings_of_a_cluster_are_drift(
    target: Kubernetes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replicas, a manifest and the token are settings; after a rollout there is no drift."""
    target.start(ONE)
    target.switch(ONE)
    changed = Repository(tmp_path, config.parse_config(MODEL_TOML + CLUSTER.replace("replicas = 3", "replicas = 4")))
    assert "settings" in drift(Kubernetes(changed, "production"))
    monkeypatch.setenv("GITOPS_TOKEN", "secret")
    assert "settings" in drift(target)
    target.switch(ONE)
    assert drift(target) == ""
    (tmp_path / "deploy/kubernetes/production/ingress.yaml").write_text("{}")
    assert "settings" in drift(target)


def test_a_settings_digest_changes_with_the_secrets_without_revealing_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The digest is public."""
    monkeypatch.delenv("GITOPS_TOKEN", raising=False)
    without = settings_digest.settings_digest("a", 1)
    monkeypatch.setenv("GITOPS_TOKEN", "secret")
    digests = {settings_digest.settings_digest("a", 1), settings_digest.settings_digest("a", 2), without}
    assert len(digests) == 3
    assert all(re.fullmatch("[0-9a-f]{12}", each) for each in digests)
    monkeypatch.setenv("GITOPS_LOG_KEY", "key")
    assert settings_digest.settings_digest("a", 1) not in digests
    assert settings_digest.settings_digest("a", 1, with_secrets=False) == without


def test_a_cluster_without_kubectl_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says that kubectl is not installed."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerError, match="not installed"):
        Kubernetes(repository(tmp_path / "repository", CLUSTER), "production").running()


class Endpoint:
    """A server that names a version, as if Argo CD had deployed it.

    Attributes:
        digest: Digest that it names; None if it does not serve.
        old: Digest that it names in every third response.
    """

    def __init__(self) -> None:
        """Start the server, which does not serve a version yet."""
        self.digest: str | None = None
        self.old: str | None = None
        self.requests = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                endpoint.requests += 1
                digest = endpoint.old if endpoint.old and endpoint.requests % 3 == 0 else endpoint.digest
                body = json.dumps({"digest": digest}).encode()
                self.send_response(200 if endpoint.digest else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        """URL of the server."""
        return f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """Yield a running server."""
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


def argocd_target(root: Path, url: str) -> ArgoCD:
    """Return a target of kind "argocd" at a URL."""
    toml = f'[targets.production]\nkind = "argocd"\nurl = "{url}/"\nready_seconds = 1\n'
    return ArgoCD(repository(root, toml), "production")


def test_the_argocd_target_waits_for_the_version(endpoint: Endpoint, tmp_path: Path) -> None:
    """The running version is the one that the server names."""
    target = argocd_target(tmp_path, endpoint.url)
    assert target.running() is None
    endpoint.digest = ONE.digest
    assert target.start(ONE) == endpoint.url
    running = target.running()
    assert running is not None
    assert (running.digest, running.url) == (ONE.digest, endpoint.url)


@pytest.mark.slow
def test_argocd_that_has_not_synced_is_an_error(endpoint: Endpoint, tmp_path: Path) -> None:
    """If the old version still answers, nothing is known about the new one."""
    endpoint.digest = ONE.digest
    with pytest.raises(ContainerError, match=r"answers with sha256:111111111111, not with sha256:222222222222"):
        argocd_target(tmp_path, endpoint.url).start(TWO)


@pytest.mark.slow
def test_the_argocd_target_waits_until_no_old_pod_answers(endpoint: Endpoint, tmp_path: Path) -> None:
    """While pods are replaced one after the other, the server answers with both versions."""
    endpoint.digest, endpoint.old = TWO.digest, ONE.digest
    target = argocd_target(tmp_path, endpoint.url)
    assert target.running() is None
    with pytest.raises(ContainerError, match="answers with sha256:111111111111"):
        target.start(TWO)


def test_the_argocd_target_is_always_alive(tmp_path: Path) -> None:
    """A missing response may be a fault of DNS, a certificate or a proxy."""
    assert argocd_target(tmp_path, "http://127.0.0.1:1").is_alive()


def test_the_argocd_target_needs_a_url(tmp_path: Path) -> None:
    """The message names the key of model.toml."""
    with pytest.raises(ConfigError, match=r"\[targets.production\] has no `url`"):
        ArgoCD(repository(tmp_path, '[targets.production]\nkind = "argocd"\n'), "production")


def test_the_argocd_kustomization_extends_the_manifests(tmp_path: Path) -> None:
    """The Application points at its folder, and it extends the environment's own manifests."""
    clone = repository(tmp_path, CLUSTER)
    file = tmp_path / argocd.argocd_kustomization_path("production")
    content = json.loads(argocd.render_argocd_kustomization(ONE, clone))
    assert (file.parent / content["resources"][0]).resolve() == tmp_path / "deploy/kubernetes/production"
    application = (tmp_path / "deploy/argocd/application.yaml").read_text()
    assert f"path: {argocd.FOLDER}/ENVIRONMENT\n" in application


def make_proxy(folder: Path, name: str = "gitops-sample-production", network: str = "bridge") -> ReverseProxy:
    """Return the reverse proxy of a project."""
    return ReverseProxy(folder / name, name, 8080, network)


def test_callers_are_routed_to_the_serving_colour(tmp_path: Path) -> None:
    """The first serving colour is blue; routing to the same colour twice changes nothing."""
    proxy = make_proxy(tmp_path)
    proxy.write_files(DATA / "compose/nginx.conf")
    assert (proxy.serving_colour, proxy.idle_colour) == (BLUE, GREEN)
    for colour in (GREEN, GREEN, BLUE, BLUE):
        proxy.route_to(colour)
        assert proxy.serving_colour == colour


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_the_files_of_nginx_are_written_once(tmp_path: Path, network: str) -> None:
    """The second time no file changes, so that nginx need not reload; the addresses stay the same."""
    proxy = make_proxy(tmp_path, network=network)
    assert proxy.write_files(DATA / "compose/nginx.conf")
    before = (proxy.folder / "places.conf").read_text()
    second = make_proxy(tmp_path, network=network)
    assert not second.is_outdated(DATA / "compose/nginx.conf")
    assert not second.write_files(DATA / "compose/nginx.conf")
    assert second.is_outdated(DATA / "compose/compose.yaml")
    assert (proxy.folder / "places.conf").read_text() == before
    assert all(f"upstream {colour} {{ server {address};" in before for colour, address in second.addresses().items())


@pytest.mark.parametrize("network", ["bridge", "host"])
def test_prometheus_scrapes_the_addresses_of_both_colours(tmp_path: Path, network: str) -> None:
    """There is one job for each deployment, with the name that the alert rules expect."""
    proxy = make_proxy(tmp_path, network=network)
    proxy.write_files(DATA / "compose/nginx.conf")
    targets = json.loads((proxy.folder / "targets.json").read_text())
    assert [(one["targets"], one["labels"]["colour"]) for one in targets] == [
        ([address], colour) for colour, address in proxy.addresses().items()
    ]
    assert {one["labels"]["job"] for one in targets} == {proxy.project}
    assert proxy.project.startswith("gitops-")


def test_two_projects_have_different_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """GITOPS_SUBNET sets other addresses."""
    one, two = make_proxy(tmp_path), make_proxy(tmp_path, "gitops-sample-staging")
    assert set(one.addresses().values()).isdisjoint(two.addresses().values())
    monkeypatch.setenv("GITOPS_SUBNET", "10.9.8.0/29")
    assert one.addresses() == {BLUE: "10.9.8.3:8080", GREEN: "10.9.8.4:8080"}


def test_a_compose_project_name_is_valid_for_any_model(tmp_path: Path) -> None:
    """It consists of lower-case letters, digits, dashes and underscores."""
    toml = MODEL_TOML.replace('name = "sample"', 'name = "Sample.Model_2"')
    name = project(Repository(tmp_path, config.parse_config(toml)), "production")
    assert re.fullmatch(r"gitops-sample-model_2-production-[0-9a-f]{6}", name)


def test_two_repositories_with_the_same_model_name_have_different_projects(tmp_path: Path) -> None:
    """On one host, neither uses the containers of the other."""
    one, two = (Repository(tmp_path / name, config.parse_config(MODEL_TOML)) for name in ("one", "two"))
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
    ("state", "restarts", "unhealthy"),
    [
        ({"Running": True}, 0, False),
        ({"Running": True, "Health": {"Status": "healthy"}}, 3, False),
        ({"Running": True, "Health": {"Status": "starting"}}, 0, False),
        ({"Running": True, "Health": {"Status": "starting"}}, 3, True),
        ({"Running": True, "Health": {"Status": "unhealthy"}}, 0, True),
        ({"Running": True, "Restarting": True}, 3, True),
    ],
)
def test_a_container_that_restarts_repeatedly_is_unhealthy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: dict[str, object], restarts: int, unhealthy: bool
) -> None:
    """It may be running at the moment of the check, but it does not serve."""
    inspected = [{"Id": "made", "Name": "trial", "Created": "1", "State": state, "RestartCount": restarts,
             "Config": {"Image": "i"}, "NetworkSettings": {}}]  # fmt: skip
    (tmp_path / "podman").write_text(f"#!/bin/sh\necho '{json.dumps(inspected)}'\n")
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert Engine("podman").inspect("made").unhealthy is unhealthy


@pytest.mark.parametrize("pushed", ["1", "2"])
def test_the_pushed_image_must_be_the_reviewed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pushed: str
) -> None:
    """An engine may change an image when it pushes it; then the push is an error."""
    (tmp_path / "podman").write_text(PODMAN)
    (tmp_path / "podman").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("PUSHED", pushed * 64)
    target = NoneTarget(repository(tmp_path / "repository", ""), "production", Engine("podman"))
    assert target.start(ONE) == "http://127.0.0.1:4321"
    if pushed == "1":
        target.switch(ONE)
        return
    with pytest.raises(ContainerError, match="was pushed with the digest sha256:2222"):
        target.switch(ONE)


DOCKER = """#!/bin/sh
case "$1" in
    context) echo unix:///engine.sock ;;
    login) printf '%s %s %s' "$*" "$(cat)" "$DOCKER_HOST" >"$DOCKER_CONFIG/login" ;;
    pull) cp "$DOCKER_CONFIG/login" "$FOUND" ;;
esac
"""


def test_a_private_image_is_pulled_with_a_temporary_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password is not on a command line, and the folder of the login is removed."""
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("FOUND", str(tmp_path / "found"))
    monkeypatch.setenv("GITOPS_REGISTRY_USER", "ada")
    monkeypatch.setenv("GITOPS_REGISTRY_PASSWORD", "secret")
    with logged_in(Engine("docker"), str(ONE.image), "r.example/m") as engine:
        folder = Path(engine.environment["DOCKER_CONFIG"])
        engine.pull(str(ONE.image))
    login = "login --username ada --password-stdin r.example secret unix:///engine.sock"
    assert (tmp_path / "found").read_text() == login
    assert not folder.exists()


ENGINE = """#!/bin/sh
case "$*" in
    *" up "*) echo "$GITOPS_LOG_SINK $*" >>"$FOUND" ;;
    "ps "*) echo made ;;
    *RestartCount*) echo 2 ;;
    "container inspect"*) cat "$INSPECTED" ;;
    logs*) printf 'ready\\nConfiguration: model.toml: no key.\\n  Set it.\\n' ;;
esac
"""


@pytest.fixture
def compose(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compose:
    """Return a target whose engine records `up` commands, and inspects containers as the file `inspected` says."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text(ENGINE)
    (tmp_path / "bin" / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setenv("FOUND", str(tmp_path / "found"))
    monkeypatch.setenv("INSPECTED", str(tmp_path / "inspected"))
    toml = f'[targets.production]\nkind = "compose"\n[log]\nsink = "{tmp_path}/today"\n'
    clone = repository(tmp_path / "repository", toml)
    for name in ("then", "today"):
        (tmp_path / name).mkdir()
    return Compose(clone, "production", Engine("docker"), tmp_path / "home")


def end_green(folder: Path, code: int) -> None:
    """Let the green container be one that ended with an exit code and is restarting."""
    labels = {"com.docker.compose.service": GREEN}
    inspected = [{"Id": "made", "Name": "green", "Created": "1", "Config": {"Image": "i", "Labels": labels},
             "State": {"Running": True, "Restarting": True, "ExitCode": code}, "NetworkSettings": {}}]  # fmt: skip
    (folder / "inspected").write_text(json.dumps(inspected))


def test_a_container_that_ends_because_of_its_configuration_is_an_error(compose: Compose, tmp_path: Path) -> None:
    """The message quotes it, and the version is not held; any other exit code is a failure of the version."""
    end_green(tmp_path, ConfigError.exit_code)
    with pytest.raises(ContainerError, match=r"Configuration: model.toml: no key\. Set it\.") as caught:
        compose.is_alive()
    assert "no version was held" in caught.value.next_step
    end_green(tmp_path, 1)
    assert not compose.is_alive()


@pytest.mark.slow
def test_a_process_that_ends_because_of_its_configuration_is_an_error(
    at_stage: Callable[[str], Project], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration hashes a column of the log, and the key for the hashes is missing."""
    project = at_stage("promoted")
    project.edit("model.toml", "[gates]\n", '[log]\nsink = "log"\nhashed = ["kind"]\n\n[gates]\n')
    (project.root / "requirements" / "serve.txt").touch()
    project.vendor()
    clone = config.find_repository(project.root)
    run = project.root / ".gitops" / "run"
    monkeypatch.delenv("GITOPS_LOG_KEY", raising=False)
    monkeypatch.setattr(ProcessTarget, "_find_python", lambda self, rollout: Path(sys.executable))
    target = ProcessTarget(clone, "production", 1)
    rollout = replace(ONE, digest=manifest_digest(run), files=run)
    try:
        assert target.start(rollout)  # without a log during the smoke test
        assert target.is_alive()
        with pytest.raises(ContainerError, match=r"Configuration: .*GITOPS_LOG_KEY is not set"):
            target.switch(rollout)
    finally:
        target.stop()


SINKS = {
    "the sink of its commit": ("then", "then"),
    "none, because its commit has no log": (None, None),
    "none, because the folder is missing": ("gone", None),
    "the current one, because the commit is unknown": ("", "today"),
}


@pytest.mark.parametrize(("committed", "mounted"), SINKS.values(), ids=SINKS.keys())
def test_the_mounted_sink_is_the_one_of_the_versions_commit(
    compose: Compose, tmp_path: Path, committed: str | None, mounted: str | None
) -> None:
    """After a rollback, the server of a version with another sink starts."""
    root = tmp_path / "repository"
    git.run(root, "init", "--quiet")
    (root / "model.toml").write_text("" if committed is None else f'[log]\nsink = "{tmp_path}/{committed}"\n')
    git.run(root, "add", "model.toml")
    git.run(root, "commit", "--quiet", "--message", "then", env=git.commit_environment(root))
    commit = git.run(root, "rev-parse", "HEAD").strip() if committed != "" else "0" * 40
    compose._up(GREEN, replace(ONE, commit=commit))
    sink, _, command = (tmp_path / "found").read_text().partition(" ")
    assert sink == (str(tmp_path / mounted) if mounted else "")
    assert ("/log.yaml" in command) is (mounted is not None)
