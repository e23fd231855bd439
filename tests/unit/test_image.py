"""What goes into an image, and what a server is asked; without a container engine, whose part is tested with one."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gitops_ml import config, index, library, run
from gitops_ml.deploying import context, engine, image, login, sbom, smoke
from gitops_ml.errors import ConfigError, ContainerError, IntegrityError
from gitops_ml.manifest import digest_file
from unit.sample import TEMPLATE, Project, library_wheel

AtStage = Callable[[str], Project]


class Trained:
    """A repository with a trained version and a serving lock."""

    def __init__(self, project: Project) -> None:
        """Its files, and what pins them."""
        self.project = project
        self.files = project.root / ".gitops" / "run"
        self.digest = digest_file(self.files / "manifest.json")
        self.described = run.read(self.files, self.digest)

    @property
    def repository(self) -> config.Repository:
        """As commands find it."""
        return config.find(self.project.root)

    def assemble(self, folder: Path, commit: str | None) -> Path:
        """What a server of the version works in."""
        context.assemble(self.repository, commit, self.files, self.digest, folder)
        return folder


@pytest.fixture
def trained(at_stage: AtStage) -> Trained:
    """The sample after `train`."""
    project = at_stage("trained")
    shutil.copy(TEMPLATE / "requirements" / "serve.txt", project.root / "requirements" / "serve.txt")
    project.vendor()
    return Trained(project)


def listed(folder: Path) -> list[str]:
    """Everything below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_a_server_gets_what_it_needs_and_no_more(trained: Trained, tmp_path: Path) -> None:
    """Configuration, lock, library, your package, the version's files; no Git, no data."""
    made = trained.assemble(tmp_path / "made", trained.project.git("rev-parse", "HEAD"))
    assert sorted(path.name for path in made.iterdir()) == ["model.toml", "requirements", "run", "src", "vendor"]
    assert listed(made / "requirements") == ["gitops.txt", "serve.txt"]
    assert listed(made / "run") == listed(trained.files)
    assert listed(made / "src") == [
        "sample",
        *(f"sample/{name}.py" for name in ("__init__", "estimator", "features", "schema")),
    ]


def test_your_code_is_that_of_the_commit(trained: Trained, tmp_path: Path) -> None:
    """What has changed since does not reach the image; without a commit, what lies there does."""
    commit = trained.project.git("rev-parse", "HEAD")
    trained.project.write("src/sample/features.py", "CHANGED = True\n")
    then, now = trained.assemble(tmp_path / "then", commit), trained.assemble(tmp_path / "now", None)
    assert "CHANGED" not in (then / "src/sample/features.py").read_text()
    assert "CHANGED" in (now / "src/sample/features.py").read_text()


def test_an_unknown_commit_is_named(trained: Trained, tmp_path: Path) -> None:
    """It says which commit is missing, and what it must hold."""
    with pytest.raises(ConfigError, match=r"commit 000000000000, cannot be had"):
        trained.assemble(tmp_path / "made", "0" * 40)


def test_changed_files_never_reach_an_image(trained: Trained, tmp_path: Path) -> None:
    """They are verified before anything is written."""
    (trained.files / "model.skops").write_bytes(b"something else")
    with pytest.raises(IntegrityError):
        trained.assemble(tmp_path / "made", None)
    assert not (tmp_path / "made").exists()


def test_the_same_content_looks_the_same(trained: Trained, tmp_path: Path) -> None:
    """Age and rights come from us, not from the machine or the moment."""
    made = trained.assemble(tmp_path / "made", None)
    (made / "model.toml").chmod(0o600)
    context.settle(made, 1_000_000_000)
    found = {(int(path.stat().st_mtime), oct(path.stat().st_mode & 0o777)) for path in made.rglob("*")}
    assert found == {(1_000_000_000, "0o755"), (1_000_000_000, "0o644")}


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
def test_the_bill_lists_what_this_python_gets(trained: Trained, python: str, numpy: str) -> None:
    """A universal lock pins for many Pythons and systems; the image holds one of them."""
    lineage = trained.described.lineage.model_copy(update={"python": python})
    described = trained.described.model_copy(update={"lineage": lineage})
    bill = json.loads(sbom.bill(described, "3", trained.digest, LOCK))
    assert [part["purl"] for part in bill["components"]] == [f"pkg:pypi/numpy@{numpy}", "pkg:pypi/scikit-learn@1.9.1"]
    assert bill["metadata"]["component"]["version"] == "3"
    assert sbom.bill(described, "3", trained.digest, LOCK) == sbom.bill(described, "3", trained.digest, LOCK)


def test_the_image_says_which_library_serves(trained: Trained) -> None:
    """A label, beside the version's digest; an image with a copy of the source has none."""
    wanted = image.Wanted("3", trained.digest, trained.files, trained.described)
    pinned = library.pinned(trained.project.root)
    assert image.labels(trained.repository, wanted, pinned)["gitops.library"] == library_wheel().version
    assert "gitops.library" not in image.labels(trained.repository, wanted, None)


def test_the_bill_lists_the_library(trained: Trained) -> None:
    """Its pin is read like a lock."""
    bill = json.loads(sbom.bill(trained.described, "3", trained.digest, library_wheel().requirement))
    assert [(part["name"], part["version"]) for part in bill["components"]] == [("gitops-ml", library_wheel().version)]


def test_where_packages_come_from_is_lent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip's settings and certificates travel as secrets; folders of this machine do not, the environment wins."""
    for name in list(os.environ):
        if name.startswith("PIP_") or name in index.CERTIFICATES:
            monkeypatch.delenv(name)
    settings, ca = tmp_path / "own.conf", tmp_path / "ca.pem"
    ca.write_text("certificates")
    settings.write_text(
        "[global]\nindex-url = https://ada:word@mirror.example/simple\nextra-index-url = file:///here\n"
        f"timeout = 5\ncert = {ca}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(settings))
    monkeypatch.setenv("PIP_TIMEOUT", "9")
    secrets = index.lent(tmp_path)
    said = secrets["pip"].read_text().splitlines()
    assert {"index-url = https://ada:word@mirror.example/simple", "timeout = 9", "cert = /run/secrets/ca"} <= set(said)
    assert not any("file:" in line for line in said)
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
def test_a_token_goes_to_its_own_registry(
    monkeypatch: pytest.MonkeyPatch, registry: str, env: dict[str, str], expected: tuple[str, str]
) -> None:
    """The job's token is for GitHub's registry alone, the password for that of model.toml; others get neither."""
    for name in ("GITHUB_ACTIONS", "GITHUB_TOKEN", "GITHUB_ACTOR", login.USER, login.PASSWORD):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert login.credentials(registry, "ours.example") == expected


def test_where_images_go(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """GitHub's registry under the repository's name, in small letters; or what model.toml says; or a question."""
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    with pytest.raises(ConfigError, match="Nobody says where"):
        image.repository_name(trained.repository)
    monkeypatch.setenv("GITHUB_REPOSITORY", "Ada/Model")
    assert image.repository_name(trained.repository) == "ghcr.io/ada/model"
    trained.project.write(
        "model.toml", (trained.project.root / "model.toml").read_text() + '[image]\nrepository = "r/x"\n'
    )
    assert image.repository_name(trained.repository) == "r/x"


def test_no_target_needs_an_image(trained: Trained) -> None:
    """Where every environment is a process, none is built, and the output says so by being empty."""
    toml = (trained.project.root / "model.toml").read_text()
    trained.project.write("model.toml", toml + '[targets.production]\nkind = "process"\n')
    done = trained.project.must("image", "--version", "1", "--digest", trained.digest)
    assert "No image is needed" in done.out
    assert done.outputs["image"] == ""


def test_no_engine_is_an_error_with_a_way_out(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is installed: it says what to install, or what to choose instead."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ContainerError) as stopped:
        engine.find("auto")
    assert all(f"`{name}` is not installed" in stopped.value.what for name in engine.KNOWN)
    assert 'kind = "process"' in stopped.value.next


def test_what_only_builds_cannot_try() -> None:
    """buildah has no containers to run."""
    with pytest.raises(ContainerError, match="does not run"):
        engine.Engine("buildah").containers("a=b")


class Told:
    """A server that says what a test wants it to say."""

    def __init__(self) -> None:
        """On a port of its own; every path that it does not know is 404."""
        self.answers: dict[str, tuple[int, Any]] = {}
        self.then: dict[str, list[tuple[int, Any]]] = {}
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer."""
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                status, content = told.answers.get(self.path, (404, {"detail": "nothing here"}))
                if told.then.get(self.path):
                    told.answers[self.path] = told.then[self.path].pop(0)
                body = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_GET

            def log_message(self, format: str, *args: Any) -> None:
                """Quietly."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def told(trained: Trained) -> Iterator[Told]:
    """One that says what was recorded."""
    made = Told()
    expected = json.loads((trained.files / "expected.json").read_bytes())["predictions"]
    classes = trained.described.classes
    probabilities = {str(label): [row[f"probability of {label}"] for row in expected] for label in classes}
    made.answers = {
        "/health/ready": (200, {}), "/metadata": (200, {"digest": trained.digest}),
        "/predict": (200, {"predictions": [row["prediction"] for row in expected], "probabilities": probabilities}),
    }  # fmt: skip
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_the_right_answers_are_good(trained: Trained, told: Told) -> None:
    """Ready, the digest, every prediction: nothing to say."""
    assert smoke.wait_ready(told.url, 5, lambda: True) == []
    assert smoke.replay(told.url, trained.files, trained.digest) == []


def _constant(told: Told) -> None:
    labels = told.answers["/predict"][1]["predictions"]
    labels[:] = [labels[0]] * len(labels)


def _slightly_off(told: Told) -> None:
    shares = told.answers["/predict"][1]["probabilities"]["yes"]
    shares[0] += 0.01


def _fewer(told: Told) -> None:
    for column in (told.answers["/predict"][1]["predictions"], *told.answers["/predict"][1]["probabilities"].values()):
        column.pop()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda told: told.answers.update({"/metadata": (200, {"digest": "sha256:other"})}), "It serves sha256:other"),
        (lambda told: told.answers.update({"/metadata": (200, [])}), "It serves None"),
        (lambda told: told.answers.update({"/predict": (422, {"detail": "no such column"})}), "422"),
        (lambda told: told.answers.update({"/predict": (200, {"predictions": "?"})}), "form of an answer"),
        (_constant, "answered otherwise than in training"),
        (_slightly_off, "1 of 20 recorded rows"),
        (_fewer, "19 answers to 20 recorded rows"),
    ],
    ids=["other version", "no metadata", "refused", "no answer", "constant", "slightly off", "fewer"],
)  # fmt: skip
def test_wrong_answers_are_failures(trained: Trained, told: Told, spoil: Callable[[Told], None], words: str) -> None:
    """Definite bad answers come back as sentences that say what was wrong."""
    spoil(told)
    (said,) = smoke.replay(told.url, trained.files, trained.digest)
    assert words in said


def test_a_server_that_has_ended_is_a_failure(told: Told) -> None:
    """It will never be ready, so nobody waits for it."""
    told.answers["/health/ready"] = (503, {"detail": "not yet"})
    assert smoke.wait_ready(told.url, 600, lambda: False) == ["It ended before it was ready."]


def test_a_server_that_is_never_ready_is_a_failure(told: Told) -> None:
    """With its own last words about why."""
    told.answers["/health/ready"] = (503, {"detail": "says something else"})
    (said,) = smoke.wait_ready(told.url, 0.3, lambda: True)
    assert "503" in said
    assert "says something else" in said


def test_a_server_that_cannot_be_asked_is_an_error(trained: Trained, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows more about the version than before."""
    monkeypatch.setattr(smoke, "ATTEMPTS", 2)
    with pytest.raises(ContainerError, match="cannot be asked"):
        smoke.replay("http://127.0.0.1:9", trained.files, trained.digest)


@pytest.mark.parametrize("status", [401, 403, 404, 502, 503, 504])
@pytest.mark.parametrize("path", ["/health/ready", "/metadata", "/predict"])
def test_where_callers_ask_a_proxys_answer_is_an_error(trained: Trained, told: Told, status: int, path: str) -> None:
    """Nothing was learnt about the version; beside the one that serves, nothing lies between."""
    told.answers[path] = (status, "Somebody in between")

    def ask() -> None:
        smoke.wait_ready(told.url, 0.1, lambda: True, shared=True)
        smoke.replay(told.url, trained.files, trained.digest, shared=True)

    with pytest.raises(ContainerError):
        ask()


def test_where_callers_ask_an_own_refusal_is_a_failure(trained: Trained, told: Told) -> None:
    """It has the form that our servers give it, so it comes from the version."""
    told.answers["/health/ready"] = (503, {"error": {"code": "not_ready", "message": "Still rehearsing."}})
    (said,) = smoke.wait_ready(told.url, 0.1, lambda: True, shared=True)
    assert "Still rehearsing" in said
    told.answers["/predict"] = (422, {"error": {"code": "rows_refused", "message": "No such column."}})
    (said,) = smoke.replay(told.url, trained.files, trained.digest, shared=True)
    assert "No such column" in said


def test_where_callers_ask_another_versions_answer_is_an_error(trained: Trained, told: Told) -> None:
    """While pods are replaced, the old ones answer too: with their digest, or with their predictions."""
    old = (200, {"digest": "sha256:old"})
    told.answers["/metadata"] = old
    with pytest.raises(ContainerError, match="answers with sha256:old"):
        smoke.replay(told.url, trained.files, trained.digest, shared=True)
    told.answers["/metadata"] = (200, {"digest": trained.digest})
    _constant(told)
    told.then["/metadata"] = [(200, {"digest": trained.digest}), old]
    with pytest.raises(ContainerError, match="answers with sha256:old"):
        smoke.replay(told.url, trained.files, trained.digest, shared=True)
    told.answers["/metadata"] = (200, {"digest": trained.digest})
    (said,) = smoke.replay(told.url, trained.files, trained.digest, shared=True)
    assert "answered otherwise than in training" in said
