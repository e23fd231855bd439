"""Base image: a minimal system of this machine's distribution, with this machine's Python."""

import platform
import subprocess
import sys
from pathlib import Path

from repositories import run

# Parts of Python that a model server does not need; common images lack them too.
UNUSED = ("test", "idlelib", "tkinter", "turtledemo", "lib2to3", "site-packages")
SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")


def build_base_system(system: Path) -> None:
    """Write the system to a tar file; its packages come from this machine's own sources."""
    prefix = Path(sys.base_prefix)
    # The distribution's own Python is installed as a package; any other is copied to /usr/local.
    is_system_python = prefix == Path("/usr")
    packages = {"python3", "python3-venv", "python3-pip"} if is_system_python else _library_packages(prefix)
    hooks = ['ln -s /usr/bin/python3 "$1/usr/local/bin/python"'] if is_system_python else _copy_commands(prefix)
    run(
        system.parent, "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(sorted(packages))}",
        *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")),
        *(f"--customize-hook={hook}" for hook in hooks),
        platform.freedesktop_os_release()["VERSION_CODENAME"], str(system),
        *(str(file) for file in (Path("/etc/apt") / name for name in SOURCES) if file.is_file()),
    )  # fmt: skip


def _copy_commands(prefix: Path) -> list[str]:
    """Return the commands that copy this Python into the system at "$1"."""
    library = f"lib/python{sys.version_info.major}.{sys.version_info.minor}"
    excluded = " ".join(f"--exclude={library}/{name}" for name in UNUSED)
    return [
        f"cd {prefix} && tar --exclude=__pycache__ --exclude=*.a {excluded} -c bin/python3* {library} "
        '$(ls -d lib/libpython*.so*) include | tar -C "$1/usr/local" --no-same-owner -x',
        f'mkdir -p "$1/usr/local/{library}/site-packages"',
        'chroot "$1" ldconfig',
        'ln -s python3 "$1/usr/local/bin/python"',
        'chroot "$1" /usr/local/bin/python3 -m ensurepip',
    ]


def _library_packages(prefix: Path) -> set[str]:
    """Return the packages of the shared libraries that this Python is linked with."""
    files = [*prefix.glob("bin/python3*"), *prefix.glob("lib/python3*/lib-dynload/*.so")]
    linked = [file for file in files if "tkinter" not in file.name]
    output = subprocess.run(["ldd", *linked], check=False, capture_output=True, text=True).stdout
    libraries = {line.split("=> ")[1].split()[0] for line in output.splitlines() if "=> /" in line}
    packages = {"ca-certificates"}
    for library in libraries:
        # dpkg knows a file by the path in its package, to which a link may lead.
        for path in (library, library.removeprefix("/usr"), f"/usr{library}"):
            owner = subprocess.run(["dpkg-query", "-S", path], check=False, capture_output=True, text=True)
            if owner.returncode == 0:
                packages.add(owner.stdout.split(":")[0])
                break
    return packages
