"""Print the modules of all packages that a generated repository installs, with the name of the package.

`make lock` writes them to hooks/modules.txt; the template's hook refuses a package of the user with such a name.
"""

import re
from importlib.metadata import packages_distributions

from repositories import GENERATED


def find_module_names() -> str:
    """Return a line for each public module: its name, and the name of its package."""
    lock = (GENERATED / "requirements" / "dev.txt").read_text()
    locked = set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE))
    modules = {
        module: sorted(locked.intersection(re.sub(r"[-_.]+", "-", name).lower() for name in names))
        for module, names in packages_distributions().items()
    }
    return "".join(
        f"{module} {names[0]}\n"
        for module, names in sorted(modules.items())
        if names and re.fullmatch("[a-z][a-z0-9_]*", module)
    )


if __name__ == "__main__":
    print(find_module_names(), end="")
