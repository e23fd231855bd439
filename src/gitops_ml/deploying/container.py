"""Containers: the specification of one to start, and the state of a started one."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Port of the server inside a container.
PORT = 8080


@dataclass(frozen=True)
class ContainerSpec:
    """Specification of a container to start, with no more rights than a server needs.

    Attributes:
        image: Reference of the image; it is on this machine already and is not pulled.
        name: Unique name of the container.
        env: Environment variables, without secrets.
        secrets: Names of environment variables to pass on from this process, if they are set. Their values are never
            part of a command line.
        labels: Labels to find the container by.
        port: Port on 127.0.0.1; 0 for any free port.
        memory_mib: Memory limit in MiB; the container is killed above it.
        restart: Start the container again when it ends, and when the machine starts.
    """

    image: str
    name: str
    env: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    port: int = 0
    memory_mib: int = 1024
    restart: bool = False


@dataclass(frozen=True)
class Container:
    """State of a container.

    Attributes:
        id: The engine's id.
        name: Name of the container.
        image: Reference of the image that it was started from.
        labels: Labels of the container and of its image.
        running: True if it is running.
        url: URL on this machine; None if it publishes no port.
        healthy: True if the health check inside it passes.
        unhealthy: True if the health check fails, or the container ends and restarts repeatedly.
        exit_code: Exit code; None while it is running.
    """

    id: str
    name: str
    image: str
    labels: Mapping[str, str]
    running: bool
    url: str | None
    healthy: bool
    unhealthy: bool = False
    exit_code: int | None = None
