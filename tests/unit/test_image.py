"""Contents of an image and smoke tests of a server. Tests with a container engine are in tests/containers."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gitops_ml import config, library, pip_settings, run
from gitops_ml.deploying import build_context, engine, image, login, sbom, smoke
from gitops_ml.errors import ConfigError, ContainerError, IntegrityError
from gitops_ml.manifest import digest_file
from unit.sample import TEMPLATE, Project, library_wheel

AtStage = Callable[[str], Project]


class TrainedProject:
    """A repository with a trained version and a serving lock.

    Attributes:
        project: The repository.
        files: Folder of the version.
        digest: Digest of the folder's manifest.
        described: Contents of run.json.
    """

    def __init__(self, project: Project) -> None:
        """Read the version that the project has trained."""
        self.project = project
        self.files = project.root / ".gitops" / "run"
        self.digest = digest_file(self.files / "manifest.json")
        self.described = run.read_run(self.files, self.digest)

    @property
    def repository(self) -> config.Repository:
        """Return the repository as commands find it."""
        return config.find_repository(self.project.root)

    def assemble(self, folder: Path, commit: str | None) -> Path:
        """Write the working folder of a server of the version, and return it."""
        build_context.assemble(self.repository, commit, self.files, self.digest, folder)
        return folder


@pytest.fixture
def trained(at_stage: AtStage) -> TrainedProject:
    """Return the sample project after `train`."""
    project = at_stage("trained")
    shutil.copy(TEMPLATE / "requirements" / "serve.txt", project.root / "requirements" / "serve.txt")
    project.vendor()
    return TrainedProject(project)


def list_files(folder: Path) -> list[str]:
    """Return the relative paths of all files and folders below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_server_gets_only_the_files_it_needs(trained: TrainedProject, tmp_path: Path) -> None:
    """A server gets configuration, lock, library, user package and version; neither the Git history nor the data."""
    folder = trained.assemble(tmp_path / "made", trained.project.git("rev-parse", "HEAD"))
    assert sorted(path.name for path in folder.iterdir()) == ["model.toml", "requirements", "run", "src", "vendor"]
    assert list_files(folder / "requirements") == ["gitops.txt", "serve.txt"]
    assert list_files(folder / "run") == list_files(trained.files)
    assert list_files(folder / "src") == [
        "sample",
        *(f"sample/{name}.py" for name in ("__init__", "estimator", "features", "schema")),
    ]


def test_the_user_package_is_that_of_the_commit(trained: TrainedProject, tmp_path: Path) -> None:
    """Later changes are not in the image; without a commit, the present files are."""
    commit = trained.project.git("rev-parse", "HEAD")
    trained.project.write("src/sample/features.py", "CHANGED = True\n")
    committed, present = trained.assemble(tmp_path / "committed", commit), trained.assemble(tmp_path / "present", None)
    assert "CHANGED" not in (committed / "src/sample/features.py").read_text()
    assert "CHANGED" in (present / "src/sample/features.py").read_text()


def test_an_unknown_commit_is_named(trained: TrainedProject, tmp_path: Path) -> None:
    """The message names the missing commit."""
    with pytest.raises(ConfigError, match=r"commit 000000000000 is not available"):
        trained.assemble(tmp_path / "made", "0" * 40)


def test_changed_files_never_reach_an_image(trained: TrainedProject, tmp_path: Path) -> None:
    """The files of the version are verified before the folder is written."""
    (trained.files / "model.skops").write_bytes(b"something else")
    with pytest.raises(IntegrityError):
        trained.assemble(tmp_path / "made", None)
    assert not (tmp_path / "made").exists()


def test_modification_times_and_permissions_are_fixed(trained: TrainedProject, tmp_path: Path) -> None:
    """Equal content gives an equal image on every machine and at every time."""
    folder = trained.assemble(tmp_path / "made", None)
    (folder / "model.toml").chmod(0o600)
    build_context.normalize_metadata(folder, 1_000_000_000)
    metadata = {(int(path.stat().st_mtime), oct(path.stat().st_mode & 0o777)) for path in folder.rglob("*")}
    assert metadata == {(1_000_000_000, "0o755"), (1_000_000_000, "0o644")}


LOCK = """# a lock for all Pythons
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:aa
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:bb
pywin32==1.0 ; sys_platform == 'win32' \\
    --hash=sha256:cc
scikit-learn==1.9.1 \\
    --hash=sha256:dd
    # via x
"""


@pytest.mark.parametrize(("python", "numpy"), [("3.11.7", "2.4.6"), ("3.13.1", "2.5.5")])
def test_the_sbom_lists_the_packages_of_this_python(trained: TrainedProject, python: str, numpy: str) -> None:
    """A universal lock pins packages for many versions of Python and systems; the image has one of each."""
    lineage = trained.described.lineage.model_copy(update={"python": python})
    described = trained.described.model_copy(update={"lineage": lineage})
    document = json.loads(sbom.render_sbom(described, "3", trained.digest, LOCK))
    assert [part["purl"] for part in document["components"]] == [
        f"pkg:pypi/numpy@{numpy}",
        "pkg:pypi/scikit-learn@1.9.1",
    ]
    assert document["metadata"]["component"]["version"] == "3"
    assert sbom.render_sbom(described, "3", trained.digest, LOCK) == sbom.render_sbom(
        described, "3", trained.digest, LOCK
    )


def test_the_image_has_a_label_with_the_library_version(trained: TrainedProject) -> None:
    """An image with a copy of the library's source has no such label."""
    version = image.VersionToBuild("3", trained.digest, trained.files, trained.described)
    pinned = library.pinned_version(trained.project.root)
    assert image.labels(trained.repository, version, pinned)["gitops.library"] == library_wheel().version
    assert "gitops.library" not in image.labels(trained.repository, version, None)


def test_the_sbom_lists_the_library(trained: TrainedProject) -> None:
    """The pin of the library is read like a lock."""
    document = json.loads(sbom.render_sbom(trained.described, "3", trained.digest, library_wheel().requirement))
    assert [(part["name"], part["version"]) for part in document["components"]] == [
        ("gitops-ml", library_wheel().version)
    ]


def test_pip_settings_are_build_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings and certificates become build secrets; local folders do not; the environment overrides files."""
    for name in list(os.environ):
        if name.startswith("PIP_") or name in pip_settings.CERTIFICATES:
            monkeypatch.delenv(name)
    settings, ca = tmp_path / "own.conf", tmp_path / "ca.pem"
    ca.write_text("certificates")
    settings.write_text(
        "[global]\nindex-url = https://ada:word@mirror.example/simple\nextra-index-url = file:///here\n"
        f"timeout = 5\ncert = {ca}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_TIMEOUT", "9")
    secrets = pip_settings.write_build_secrets(tmp_path)
    lines = secrets["pip"].read_text().splitlines()
    assert {"index-url = https://ada:word@mirror.example/simple", "timeout = 9", "cert = /run/secrets/ca"} <= set(lines)
    assert not any("file:" in line for line in lines)
    assert secrets["ca"] == ca
    assert secrets["pip"].stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("registry", "env", "expected"),
    [
        ("ghcr.io", {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "t", "GITHUB_ACTOR": "ada"}, ("ada", "t")),
        ("example.com", {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "t", "GITHUB_ACTOR": "ada"}, ("", "")),
        ("ghcr.io", {"GITHUB_TOKEN": "t"}, ("", "")),
        ("example.com", {"GITOPS_REGISTRY_USER": "eve", "GITOPS_REGISTRY_PASSWORD": "p"}, ("", "")),
        ("ours.example", {"GITOPS_REGISTRY_USER": "eve", "GITOPS_REGISTRY_PASSWORD": "p"}, ("eve", "p")),
        (
            "ghcr.io",
            {"GITHUB_ACTIONS": "true", "GITHUB_TOKEN": "t", "GITHUB_ACTOR": "ada", "GITOPS_REGISTRY_PASSWORD": "p"},
            ("ada", "t"),
        ),
    ],
)  # fmt: skip
def test_a_token_is_used_only_for_its_own_registry(
    monkeypatch: pytest.MonkeyPatch, registry: str, env: dict[str, str], expected: tuple[str, str]
) -> None:
    """The job's token is used for GitHub's registry, the password for the registry in model.toml, none for others."""
    for name in ("GITHUB_ACTIONS", "GITHUB_TOKEN", "GITHUB_ACTOR", login.USER, login.PASSWORD):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert login.credentials(registry, "ours.example") == expected


def test_the_image_repository_is_found(trained: TrainedProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is GitHub's registry with the repository's name in lower case; model.toml may name another."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    with pytest.raises(ConfigError, match="No registry is configured"):
        image.repository_name(trained.repository)
    monkeypatch.setenv("GITHUB_REPOSITORY", "Ada/Model")
    assert image.repository_name(trained.repository) == "ghcr.io/ada/model"
    trained.project.write(
        "model.toml", (trained.project.root / "model.toml").read_text() + '[image]\nrepository = "r/x"\n'
    )
    assert image.repository_name(trained.repository) == "r/x"


def test_targets_of_kind_process_need_no_image(trained: TrainedProject) -> None:
    """No image is built, and the output is empty."""
    toml = (trained.project.root / "model.toml").read_text()
    trained.project.write("model.toml", toml + '[targets.production]\nkind = "process"\n')
    result = trained.project.must("image", "--version", "1", "--digest", trained.digest)
    assert "No image is needed" in result.out
    assert result.outputs["image"] == ""


def test_without_an_engine_the_error_names_alternatives(
    trained: TrainedProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the engines to install, and the target that needs none."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerError) as raised:
        engine.find_engine("auto")
    assert all(f"`{name}` is not installed" in raised.value.problem for name in engine.ENGINES)
    assert 'kind = "process"' in raised.value.next_step


def test_an_engine_that_only_builds_cannot_run() -> None:
    """buildah cannot run containers."""
    with pytest.raises(ContainerError, match="cannot run them"):
        engine.Engine("buildah").containers("a=b")


class FakeServer:
    """A server with responses that a test sets.

    Attributes:
        responses: Status and content by path.
        following: Responses that replace the one of a path after each request, in order.
        url: Address of the server.
    """

    def __init__(self) -> None:
        """Start on a free port; an unknown path is 404."""
        self.responses: dict[str, tuple[int, Any]] = {}
        self.following: dict[str, list[tuple[int, Any]]] = {}
        fake = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Send the response of this path."""
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = fake.responses.get(self.path, (404, {"detail": "nothing here"}))
                if fake.following.get(self.path):
                    fake.responses[self.path] = fake.following[self.path].pop(0)
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def server(trained: TrainedProject) -> Iterator[FakeServer]:
    """Start a server with the recorded predictions."""
    fake = FakeServer()
    expected = json.loads((trained.files / "expected.json").read_bytes())["predictions"]
    classes = trained.described.classes
    probabilities = {str(label): [row[f"probability of {label}"] for row in expected] for label in classes}
    fake.responses = {
        "/health/ready": (200, {}), "/metadata": (200, {"digest": trained.digest}),
        "/predict": (200, {"predictions": [row["prediction"] for row in expected], "probabilities": probabilities}),
    }  # fmt: skip
    yield fake
    fake.server.shutdown()
    fake.server.server_close()


def test_the_recorded_predictions_pass(trained: TrainedProject, server: FakeServer) -> None:
    """A server that is ready, with the digest and every prediction as recorded, has no failures."""
    assert smoke.wait_until_ready(server.url, 5, lambda: True) == []
    assert smoke.replay(server.url, trained.files, trained.digest) == []


def _make_constant(server: FakeServer) -> None:
    labels = server.responses["/predict"][1]["predictions"]
    labels[:] = [labels[0]] * len(labels)


def _change_one_probability(server: FakeServer) -> None:
    probabilities = server.responses["/predict"][1]["probabilities"]["yes"]
    probabilities[0] += 0.01


def _drop_one_row(server: FakeServer) -> None:
    for column in (
        server.responses["/predict"][1]["predictions"],
        *server.responses["/predict"][1]["probabilities"].values(),
    ):
        column.pop()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fake: fake.responses.update({"/metadata": (200, {"digest": "sha256:other"})}), "serves sha256:other"),
        (lambda fake: fake.responses.update({"/metadata": (200, [])}), "It serves None"),
        (lambda fake: fake.responses.update({"/predict": (422, {"detail": "no such column"})}), "422"),
        (lambda fake: fake.responses.update({"/predict": (200, {"predictions": "?"})}), "in the expected form"),
        (_make_constant, "differ from training"),
        (_change_one_probability, "1 of 20 recorded rows"),
        (_drop_one_row, "19 predictions for 20 recorded rows"),
    ],
    ids=["other version", "no metadata", "refused", "no predictions", "constant", "one probability", "one row less"],
)  # fmt: skip
def test_wrong_responses_are_failures(
    trained: TrainedProject, server: FakeServer, change: Callable[[FakeServer], None], message: str
) -> None:
    """Each wrong response is returned as a sentence about it."""
    change(server)
    (failure,) = smoke.replay(server.url, trained.files, trained.digest)
    assert message in failure


def test_a_server_that_has_exited_is_a_failure(server: FakeServer) -> None:
    """The smoke test does not wait for a server that has exited."""
    server.responses["/health/ready"] = (503, {"detail": "not yet"})
    assert smoke.wait_until_ready(server.url, 600, lambda: False) == ["It ended before it was ready."]


def test_a_server_that_is_never_ready_is_a_failure(server: FakeServer) -> None:
    """The failure contains the last response of the server."""
    server.responses["/health/ready"] = (503, {"detail": "says something else"})
    (failure,) = smoke.wait_until_ready(server.url, 0.3, lambda: True)
    assert "503" in failure
    assert "says something else" in failure


@pytest.mark.slow
def test_a_server_that_cannot_be_reached_is_an_error(trained: TrainedProject, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result says nothing about the version."""
    monkeypatch.setattr(smoke, "ATTEMPTS", 2)
    with pytest.raises(ContainerError, match="cannot be reached"):
        smoke.replay("http://127.0.0.1:9", trained.files, trained.digest)


@pytest.mark.parametrize("status", [401, 403, 404, 502, 503, 504])
@pytest.mark.parametrize("path", ["/health/ready", "/metadata", "/predict"])
def test_at_a_shared_address_a_proxys_response_is_an_error(
    trained: TrainedProject, server: FakeServer, status: int, path: str
) -> None:
    """Such a response says nothing about the version. Only an address that callers use has a proxy."""
    server.responses[path] = (status, "A proxy")

    def run_smoke_test() -> None:
        smoke.wait_until_ready(server.url, 0.1, lambda: True, shared=True)
        smoke.replay(server.url, trained.files, trained.digest, shared=True)

    with pytest.raises(ContainerError):
        run_smoke_test()


def test_at_a_shared_address_an_error_of_the_server_is_a_failure(trained: TrainedProject, server: FakeServer) -> None:
    """An error in the format of the library's servers comes from the version."""
    server.responses["/health/ready"] = (503, {"error": {"code": "not_ready", "message": "Still starting."}})
    (failure,) = smoke.wait_until_ready(server.url, 0.1, lambda: True, shared=True)
    assert "Still starting" in failure
    server.responses["/predict"] = (422, {"error": {"code": "rows_refused", "message": "No such column."}})
    (failure,) = smoke.replay(server.url, trained.files, trained.digest, shared=True)
    assert "No such column" in failure


def test_at_a_shared_address_a_response_of_another_version_is_an_error(
    trained: TrainedProject, server: FakeServer
) -> None:
    """While pods are replaced, old ones respond too: with their digest, or with their predictions."""
    old = (200, {"digest": "sha256:old"})
    server.responses["/metadata"] = old
    with pytest.raises(ContainerError, match="answers with sha256:old"):
        smoke.replay(server.url, trained.files, trained.digest, shared=True)
    server.responses["/metadata"] = (200, {"digest": trained.digest})
    _make_constant(server)
    server.following["/metadata"] = [(200, {"digest": trained.digest}), old]
    with pytest.raises(ContainerError, match="answers with sha256:old"):
        smoke.replay(server.url, trained.files, trained.digest, shared=True)
    server.responses["/metadata"] = (200, {"digest": trained.digest})
    (failure,) = smoke.replay(server.url, trained.files, trained.digest, shared=True)
    assert "differ from training" in failure
