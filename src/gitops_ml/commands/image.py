"""`gitops image`"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gitops_ml import console
from gitops_ml.commands import champion, find, where
from gitops_ml.commands.score import fetch_version, no_champion
from gitops_ml.errors import IntegrityError

if TYPE_CHECKING:
    from gitops_ml.config import Repository
    from gitops_ml.deploying.engine import Engine
    from gitops_ml.deploying.image import Wanted
    from gitops_ml.registry.record import Record


@click.command()
@click.option("--version", "number", envvar="GITOPS_VERSION", help="A version instead of the champion; with --digest.")
@click.option("--digest", envvar="GITOPS_DIGEST", help="The digest of its files, from a record or from `register`.")
@click.option("--local", is_flag=True, help="Build it and try it out; push nothing.")
@click.pass_obj
def command(project: Path, number: str | None, digest: str | None, local: bool) -> None:
    """Build a version's container image, try it out, and push it.

    It is pushed only if it says of the recorded rows what was said in training.
    """
    from gitops_ml.deploying import image, signature
    from gitops_ml.deploying.engine import find as find_engine

    number, digest = number or None, digest or None
    if (number is None) != (digest is None):
        raise click.UsageError("--digest goes with --version: files are worth nothing without it.")
    repository = find(project)
    if not local and not _needed(repository):
        console.say("No image is needed: every target in model.toml is a process.")
        console.output("image", "")
        return
    signers = None if local else signature.required(repository)
    private = signature.key(signers) if signers else ""
    there = None if local else _built(repository, digest, signers)
    if there and there.image:
        console.say(f"Nothing to build: {there.image} is in a record already.")
        console.output("image", there.image)
        console.output("signature", there.signature or "")
        return
    place = "" if local else image.repository_name(repository)
    wanted = _wanted(repository, number, digest)
    if wanted.commit is None:
        console.complain("Note: it was trained from uncommitted files; the image holds model.toml and src as they are.")
    reference = _make(repository, find_engine(repository.config.image.engine), wanted, place)
    if place:
        console.summarise(f"✅ Image of version {wanted.number}: `{reference}`")
        _tell(reference, wanted.digest, signers, private)


def _make(repository: "Repository", engine: "Engine", wanted: "Wanted", place: str) -> str:
    """Build it, hear it out, push it; its reference."""
    from gitops_ml.deploying import image

    with console.progress("image") as progress:
        progress(f"build it with {engine.name}")
        bill = image.build(repository, engine, wanted)
        if engine.runs:
            progress("try it out")
            image.try_out(engine, wanted, _patience(repository))
        else:
            console.complain(f"Note: {engine.name} runs nothing; the image is tried out where it is deployed.")
        progress("push it" if place else "leave it on this machine")
        reference = image.publish(engine, wanted, place) if place else wanted.tag
    console.say(f"{reference} serves version {wanted.number}; {console.near(bill)} lists what is in it.")
    return reference


def _tell(reference: str, digest: str, signers: Path | None, private: str) -> None:
    """Hand the image on to the job that promotes, signed where that is asked for."""
    console.output("image", reference)
    if signers:
        from gitops_ml.deploying import signature

        console.output("signature", signature.sign(reference, digest, private, signers))


def _built(repository: "Repository", digest: str | None, signers: Path | None) -> "Record | None":
    """A record, proposed or on main, that names an image of this very version: what is built is built once.

    Where images are signed, only one whose signature counts: what others wrote into a record is not signed here.
    """
    from gitops_ml import git
    from gitops_ml.registry.elsewhere import same_version

    if digest is None:
        return None
    git.catch_up(repository.root)
    known = [record for record in same_version(repository, digest) if record.image]
    return next((record for record in known if signers is None or _signed(record, signers)), None)


def _signed(record: "Record", signers: Path) -> bool:
    from gitops_ml.deploying import signature

    try:
        signature.verify(record.image or "", record.digest, record.signature, signers)
    except IntegrityError:
        return False
    return True


def _needed(repository: "Repository") -> bool:
    config = repository.config
    return any(config.target(environment).kind != "process" for environment in config.deploy.environments)


def _patience(repository: "Repository") -> int:
    """As long as the most patient environment would wait."""
    config = repository.config
    return max(config.target(environment).ready_seconds for environment in config.deploy.environments)


def _wanted(repository: "Repository", number: str | None, digest: str | None) -> "Wanted":
    """The version that was named, or else the champion where promotion ends."""
    from gitops_ml import run
    from gitops_ml.deploying.image import Wanted
    from gitops_ml.registry.store import connect

    if number is None or digest is None:
        environment = where(repository, None)
        record = champion(repository, environment, connect(repository))
        if record is None:
            raise no_champion(environment)
        number, digest = record.version, record.digest
    files = fetch_version(repository, number, digest)
    return Wanted(number, digest, files, run.read(files, digest))
