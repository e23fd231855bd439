"""Signatures of images in OpenSSH's format, made and verified with `ssh-keygen -Y`, as Git signs commits.

The signed text is one line: the image's reference and the digest of the version in it. So a record cannot name another
image than the one that the workflow built for the version, even if a merge changes the record.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, IntegrityError

KEY = "GITOPS_SIGNING_KEY"
# Principal and namespace in the file of signers; the same key may sign other things too.
NAME = NAMESPACE = "gitops"
ARMOUR = "-----{} SSH SIGNATURE-----"


def find_signers(repository: Repository) -> Path | None:
    """Return the file of the signers whose signatures are valid; None if model.toml names none.

    Args:
        repository: The clone; its model.toml names the file.

    Raises:
        ConfigError: model.toml names a file that does not exist.
    """
    signers = repository.config.image.signers
    if signers is None:
        return None
    path = repository.root / signers
    if not path.is_file():
        raise ConfigError(
            f"`signers` under [image] in model.toml names {signers}, which does not exist.",
            f'Create it with a line such as: {NAME} namespaces="{NAMESPACE}" ssh-ed25519 AAAA...',
        )
    return path


def load_signing_key(signers: Path) -> str:
    """Return the private key from the environment variable GITOPS_SIGNING_KEY.

    Args:
        signers: File of the signers, for the error message.

    Raises:
        ConfigError: The variable is empty.
    """
    private_key = os.environ.get(KEY, "").strip()
    if not private_key:
        raise ConfigError(
            f"{signers.name} asks for signed images, and {KEY} is empty.",
            "Make a key pair with `ssh-keygen -t ed25519 -N '' -f key`. Set the private key as the secret "
            f"{KEY} of the repository, and add the public key to {signers.name}.",
        )
    return private_key


def sign(image: str, digest: str, private_key: str, signers: Path) -> str:
    """Return the signature of an image, on one line.

    Args:
        image: Reference of the image, `repository@sha256:...`.
        digest: Digest of the version's files.
        private_key: Private key in the format of ssh-keygen.
        signers: File of the signers; the key must be one of theirs.

    Raises:
        ConfigError: The key is not valid, or is not among the signers' keys.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key")
        file.touch(mode=0o600)
        file.write_text(f"{private_key}\n", encoding="utf-8")
        done = _run_keygen(["-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(file)], image, digest)
    if done.returncode:
        error_text = done.stderr.decode(errors="replace").strip().replace(str(file), KEY)
        raise ConfigError(
            f"{KEY} cannot be used to sign: {error_text}", "Set it to the whole text of a key without passphrase."
        )
    signature = "".join(done.stdout.decode().splitlines()[1:-1])
    try:
        verify(image, digest, signature, signers)
    except IntegrityError as error:
        raise ConfigError(
            f"The public key of {KEY} is not in {signers.name}, so its signatures would not be accepted.",
            "Add it by pull request: `ssh-keygen -y -f key` prints it.",
        ) from error
    return signature


def verify(image: str | None, digest: str, signature: str | None, signers: Path) -> None:
    """Raise unless one of the signers signed an image for a version.

    Args:
        image: Reference of the image in the record.
        digest: Digest of the version's files.
        signature: Signature in the record.
        signers: File of the signers.

    Raises:
        IntegrityError: There is no valid signature, or no image.
    """
    if image is None or signature is None:
        raise IntegrityError(
            f"The record names {image or 'no image'} without a signature, and {signers.name} asks for one.",
            "Run Train: it signs the images of new versions. Without signatures: remove `signers` from model.toml.",
        )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "signature")
        file.write_text(f"{ARMOUR.format('BEGIN')}\n{signature}\n{ARMOUR.format('END')}\n", encoding="utf-8")
        command = ["-Y", "verify", "-f", str(signers), "-I", NAME, "-n", NAMESPACE, "-s", str(file)]
        done = _run_keygen(command, image, digest)
    if done.returncode:
        raise IntegrityError(
            f"None of the signers in {signers.name} signed {image} for {digest}. Nothing was deployed.",
            "Find out who changed the record or the signers: `git log` shows it.",
        )


def _run_keygen(options: list[str], image: str, digest: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(["ssh-keygen", *options], input=f"{image} {digest}\n".encode(), capture_output=True)
    except OSError as error:
        raise ConfigError(f"Signatures need OpenSSH's ssh-keygen: {error}.", "Install openssh-client.") from error
