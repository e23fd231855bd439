"""Signatures on images, with OpenSSH's own ssh-keygen."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gitops_ml import config
from gitops_ml.commands import site
from gitops_ml.deploying import signature
from gitops_ml.errors import ConfigError, IntegrityError
from gitops_ml.registry import record
from unit.sample import Project

AtStage = Callable[[str], Project]
SIGNED = '[image]\nsigners = "signers"\n\n[project]'
IMAGE, DIGEST = "registry.example.com/model@sha256:" + "a" * 64, "sha256:" + "b" * 64


@dataclass(frozen=True)
class Keys:
    """A pair, and the file that names its public half."""

    private: str
    signers: Path


def pair(folder: Path) -> Keys:
    """A new one."""
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")], check=True)
    public, signers = (folder / "key.pub").read_text(), folder / "signers"
    signers.write_text(f'gitops namespaces="gitops" {public}', encoding="utf-8")
    return Keys((folder / "key").read_text(), signers)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    """Whose signatures count."""
    return pair(tmp_path / "keys")


def test_what_was_signed_is_believed(keys: Keys) -> None:
    """One line, the same each time."""
    made = signature.sign(IMAGE, DIGEST, keys.private, keys.signers)
    assert "\n" not in made
    assert made == signature.sign(IMAGE, DIGEST, keys.private, keys.signers)
    signature.verify(IMAGE, DIGEST, made, keys.signers)


@pytest.mark.parametrize(
    ("image", "digest"),
    [(IMAGE.replace("a" * 64, "c" * 64), DIGEST), (IMAGE, DIGEST.replace("b", "c"))],
    ids=["another image", "another version"],
)
def test_a_signature_is_for_one_image_and_one_version(keys: Keys, image: str, digest: str) -> None:
    """Neither can be exchanged."""
    made = signature.sign(IMAGE, DIGEST, keys.private, keys.signers)
    with pytest.raises(IntegrityError, match="None of signers signed") as caught:
        signature.verify(image, digest, made, keys.signers)
    assert image in caught.value.what


@pytest.mark.parametrize("wrong", ["", "zonk", "U1NIU0lHAAAAAQ==", "../../etc/passwd"])
def test_what_is_no_signature_is_refused(keys: Keys, wrong: str) -> None:
    """Whatever a record says."""
    with pytest.raises(IntegrityError, match="None of signers signed"):
        signature.verify(IMAGE, DIGEST, wrong, keys.signers)


def test_a_missing_signature_is_refused(keys: Keys) -> None:
    """With the two ways on."""
    with pytest.raises(IntegrityError, match="without a signature") as caught:
        signature.verify(IMAGE, DIGEST, None, keys.signers)
    assert "Run Train" in caught.value.next


def test_a_stranger_is_not_believed(keys: Keys, tmp_path: Path) -> None:
    """Their key signs, for themselves; and the key of nobody's signs nothing here."""
    stranger = pair(tmp_path / "stranger")
    theirs = signature.sign(IMAGE, DIGEST, stranger.private, stranger.signers)
    with pytest.raises(IntegrityError):
        signature.verify(IMAGE, DIGEST, theirs, keys.signers)
    with pytest.raises(ConfigError, match="is not among the keys of signers"):
        signature.sign(IMAGE, DIGEST, stranger.private, keys.signers)


def test_a_key_may_sign_for_nothing_else(keys: Keys) -> None:
    """The same key's signature on a file, or on a commit, is none on an image."""
    line = keys.signers.read_text()
    keys.signers.write_text(line.replace('"gitops"', '"git"'), encoding="utf-8")
    with pytest.raises(ConfigError):
        signature.sign(IMAGE, DIGEST, keys.private, keys.signers)


def test_what_is_no_key_signs_nothing(keys: Keys) -> None:
    """The sentence names the secret, not the file where it lay for a moment."""
    with pytest.raises(ConfigError, match=f"Nothing can be signed with {signature.KEY}") as caught:
        signature.sign(IMAGE, DIGEST, "zonk", keys.signers)
    assert "/key" not in caught.value.what


def test_no_key_is_no_image(at_stage: AtStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is built: which secret is missing, and how it is made."""
    project = at_stage("trained")
    project.edit("model.toml", "[project]", SIGNED)
    told = project.gitops("image", "--version", "1", "--digest", DIGEST)
    assert told.code == ConfigError.exit_code
    assert "names signers, which does not exist" in told.err
    project.write("signers", "gitops ssh-ed25519 AAAA\n")
    told = project.gitops("image", "--version", "1", "--digest", DIGEST)
    assert told.code == ConfigError.exit_code
    assert signature.KEY in told.err
    assert "ssh-keygen -t ed25519" in told.err
    monkeypatch.setenv(signature.KEY, " key ")
    required = signature.required(config.find(project.root))
    assert required
    assert signature.key(required) == "key"


def test_a_record_is_rolled_out_only_if_its_image_is_signed(at_stage: AtStage, keys: Keys) -> None:
    """Whoever may merge may name another image; it does not run."""
    project = at_stage("promoted")
    project.edit("model.toml", "[project]", SIGNED)
    project.write("signers", keys.signers.read_text())
    place = site.open_site(config.find(project.root), "production")
    known = record.read(project.root, "production", "main")
    assert known
    made = signature.sign(IMAGE, known.digest, keys.private, keys.signers)
    signed = known.model_copy(update={"image": IMAGE, "signature": made})
    assert place.rollout(signed).image == IMAGE
    with pytest.raises(IntegrityError, match="Nothing was deployed"):
        place.rollout(signed.model_copy(update={"image": IMAGE.replace("a" * 64, "c" * 64)}))
    with pytest.raises(IntegrityError, match="without a signature"):
        place.rollout(signed.model_copy(update={"signature": None}))
    with pytest.raises(IntegrityError, match="names no image without a signature"):
        place.rollout(known)
    project.edit("model.toml", "[project]", '[targets.production]\nkind = "process"\n\n[project]')
    assert site.open_site(config.find(project.root), "production").rollout(known).image is None


@pytest.mark.slow
def test_a_rollback_at_once_to_what_nobody_signed_writes_nothing(at_stage: AtStage, keys: Keys) -> None:
    """What serves is not held for a version that could not take its place."""
    project = at_stage("promoted")
    project.verified()
    project.improve()
    project.commit()
    project.promote()
    project.verified()
    project.edit("model.toml", "[project]", SIGNED)
    project.write("signers", keys.signers.read_text())
    before = project.git("show", "mlflow:ledger.jsonl")
    told = project.gitops("rollback", "--now", "--why", "complaints")
    assert (told.code, "without a signature" in told.err) == (IntegrityError.exit_code, True), told.err
    assert project.git("show", "mlflow:ledger.jsonl") == before
