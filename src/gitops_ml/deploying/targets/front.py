"""nginx in front of blue and green, as far as it is files: which colour serves, and where each is found."""

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
# Kept for measuring how devices perform (RFC 2544): no company and no cloud has its machines there.
SUBNETS = ipaddress.ip_network("198.18.0.0/15")
PORTS = "ports.json"


@dataclass(frozen=True)
class Front:
    """A folder that nginx reads.

    Attributes:
        folder: It stays for as long as nginx runs.
        project: What compose calls the whole.
        port: Where callers come.
        network: "bridge" or "host".
    """

    folder: Path
    project: str
    port: int
    network: str

    @property
    def serving(self) -> str:
        """The colour that callers are sent to, whether it is up or not."""
        return GREEN if (self.folder / GREEN).exists() else BLUE

    @property
    def idle(self) -> str:
        """The other one."""
        return BLUE if self.serving == GREEN else GREEN

    def point(self, colour: str) -> None:
        """Send callers to a colour, from the next request on."""
        if colour == GREEN:
            (self.folder / GREEN).touch()
        else:
            (self.folder / GREEN).unlink(missing_ok=True)

    def write(self, configuration: Path) -> bool:
        """Put down what nginx reads when it starts; whether it differs from what was there."""
        texts = self._differ(configuration)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)  # nginx is another user
        for name, text in texts.items():
            new = self.folder / f"{name}.new"
            new.write_text(text, encoding="utf-8")
            new.chmod(0o644)
            new.replace(self.folder / name)
        return bool(texts)

    def stale(self, configuration: Path) -> bool:
        """Whether what nginx has read is not what it would be given now."""
        return bool(self._differ(configuration))

    def _differ(self, configuration: Path) -> dict[str, str]:
        """The files that are not as they should be, as they should be."""
        places = self.places().items()
        # Shorter than the server keeps a connection open that nobody uses, so that nginx never asks through one that
        # is just being closed.
        kept = "keepalive 32; keepalive_timeout 2s;"
        texts = {
            "nginx.conf": configuration.read_text(encoding="utf-8"),
            "places.conf": "".join(f"upstream {colour} {{ server {place}; {kept} }}\n" for colour, place in places),
            # Prometheus asks both at /metrics; the one that does not serve is down.
            "targets.json": json.dumps(
                [{"targets": [place], "labels": {"job": self.project, "colour": colour}} for colour, place in places]
            ),
            "listen.conf": f"listen {self.port if self.network == 'host' else PORT};\n",
        }
        return {name: text for name, text in texts.items() if not _holds(self.folder / name, text)}

    def places(self) -> dict[str, str]:
        """Where nginx finds each colour; the same for as long as the folder is there."""
        if self.network == "host":
            return {colour: f"127.0.0.1:{port}" for colour, port in self._ports().items()}
        _, blue, green, _ = _addresses(self.project)
        return {BLUE: f"{blue}:{PORT}", GREEN: f"{green}:{PORT}"}

    def variables(self) -> dict[str, str]:
        """The same, and more, as compose.yaml wants to be told."""
        said = {"GITOPS_FRONT": str(self.folder), "GITOPS_PORT": str(self.port)}
        if self.network == "host":
            ports = {f"GITOPS_{colour.upper()}_PORT": str(port) for colour, port in self._ports().items()}
            return said | ports | {"GITOPS_WATCHED_FROM": "127.0.0.1"}
        front, blue, green, prometheus = _addresses(self.project)
        return said | {SUBNET: str(_subnet(self.project)), "GITOPS_FRONT_ADDRESS": front, "GITOPS_BLUE_ADDRESS": blue,
                       "GITOPS_GREEN_ADDRESS": green, "GITOPS_PROMETHEUS_ADDRESS": prometheus}  # fmt: skip

    def _ports(self) -> dict[str, int]:
        """A port of the machine for each colour, chosen once."""
        file = self.folder / PORTS
        if not file.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
                chosen = {BLUE: one.getsockname()[1], GREEN: two.getsockname()[1]}
            file.write_text(json.dumps(chosen), encoding="utf-8")
        ports: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
        return ports


def _subnet(project: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Eight addresses of its own for each project; GITOPS_SUBNET names others, where these are taken."""
    named = os.environ.get(SUBNET)
    if named:
        return ipaddress.ip_network(named)
    place = int.from_bytes(hashlib.sha256(project.encode()).digest()[:2])
    return ipaddress.ip_network((int(SUBNETS.network_address) + place % 2**14 * 8, 29))


def _addresses(project: str) -> tuple[str, str, str, str]:
    """Of nginx, blue, green and Prometheus; the first of a network is its own name, the second its gateway."""
    net = _subnet(project)
    return str(net[2]), str(net[3]), str(net[4]), str(net[5])


def _holds(file: Path, text: str) -> bool:
    return file.is_file() and file.read_text(encoding="utf-8") == text
