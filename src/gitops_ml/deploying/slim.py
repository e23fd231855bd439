"""Make the environment of an image small and quick to start, inside its build.

`python slim.py ENVIRONMENT`, run by the Dockerfile: drop what no server needs, and keep byte code: of packages instead
of their sources, of Python's own library below PYTHONPYCACHEPREFIX, for the images that people use come without.
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

# Tests, and what is only for compilers and type checkers.
FOLDERS = ("tests", "test", "include")
SUFFIXES = {".pyi", ".pyx", ".pxd", ".pxi", ".tp", ".h", ".hpp", ".c", ".cc", ".cpp", ".a", ".build"}
# Arrow over the network; the sample data that training may start from.
UNUSED = ("pyarrow/*flight*", "pyarrow/src", "sklearn/datasets/data", "sklearn/datasets/images",
          "sklearn/datasets/descr")  # fmt: skip
# Of this library, what does not answer requests; this file among it.
LIBRARY = ("gitops_ml/commands", "gitops_ml/training", "gitops_ml/registry", "gitops_ml/forge", "gitops_ml/deploying",
           "gitops_ml/monitoring", "gitops_ml/ingesting", "gitops_ml/data/template.zip")  # fmt: skip
# Of Python's own library, what is for people at a keyboard, or a package that is looked at above.
NOT_SERVED = re.compile(r"/(tests?|idlelib|tkinter|turtledemo|lib2to3|ensurepip|distutils|pydoc_data|encodings|venv|"
                        r"config-[^/]*|site-packages|dist-packages)/")  # fmt: skip
# Never compared with a source again: nothing changes in an image.
UNCHECKED = PycInvalidationMode.UNCHECKED_HASH
HEADER = struct.Struct("<4s2B10s2HIQQQI6H")
SEGMENT = struct.Struct("<2I6Q")


def slim(environment: Path) -> None:
    """Do all of it."""
    packages = next(environment.glob("lib/python3*/site-packages"))
    drop(packages)
    share([file for file in sorted(packages.rglob("*.so*")) if file.is_file() and not file.is_symlink()])
    compileall.compile_dir(packages, quiet=2, legacy=True, invalidation_mode=UNCHECKED)
    for code in packages.rglob("*.pyc"):
        code.with_suffix(".py").unlink(missing_ok=True)
    library = Path(os.__file__).parent
    compileall.compile_dir(library, quiet=2, rx=NOT_SERVED, invalidation_mode=UNCHECKED)


def drop(packages: Path) -> None:
    """Remove what no server needs."""
    named = [path for path in packages.rglob("*") if path.name in FOLDERS and path.is_dir()]
    for path in [*named, *(path for pattern in (*UNUSED, *LIBRARY) for path in packages.glob(pattern))]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in packages.rglob("*"):
        if path.suffix in SUFFIXES and path.is_file():
            path.unlink()


def share(libraries: list[Path]) -> None:
    """Keep each shared library once, without what only a debugger reads."""
    seen: dict[str, Path] = {}
    for file in libraries:
        strip(file)
        kept = seen.setdefault(hashlib.sha256(file.read_bytes()).hexdigest(), file)
        if kept != file:
            file.unlink()
            file.symlink_to(os.path.relpath(kept, file.parent))


def strip(library: Path) -> None:
    """Cut off what lies behind the last byte that is ever loaded, as `sstrip` does; slim images have no `strip`."""
    with library.open("r+b") as stream:
        start = HEADER.unpack(stream.read(HEADER.size))
        if start[:3] != (b"\x7fELF", 2, 1):  # 64 bits, little-endian; whatever else there is stays as it is
            return
        at, segments = start[8], start[13]
        ends = [at + segments * SEGMENT.size]
        stream.seek(at)
        for _ in range(segments):
            segment = SEGMENT.unpack(stream.read(SEGMENT.size))
            ends.append(segment[2] + segment[5])
        stream.truncate(max(ends))
        # There is no table of sections any more: no place, no entries, no names.
        stream.seek(0)
        stream.write(HEADER.pack(*start[:9], 0, *start[10:15], 0, 0))


if __name__ == "__main__":
    slim(Path(sys.argv[1]).resolve())
