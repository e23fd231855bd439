"""A container, before it is started and while it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# Where the server listens inside a container.
PORT = 8080


@dataclass(frozen=True)
class Start:
    """How a container is to be started; it gets no more rights than answering requests needs.

    Attributes:
        image: Its reference, as built or pulled; nothing is pulled now.
        name: No other container may have it.
        env: Variables inside; what is secret is not named here.
        secrets: Names of variables that it gets with the values of our own environment; those that we lack are left
            out. No value of theirs is ever on a command line.
        labels: By which it is found again.
        port: Where it is reached on 127.0.0.1; 0 takes any.
        memory_mib: More than this and it is ended.
        restart: Start it again when it ends by itself, and when the machine starts.
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
    """One that the engine knows.

    Attributes:
        id: The engine's.
        name: Ours.
        image: The reference that it was started from.
        labels: Its own and its image's.
        running: Whether it is up.
        url: Where it answers on this machine; None where it publishes nothing.
        healthy: Whether the check that runs inside of it passes.
        unwell: Whether that check fails, or it ends by itself again and again.
        ended: The code that it ended with; None while it is up.
    """

    id: str
    name: str
    image: str
    labels: Mapping[str, str]
    running: bool
    url: str | None
    healthy: bool
    unwell: bool = False
    ended: int | None = None
