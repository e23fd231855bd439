"""Make the environment of an image small and quick to start.

The Dockerfile runs `python slim.py ENVIRONMENT` in the build. It removes files that a server does not need, and
compiles byte code: of packages in place of their sources, of Python's standard library below PYTHONPYCACHEPREFIX,
because base images come without it.
"""

import compileall
import hashlib
import os
import re
import shutil
import struct
import sys
from pathlib import Path
from py_compile import PycInvalidationMode

# Tests, and files for compilers and type checkers.
FOLDERS = ("tests", "test", "include")
SUFFIXES = {".pyi", ".pyx", ".pxd", ".pxi", ".tp", ".h", ".hpp", ".c", ".cc", ".cpp", ".a", ".build"}
# Arrow's network protocol, and the sample data of scikit-learn.
UNUSED = ("pyarrow/*flight*", "pyarrow/src", "sklearn/datasets/data", "sklearn/datasets/images",
          "sklearn/datasets/descr")  # fmt: skip
# Parts of this library that do not serve requests, with this file.
LIBRARY = ("gitops_ml/commands", "gitops_ml/training", "gitops_ml/registry", "gitops_ml/forge", "gitops_ml/deploying",
           "gitops_ml/monitoring", "gitops_ml/ingesting", "gitops_ml/data/template.zip")  # fmt: skip
# Parts of the standard library that a server does not use, and the packages, which are compiled separately.
NOT_SERVED = re.compile(r"/(tests?|idlelib|tkinter|turtledemo|lib2to3|ensurepip|distutils|pydoc_data|encodings|venv|"
                        r"config-[^/]*|site-packages|dist-packages)/")  # fmt: skip
# Byte code is never compared with its source, because nothing changes in an image.
UNCHECKED = PycInvalidationMode.UNCHECKED_HASH
HEADER = struct.Struct("<4s2B10s2HIQQQI6H")
SEGMENT = struct.Struct("<2I6Q")


def slim(environment: Path) -> None:
    """Make an environment small and compile its byte code.

    Args:
        environment: Root folder of the virtual environment.
    """
    packages = next(environment.glob("lib/python3*/site-packages"))
    drop(packages)
    share([file for file in sorted(packages.rglob("*.so*")) if file.is_file() and not file.is_symlink()])
    compileall.compile_dir(packages, quiet=2, legacy=True, invalidation_mode=UNCHECKED)
    for code in packages.rglob("*.pyc"):
        code.with_suffix(".py").unlink(missing_ok=True)
    library = Path(os.__file__).parent
    compileall.compile_dir(library, quiet=2, rx=NOT_SERVED, invalidation_mode=UNCHECKED)


def drop(packages: Path) -> None:
    """Remove files that a server does not need.

    Args:
        packages: The folder site-packages.
    """
    folders = [path for path in packages.rglob("*") if path.name in FOLDERS and path.is_dir()]
    for path in [*folders, *(path for pattern in (*UNUSED, *LIBRARY) for path in packages.glob(pattern))]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in packages.rglob("*"):
        if path.suffix in SUFFIXES and path.is_file():
            path.unlink()


def share(libraries: list[Path]) -> None:
    """Replace shared libraries of the same content by links to one of them, and strip them.

    Args:
        libraries: The files.
    """
    seen: dict[str, Path] = {}
    for file in libraries:
        strip(file)
        kept = seen.setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), file)
        if kept != file:
            file.unlink()
            file.symlink_to(os.path.relpath(kept, file.parent))


def strip(library: Path) -> None:
    """Remove everything after the last byte that is loaded, as `sstrip` does; slim images have no `strip`.

    Args:
        library: A shared library; a file that is not 64-bit little-endian ELF is left unchanged.
    """
    with library.open("r+b") as stream:
        start = HEADER.unpack(stream.read(HEADER.size))
        if start[:3] != (b"\x7fELF", 2, 1):  # not 64-bit little-endian ELF
            return
        at, segments = start[8], start[13]
        ends = [at + segments * SEGMENT.size]
        stream.seek(at)
        for _ in range(segments):
            segment = SEGMENT.unpack(stream.read(SEGMENT.size))
            ends.append(segment[2] + segment[5])
        stream.truncate(max(ends))
        # The table of sections is gone: set its offset, its number of entries and its index of names to 0.
        stream.seek(0)
        stream.write(HEADER.pack(*start[:9], 0, *start[10:15], 0, 0))


if __name__ == "__main__":
    slim(Path(sys.argv[1]).resolve())
