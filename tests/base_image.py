"""What the base image holds: a minimal system of this machine's kind, with this machine's Python."""

import platform
import subprocess
import sys
from pathlib import Path

from house import run

# What a server of models has no use for, as in the images that people use.
UNUSED = ("test", "idlelib", "tkinter", "turtledemo", "lib2to3", "site-packages")
SOURCES = ("sources.list", "sources.list.d/debian.sources", "sources.list.d/ubuntu.sources")


def make(system: Path) -> None:
    """Write it to a tar file; its packages come from where this machine's own come from."""
    prefix = Path(sys.base_prefix)
    # The distribution's own Python is installed as a package; any other is copied to /usr/local.
    own = prefix == Path("/usr")
    packages = {"python3", "python3-venv", "python3-pip"} if own else _packages(prefix)
    hooks = ['ln -s /usr/bin/python3 "$1/usr/local/bin/python"'] if own else _copies(prefix)
    run(
        system.parent, "mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(sorted(packages))}",
        *(f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "man", "locale")),
        *(f"--customize-hook={hook}" for hook in hooks),
        platform.freedesktop_os_release()["VERSION_CODENAME"], str(system),
        *(str(file) for file in (Path("/etc/apt") / name for name in SOURCES) if file.is_file()),
    )  # fmt: skip


def _copies(prefix: Path) -> list[str]:
    """Commands that copy this Python into the system at "$1"."""
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


def _packages(prefix: Path) -> set[str]:
    """The packages of the shared libraries that this Python was linked with."""
    files = [*prefix.glob("bin/python3*"), *prefix.glob("lib/python3*/lib-dynload/*.so")]
    linked = [file for file in files if "tkinter" not in file.name]
    told = subprocess.run(["ldd", *linked], check=False, capture_output=True, text=True).stdout
    libraries = {line.split("=> ")[1].split()[0] for line in told.splitlines() if "=> /" in line}
    found = {"ca-certificates"}
    for library in libraries:
        # dpkg knows a file by the place where the package put it, which a link may lead to.
        for place in (library, library.removeprefix("/usr"), f"/usr{library}"):
            asked = subprocess.run(["dpkg-query", "-S", place], check=False, capture_output=True, text=True)
            if asked.returncode == 0:
                found.add(asked.stdout.split(":")[0])
                break
    return found
