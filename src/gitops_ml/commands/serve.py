"""`gitops serve`"""

from contextlib import ExitStack
from pathlib import Path

import click

from gitops_ml import console, private
from gitops_ml.commands import champion, find, where
from gitops_ml.commands.score import fetch_version, no_champion


@click.command()
@click.option("--environment", help="Whose champion.  [default: the last one in model.toml]")
@click.option("--version", "number", envvar="GITOPS_VERSION", help="A version instead of the champion; with --digest.")
@click.option("--run", "folder", type=click.Path(path_type=Path), envvar="GITOPS_RUN", help="A version's files.")
@click.option("--digest", envvar="GITOPS_DIGEST", help="Their digest, from a record or from `register`.")
@click.option("--release", envvar="GITOPS_RELEASE", help="What /metadata calls the release of --run.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="The port; 0 takes any.")
@click.pass_obj
def command(
    project: Path, environment: str | None, number: str | None, folder: Path | None, digest: str | None,
    release: str | None, host: str, port: int,
) -> None:  # fmt: skip
    """Answer requests with the champion, a version, or a version's files.

    Their digest is verified before anything is opened. With GITOPS_TOKEN set, callers must bear it; with
    GITOPS_OUTCOMES_TOKEN, who bears it may tell outcomes.
    """
    import gc
    import os

    gc.disable()  # what is imported stays for ever; open_service freezes it and switches the collector on again
    from gitops_ml.serving.listen import bind, listen
    from gitops_ml.serving.service import Named, open_service

    if (folder is None and number is None) != (digest is None):
        raise click.UsageError("--digest goes with --version or with --run: files are worth nothing without it.")
    repository = find(project)
    with ExitStack() as stack:
        place = stack.enter_context(bind(host, port))
        if digest is None:
            from gitops_ml.registry.store import connect

            environment = where(repository, environment)
            record = champion(repository, environment, connect(repository))
            if record is None:
                raise no_champion(environment)
            number, digest, release = record.version, record.digest, record.release
        if folder is None:
            assert number is not None  # noqa: S101 (one of the three was named)
            folder = fetch_version(repository, number, digest)
        token, outcomes, key = (os.environ.get(name) or None for name in private.OF_SERVERS)
        private.forget()
        service = open_service(repository, folder, Named(digest, number, release))

        from gitops_ml.serving.app import application
        from gitops_ml.serving.desk import Tokens
        from gitops_ml.serving.log import open_log

        log = open_log(service, key)
        if log is not None:
            stack.callback(log.close)
        app = application(service, Tokens(token, outcomes), log)
        what = f"{service.described.model} {service.named.short} ({digest[:19]})"
        console.say(f"http://{host}:{place.getsockname()[1]} answers with {what}. Ctrl-C ends it.")
        listen(app, [place], repository.config.serving.timeout_seconds)
    console.say("Ended.")
