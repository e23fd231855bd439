"""Put the cookiecutter template into a wheel that an ordinary build makes, as the library's own builder does."""

import importlib.util
import sys
import tempfile
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
        wheel = sys.modules["wheel"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(wheel)
        # Removed with this object, when the wheel is written; beside the wheel, it would be published with it.
        self.scratch = tempfile.TemporaryDirectory()
        made = Path(self.scratch.name, "template.zip")
        made.write_bytes(wheel.template(root))
        build_data["force_include"][str(made)] = wheel.ARCHIVE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder of the archive."""
        if version != "editable":
            self.scratch.cleanup()
