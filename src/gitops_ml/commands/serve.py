"""`gitops serve`"""

from contextlib import ExitStack
from pathlib import Path

import click

from gitops_ml import console, secrets
from gitops_ml.commands import find_champion, find_repository, resolve_environment
from gitops_ml.commands.score import fetch_version, no_champion_error


@click.command()
@click.option("--environment", help="The environment of the champion.  [default: the last one in model.toml]")
@click.option(
    "--version", "number", envvar="GITOPS_VERSION", help="Use this version instead of the champion; needs --digest."
)
@click.option(
    "--run", "folder", type=click.Path(path_type=Path), envvar="GITOPS_RUN",
    help="Use the version in this folder; needs --digest.",
)  # fmt: skip
@click.option(
    "--digest", envvar="GITOPS_DIGEST", help="The digest of the version's files, from a record or from `register`."
)
@click.option("--release", envvar="GITOPS_RELEASE", help="The release that /metadata shows for --run.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="The port; 0 selects a free port.")
@click.pass_obj
def command(
    project: Path, environment: str | None, number: str | None, folder: Path | None, digest: str | None,
    release: str | None, host: str, port: int,
) -> None:  # fmt: skip
    """Serve predictions over HTTP.

    It serves the champion, another version, or a folder with the files of a version. The digest of the files is
    verified before any file is opened. If GITOPS_TOKEN is set, callers must send it as a bearer token; if
    GITOPS_OUTCOMES_TOKEN is set, callers can send outcomes with that token.
    """
    import gc
    import os

    gc.disable()  # imported objects are never freed; open_service enables garbage collection again
    from gitops_ml.serving.listen import bind, listen
    from gitops_ml.serving.service import VersionId, open_service

    if (folder is None and number is None) != (digest is None):
        raise click.UsageError("Use --digest together with --version or --run.")
    repository = find_repository(project)
    with ExitStack() as stack:
        socket = stack.enter_context(bind(host, port))
        if digest is None:
            from gitops_ml.registry.store import connect

            environment = resolve_environment(repository, environment)
            record = find_champion(repository, environment, connect(repository))
            if record is None:
                raise no_champion_error(environment)
            number, digest, release = record.version, record.digest, record.release
        if folder is None:
            assert number is not None  # noqa: S101 (set by --version, or above)
            folder = fetch_version(repository, number, digest)
        token, outcomes, key = (os.environ.get(name) or None for name in secrets.SERVER_SECRETS)
        secrets.remove_from_environment()
        service = open_service(repository, folder, VersionId(digest, number, release))

        from gitops_ml.serving.app import create_app
        from gitops_ml.serving.log_recorder import open_log
        from gitops_ml.serving.middleware import Tokens

        log = open_log(service, key)
        if log is not None:
            stack.callback(log.close)
        app = create_app(service, Tokens(token, outcomes), log)
        version = f"{service.metadata.model} {service.version_id.short} ({digest[:19]})"
        console.echo(f"http://{host}:{socket.getsockname()[1]} serves {version}. Press Ctrl-C to stop.")
        listen(app, [socket], repository.config.serving.timeout_seconds, service.begin_ending)
    console.echo("Stopped.")
