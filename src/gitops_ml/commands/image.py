"""`gitops image`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import find_champion, find_repository, resolve_environment
from gitops_ml.commands.score import fetch_version, no_champion_error
from gitops_ml.errors import IntegrityError

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.deploying.engine import Engine
    from gitops_ml.deploying.image import VersionToBuild
    from gitops_ml.registry.record import Record


@click.command()
@click.option(
    "--version", "number", envvar="GITOPS_VERSION", help="The version; needs --digest.  [default: the champion]"
)
@click.option("--digest", envvar="GITOPS_DIGEST", help="Digest of the version's files, from a record or `register`.")
@click.option("--local", is_flag=True, help="Build and test the image without pushing it.")
@click.pass_obj
def command(project: Path, number: str | None, digest: str | None, local: bool) -> None:
    """Build the container image of a version, test it, and push it.

    The image is pushed only if it returns, for the recorded rows, the predictions recorded in training.
    """
    from gitops_ml.deploying import image, image_signature
    from gitops_ml.deploying.engine import find_engine

    number, digest = number or None, digest or None
    if (number is None) != (digest is None):
        raise click.UsageError("--version and --digest go together: the files of a version are verified by its digest.")
    repository = find_repository(project)
    if not local and not _is_needed(repository):
        console.echo("No image is needed: every target in model.toml is a process.")
        console.set_output("image", "")
        return
    signers = None if local else image_signature.find_signers(repository)
    key = image_signature.load_signing_key(signers) if signers else ""
    built = None if local else _find_built(repository, digest, signers)
    if built and built.image:
        console.echo(f"Nothing to build: {built.image} is in a record already.")
        console.set_output("image", built.image)
        console.set_output("signature", built.signature or "")
        return
    destination = "" if local else image.repository_name(repository)
    version = _version_to_build(repository, number, digest)
    if version.commit is None:
        console.echo_error(
            "Note: the version was trained from uncommitted files; the image contains the present model.toml and src."
        )
    reference = _build_and_push(repository, find_engine(repository.config.image.engine), version, destination)
    if destination:
        console.append_summary(f"✅ Image of version {version.number}: `{reference}`")
        _set_outputs(reference, version.digest, signers, key)


def _build_and_push(repository: "Repository", engine: "Engine", version: "VersionToBuild", destination: str) -> str:
    """Build the image, run its smoke test and push it.

    Args:
        repository: The clone.
        engine: The container engine.
        version: The version to build.
        destination: Image repository to push to; empty for an image that stays on this machine.

    Returns:
        The reference of the image.
    """
    from gitops_ml.deploying import image

    with console.progress("image") as progress:
        progress(f"build with {engine.name}")
        sbom = image.build(repository, engine, version)
        if engine.can_run:
            progress("run the smoke test")
            image.smoke_test(engine, version, _ready_seconds(repository))
        else:
            console.echo_error(f"Note: {engine.name} cannot run containers; the image is tested when it is deployed.")
        progress("push" if destination else "keep on this machine")
        reference = image.publish(engine, version, destination) if destination else version.tag
    console.echo(f"{reference} serves version {version.number}; {console.relative_path(sbom)} lists its packages.")
    return reference


def _set_outputs(reference: str, digest: str, signers: Path | None, key: str) -> None:
    """Pass the image to the job that promotes, signed if signatures are required."""
    console.set_output("image", reference)
    if signers:
        from gitops_ml.deploying import image_signature

        console.set_output("signature", image_signature.sign(reference, digest, key, signers))


def _find_built(repository: "Repository", digest: str | None, signers: Path | None) -> "Record | None":
    """Return a record, proposed or on main, that names an image of the version, so that no version is built twice.

    If signatures are required, only an image with a valid signature counts: an image reference that another author
    wrote into a record must not be signed here.
    """
    from gitops_ml import git
    from gitops_ml.registry.other_environments import records_of_version

    if digest is None:
        return None
    git.fetch_branches_if_tracked(repository.root)
    records = [record for record in records_of_version(repository, digest) if record.image]
    return next((record for record in records if signers is None or _is_signed(record, signers)), None)


def _is_signed(record: "Record", signers: Path) -> bool:
    """Return whether the signature of the record's image is valid."""
    from gitops_ml.deploying import image_signature

    try:
        image_signature.verify(record.image or "", record.digest, record.signature, signers)
    except IntegrityError:
        return False
    return True


def _is_needed(repository: "Repository") -> bool:
    """Return whether any environment serves from an image."""
    config = repository.config
    return any(config.target(environment).kind != "process" for environment in config.deploy.environments)


def _ready_seconds(repository: "Repository") -> int:
    """Return the longest `ready_seconds` of all environments."""
    config = repository.config
    return max(config.target(environment).ready_seconds for environment in config.deploy.environments)


def _version_to_build(repository: "Repository", number: str | None, digest: str | None) -> "VersionToBuild":
    """Return the chosen version, or the champion of the last environment."""
    from gitops_ml import run
    from gitops_ml.deploying.image import VersionToBuild
    from gitops_ml.registry.store import connect

    if number is None or digest is None:
        environment = resolve_environment(repository, None)
        record = find_champion(repository, environment, connect(repository))
        if record is None:
            raise no_champion_error(environment)
        number, digest = record.version, record.digest
    files = fetch_version(repository, number, digest)
    return VersionToBuild(number, digest, files, run.read_run(files, digest))
