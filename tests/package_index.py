"""A private package index: HTTPS on this machine, with a certificate that no program trusts by default."""

import datetime as dt
import hashlib
import io
import ipaddress
import ssl
import threading
import zipfile
from collections import defaultdict
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID


class PackageIndex(AbstractContextManager["PackageIndex"]):
    """Indexes by name, each at `URL/NAME/simple`, until the block ends.

    Attributes:
        ca: File of the certificate that signed the server's.
        requested_paths: Paths of all requests.
    """

    def __init__(self, folder: Path) -> None:
        """Start to listen, with the certificates in a folder."""
        self.requested_paths: list[str] = []
        self._files: dict[str, bytes] = {}
        self._links: dict[str, dict[str, str]] = defaultdict(dict)
        self.ca, server = _certificates(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(server)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    def index(self, name: str = "first") -> str:
        """Return the address of an index."""
        return f"https://{self.host}/{name}/simple"

    def add(self, package: str, content: bytes, index: str = "first", version: str = "1.0") -> str:
        """Put a wheel into an index; return the requirement that installs it and no other."""
        file = f"{package.replace('-', '_')}-{version}-py3-none-any.whl"
        digest = hashlib.sha256(content).hexdigest()
        self._files[f"/{index}/files/{file}"] = content
        self._links[f"/{index}/simple/{package}/"][file] = f"/{index}/files/{file}#sha256={digest}"
        return f"{package}=={version} --hash=sha256:{digest}"

    def replace(self, package: str, content: bytes, index: str = "first", version: str = "1.0") -> None:
        """Serve another wheel under the same name; the index still lists the digest of the first one."""
        self._files[f"/{index}/files/{package.replace('-', '_')}-{version}-py3-none-any.whl"] = content

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, path: str) -> tuple[int, str, bytes]:
        self.requested_paths.append(path)
        if path in self._files:
            return 200, "application/octet-stream", self._files[path]
        if path in self._links:
            links = "".join(f'<a href="{url}">{file}</a>' for file, url in self._links[path].items())
            return 200, "text/html", f"<!doctype html><html><body>{links}</body></html>".encode()
        return 404, "text/plain", b"not here"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        mirror = self

        class Handler(BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                status, kind, content = mirror._answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        return Handler


def package(name: str, version: str = "1.0", files: dict[str, str] | None = None) -> bytes:
    """Return a wheel with one module, or with these files."""
    info, made = f"{name}-{version}.dist-info", io.BytesIO()
    members = {
        **(files or {f"{name}.py": f'NAME = "{name}"\n'}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(made, "w") as archive:
        for each, content in members.items():
            archive.writestr(zipfile.ZipInfo(each), content)
        archive.writestr(
            zipfile.ZipInfo(f"{info}/RECORD"), "".join(f"{each},,\n" for each in (*members, f"{info}/RECORD"))
        )
    return made.getvalue()


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Write a certificate authority, and a certificate of 127.0.0.1 with its key; return both files."""
    keys = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "A company")])
    host = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key())
    ca = (
        _begin(authority, authority, keys[0])
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(identifier, critical=False)
        .sign(keys[0], hashes.SHA256())
    )
    server = (
        _begin(host, authority, keys[1])
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(keys[0], hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    key = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "server.pem").write_bytes(server.public_bytes(pem) + key)
    return folder / "ca.pem", folder / "server.pem"


def _begin(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    dated = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=2))
    return dated.serial_number(x509.random_serial_number())
