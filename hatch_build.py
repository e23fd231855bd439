"""Add the cookiecutter template to a wheel that hatchling builds, as the library's own builder does."""

import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class TemplateArchive(BuildHookInterface[Any]):
    """Build hook of hatchling: https://hatch.pypa.io/latest/plugins/build-hook/custom."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the archive, except to an editable installation, which reads the template from the checkout."""
        if version == "editable":
            return
        root = Path(self.root)
        spec = importlib.util.spec_from_file_location("wheel", root / "src" / "gitops_ml" / "wheel.py")
        assert spec is not None and spec.loader is not None  # noqa: PT018, S101
        wheel = sys.modules["wheel"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(wheel)
        # The archive is in a temporary folder, because a file beside the wheel would be published with it.
        self.scratch = tempfile.TemporaryDirectory()
        archive = Path(self.scratch.name, "template.zip")
        archive.write_bytes(wheel.build_template(root))
        build_data["force_include"][str(archive)] = wheel.ARCHIVE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the folder of the archive."""
        if version != "editable":
            self.scratch.cleanup()
