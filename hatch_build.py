"""Put the cookiecutter template into a wheel that an ordinary build makes, as the library's own builder does."""

import importlib.util
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateArchive(BuildHookInterface[Any]):
    """Hook of hatchling: https://hatch.pypa.io/latest/plugins/build-hook/custom."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the archive; an editable installation reads the template where it lies."""
        if version == "editable":
            return
        root = Path(self.root)
        spec = importlib.util.spec_from_file_location("wheel", root / "src" / "gitops_ml" / "wheel.py")
        assert spec is not None and spec.loader is not None  # noqa: PT018, S101
        wheel = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(wheel)
        made = Path(self.directory) / "template.zip"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_bytes(wheel.template(root))
        build_data["force_include"][str(made)] = wheel.ARCHIVE
