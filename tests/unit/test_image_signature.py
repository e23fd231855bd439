"""Signatures on images, with OpenSSH's own ssh-keygen."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_ml import config
from gitops_ml.commands import deploy_context
from gitops_ml.deploying import image_signature
from gitops_ml.errors import ConfigError, IntegrityError
from gitops_ml.registry import record
from unit.sample import Project

AtStage = Callable[[str], Project]
SIGNED = '[image]\nsigners = "signers"\n\n[project]'
IMAGE, DIGEST = "registry.example.com/model@sha256:" + "a" * 64, "sha256:" + "b" * 64


@dataclass(frozen=True)
class Keys:
    """A key pair, and the file of signers with the public key.

    Attributes:
        private: The private key.
        signers: File of signers.
    """

    private: str
    signers: Path


def make_keys(folder: Path) -> Keys:
    """Return a new key pair."""
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    public, signers = (folder / "key.pub").read_text(), folder / "signers"
    signers.write_text(f'gitops namespaces="gitops" {public}', encoding="utf-8")
    return Keys((folder / "key").read_text(), signers)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Return the key pair of the signer."""
    return make_keys(tmp_path / "keys")


def test_a_signature_is_verified(keys: Keys) -> None:
    """It is one line, and the same each time."""
    signature = image_signature.sign(IMAGE, DIGEST, keys.private, keys.signers)
    assert "\n" not in signature
    assert signature == image_signature.sign(IMAGE, DIGEST, keys.private, keys.signers)
    image_signature.verify(IMAGE, DIGEST, signature, keys.signers)


@pytest.mark.parametrize(
    ("image", "digest"),
    [(IMAGE.replace("a" * 64, "c" * 64), DIGEST), (IMAGE, DIGEST.replace("b", "c"))],
    ids=["another image", "another version"],
)
def test_a_signature_is_for_one_image_and_one_version(keys: Keys, image: str, digest: str) -> None:
    """It is not valid for another image or another version."""
    signature = image_signature.sign(IMAGE, DIGEST, keys.private, keys.signers)
    with pytest.raises(IntegrityError, match="None of the signers in signers signed") as caught:
        image_signature.verify(image, digest, signature, keys.signers)
    assert image in caught.value.problem


@pytest.mark.parametrize("wrong", ["", "zonk", "U1NIU0lHAAAAAQ==", "../../etc/passwd"])
def test_a_text_that_is_not_a_signature_is_refused(keys: Keys, wrong: str) -> None:
    """Any text in the record is refused unless it is a valid signature."""
    with pytest.raises(IntegrityError, match="None of the signers in signers signed"):
        image_signature.verify(IMAGE, DIGEST, wrong, keys.signers)


def test_a_missing_signature_is_refused(keys: Keys) -> None:
    """The message has the next step."""
    with pytest.raises(IntegrityError, match="without a signature") as caught:
        image_signature.verify(IMAGE, DIGEST, None, keys.signers)
    assert "Run Train" in caught.value.next_step


def test_a_signature_of_an_unknown_key_is_refused(keys: Keys, tmp_path: Path) -> None:
    """Verifying it fails, and so does signing with the unknown key."""
    unknown = make_keys(tmp_path / "unknown")
    signature = image_signature.sign(IMAGE, DIGEST, unknown.private, unknown.signers)
    with pytest.raises(IntegrityError):
        image_signature.verify(IMAGE, DIGEST, signature, keys.signers)
    with pytest.raises(ConfigError, match="is not in signers"):
        image_signature.sign(IMAGE, DIGEST, unknown.private, keys.signers)


def test_a_signature_for_another_namespace_is_refused(keys: Keys) -> None:
    """The key of a signer of Git commits is not accepted for images."""
    line = keys.signers.read_text()
    keys.signers.write_text(line.replace('"gitops"', '"git"'), encoding="utf-8")
    with pytest.raises(ConfigError):
        image_signature.sign(IMAGE, DIGEST, keys.private, keys.signers)


def test_a_text_that_is_not_a_key_is_refused(keys: Keys) -> None:
    """The message names the secret, and not the temporary file of the key."""
    with pytest.raises(ConfigError, match=f"{image_signature.KEY} cannot be used to sign") as caught:
        image_signature.sign(IMAGE, DIGEST, "zonk", keys.signers)
    assert "/key" not in caught.value.problem


def test_a_missing_key_stops_the_build(at_stage: AtStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the missing secret and the command that makes it, before the image is built."""
    project = at_stage("trained")
    project.edit("model.toml", "[project]", SIGNED)
    result = project.gitops("image", "--version", "1", "--digest", DIGEST)
    assert result.code == ConfigError.exit_code
    assert "names signers, which does not exist" in result.err
    project.write("signers", "gitops ssh-ed25519 AAAA\n")
    result = project.gitops("image", "--version", "1", "--digest", DIGEST)
    assert result.code == ConfigError.exit_code
    assert image_signature.KEY in result.err
    assert "ssh-keygen -t ed25519" in result.err
    monkeypatch.setenv(image_signature.KEY, " key ")
    signers = image_signature.find_signers(config.find_repository(project.root))
    assert signers
    assert image_signature.load_signing_key(signers) == "key"


def test_a_record_is_deployed_only_if_its_image_is_signed(at_stage: AtStage, keys: Keys) -> None:
    """An image that a merge added to the record without a signature does not run."""
    project = at_stage("promoted")
    project.edit("model.toml", "[project]", SIGNED)
    project.write("signers", keys.signers.read_text())
    context = deploy_context.open_deploy_context(config.find_repository(project.root), "production")
    promoted = record.load_record(project.root, "production", "main")
    assert promoted
    signature = image_signature.sign(IMAGE, promoted.digest, keys.private, keys.signers)
    signed = promoted.model_copy(update={"image": IMAGE, "signature": signature})
    assert context.prepare_rollout(signed).image == IMAGE
    with pytest.raises(IntegrityError, match="Nothing was deployed"):
        context.prepare_rollout(signed.model_copy(update={"image": IMAGE.replace("a" * 64, "c" * 64)}))
    with pytest.raises(IntegrityError, match="without a signature"):
        context.prepare_rollout(signed.model_copy(update={"signature": None}))
    with pytest.raises(IntegrityError, match="names no image without a signature"):
        context.prepare_rollout(promoted)
    project.edit("model.toml", "[project]", '[targets.production]\nkind = "process"\n\n[project]')
    context = deploy_context.open_deploy_context(config.find_repository(project.root), "production")
    assert context.prepare_rollout(promoted).image is None


@pytest.mark.slow
def test_an_immediate_rollback_to_an_unsigned_image_changes_nothing(at_stage: AtStage, keys: Keys) -> None:
    """The serving version is not held if the earlier version cannot replace it."""
    project = at_stage("promoted")
    project.record_verification()
    project.improve()
    project.commit()
    project.promote()
    project.record_verification()
    project.edit("model.toml", "[project]", SIGNED)
    project.write("signers", keys.signers.read_text())
    before = project.git("show", "mlflow:ledger.jsonl")
    result = project.gitops("rollback", "--now", "--why", "complaints")
    assert (result.code, "without a signature" in result.err) == (IntegrityError.exit_code, True), result.err
    assert project.git("show", "mlflow:ledger.jsonl") == before
