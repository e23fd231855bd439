"""A signature on an image, in OpenSSH's format, which Git signs commits with too: `ssh-keygen -Y`.

What is signed is one line: the image's reference and the digest of the version in it. So a record cannot name another
image than the one that the workflow built for this version, whoever may merge.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from gitops_ml.config import Repository
from gitops_ml.errors import ConfigError, IntegrityError

KEY = "GITOPS_SIGNING_KEY"
# Whom the file of signers must name, and what for; the same key may sign other things too.
NAME = NAMESPACE = "gitops"
ARMOUR = "-----{} SSH SIGNATURE-----"


def required(repository: Repository) -> Path | None:
    """The file that says whose signatures count; None where model.toml names none and nothing is signed.

    Raises:
        ConfigError: model.toml names one that does not exist.
    """
    named = repository.config.image.signers
    if named is None:
        return None
    path = repository.root / named
    if not path.is_file():
        raise ConfigError(
            f"`signers` under [image] in model.toml names {named}, which does not exist.",
            f'A line of it: {NAME} namespaces="{NAMESPACE}" ssh-ed25519 AAAA...',
        )
    return path


def key(signers: Path) -> str:
    """The private key that the environment carries.

    Raises:
        ConfigError: It carries none.
    """
    found = os.environ.get(KEY, "").strip()
    if not found:
        raise ConfigError(
            f"{signers.name} asks for signed images, and {KEY} is empty.",
            f"Make a pair with `ssh-keygen -t ed25519 -N '' -f key`: the private half becomes the secret {KEY} of the "
            "repository, the public half a line of that file.",
        )
    return found


def sign(image: str, digest: str, private: str, signers: Path) -> str:
    """The signature of an image, on one line.

    Args:
        image: Its reference, `repository@sha256:...`.
        digest: Of the version's files.
        private: The key, as ssh-keygen writes it.
        signers: Whose signatures count; a key that is not among them signs nothing.

    Raises:
        ConfigError: The key is none, or nobody would accept what it signs.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "key")
        file.touch(mode=0o600)
        file.write_text(f"{private}\n", encoding="utf-8")
        done = _keygen(["-Y", "sign", "-q", "-n", NAMESPACE, "-f", str(file)], image, digest)
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().replace(str(file), KEY)
        raise ConfigError(f"Nothing can be signed with {KEY}: {said}", "Set it to a key without passphrase, whole.")
    signature = "".join(done.stdout.decode().splitlines()[1:-1])
    try:
        verify(image, digest, signature, signers)
    except IntegrityError as error:
        raise ConfigError(
            f"{KEY} is not among the keys of {signers.name}, so that nobody would accept what it signs.",
            "Add its public half, in a pull request: `ssh-keygen -y -f key` prints it.",
        ) from error
    return signature


def verify(image: str | None, digest: str, signature: str | None, signers: Path) -> None:
    """Insist that one of the signers signed this very image for this very version.

    Raises:
        IntegrityError: Nobody did, or there is no image that anybody could have signed.
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
        done = _keygen(command, image, digest)
    if done.returncode:
        raise IntegrityError(
            f"None of {signers.name} signed {image} for {digest}. Nothing was deployed.",
            "Find out who changed the record, or the signers: `git log` tells.",
        )


def _keygen(options: list[str], image: str, digest: str) -> "subprocess.CompletedProcess[bytes]":
    try:
        return subprocess.run(["ssh-keygen", *options], input=f"{image} {digest}\n".encode(), capture_output=True)
    except OSError as error:
        raise ConfigError(f"Signatures need OpenSSH's ssh-keygen: {error}.", "Install openssh-client.") from error
