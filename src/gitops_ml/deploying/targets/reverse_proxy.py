"""Configuration files of nginx, the reverse proxy in front of a blue and a green server."""

import hashlib
import ipaddress
import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from gitops_ml.deploying.container import PORT

BLUE, GREEN = "blue", "green"
SUBNET = "GITOPS_SUBNET"
# Addresses for benchmarks of network devices (RFC 2544), which neither companies nor clouds use.
SUBNETS = ipaddress.ip_network("198.18.0.0/15")
PORTS = "ports.json"


@dataclass(frozen=True)
class ReverseProxy:
    """The folder with nginx's configuration files.

    Attributes:
        folder: The folder; it must exist while nginx runs.
        project: Name of the compose project.
        port: Port of the callers.
        network: "bridge" or "host".
    """

    folder: Path
    project: str
    port: int
    network: str

    @property
    def serving_colour(self) -> str:
        """Colour to which callers are sent, even if its server is down."""
        return GREEN if (self.folder / GREEN).exists() else BLUE

    @property
    def idle_colour(self) -> str:
        """The other colour."""
        return BLUE if self.serving_colour == GREEN else GREEN

    def route_to(self, colour: str) -> None:
        """Send callers to a colour, from the next request on.

        Args:
            colour: The colour.
        """
        if colour == GREEN:
            (self.folder / GREEN).touch()
        else:
            (self.folder / GREEN).unlink(missing_ok=True)

    def write_files(self, configuration: Path) -> bool:
        """Write the files that nginx reads when it starts.

        Args:
            configuration: The nginx.conf to use.

        Returns:
            True if any of the files changed.
        """
        texts = self._changed_files(configuration)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # nginx runs as another user
        for name, text in texts.items():
            new = self.folder / f"{name}.new"
            new.write_text(text, encoding="utf-8")
            new.chmod(0o644)
            new.replace(self.folder / name)
        return bool(texts)

    def is_outdated(self, configuration: Path) -> bool:
        """Return whether nginx runs with other files than `write_files` would write.

        Args:
            configuration: The nginx.conf to use.
        """
        return bool(self._changed_files(configuration))

    def _changed_files(self, configuration: Path) -> dict[str, str]:
        """Return the new content of the files that differ, by name."""
        addresses = self.addresses().items()
        # Shorter than the server keeps idle connections open, so that nginx never uses a connection that the server
        # is closing.
        keepalive = "keepalive 32; keepalive_timeout 2s;"
        texts = {
            "nginx.conf": configuration.read_text(encoding="utf-8"),
            "places.conf": "".join(
                f"upstream {colour} {{ server {address}; {keepalive} }}\n" for colour, address in addresses
            ),
            # Prometheus scrapes both at /metrics; the idle one is down.
            "targets.json": json.dumps(
                [
                    {"targets": [address], "labels": {"job": self.project, "colour": colour}}
                    for colour, address in addresses
                ]
            ),
            "listen.conf": f"listen {self.port if self.network == 'host' else PORT};\n",
        }
        return {name: text for name, text in texts.items() if not _has_content(self.folder / name, text)}

    def addresses(self) -> dict[str, str]:
        """Return the address of each colour as `host:port`; it is the same as long as the folder exists."""
        if self.network == "host":
            return {colour: f"127.0.0.1:{port}" for colour, port in self._ports().items()}
        _, blue, green, _ = _bridge_addresses(self.project)
        return {BLUE: f"{blue}:{PORT}", GREEN: f"{green}:{PORT}"}

    def variables(self) -> dict[str, str]:
        """Return the variables of compose.yaml."""
        variables = {"GITOPS_FRONT": str(self.folder), "GITOPS_PORT": str(self.port)}
        if self.network == "host":
            ports = {f"GITOPS_{colour.upper()}_PORT": str(port) for colour, port in self._ports().items()}
            return variables | ports | {"GITOPS_WATCHED_FROM": "127.0.0.1"}
        nginx, blue, green, prometheus = _bridge_addresses(self.project)
        return variables | {SUBNET: str(_subnet(self.project)), "GITOPS_FRONT_ADDRESS": nginx,
                            "GITOPS_BLUE_ADDRESS": blue, "GITOPS_GREEN_ADDRESS": green,
                            "GITOPS_PROMETHEUS_ADDRESS": prometheus}  # fmt: skip

    def _ports(self) -> dict[str, int]:
        """Return a port of the host for each colour, chosen once."""
        file = self.folder / PORTS
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
                chosen = {BLUE: one.getsockname()[1], GREEN: two.getsockname()[1]}
            file.write_text(json.dumps(chosen), encoding="utf-8")
        ports: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
        return ports


def _subnet(project: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return a network of eight addresses for a project; GITOPS_SUBNET sets another one if these are in use."""
    configured = os.environ.get(SUBNET)
    if configured:
        return ipaddress.ip_network(configured)
    number = int.from_bytes(hashlib.sha256(project.encode()).digest()[:2])
    return ipaddress.ip_network((int(SUBNETS.network_address) + number % 2**14 * 8, 29))


def _bridge_addresses(project: str) -> tuple[str, str, str, str]:
    """Return the addresses of nginx, blue, green and Prometheus, after those of the network and its gateway."""
    net = _subnet(project)
    return str(net[2]), str(net[3]), str(net[4]), str(net[5])


def _has_content(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text
