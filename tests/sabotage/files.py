"""Tampered files and records: they are not used, and the run ends red."""

import hashlib
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from github.contributor import Contributor

from . import changes

STORE = "mlflow"
MODEL, MANIFEST = "model.skops", "manifest.json"
ESTIMATOR = re.compile(r'"__class__": "LogisticRegression",\s*"__module__": "sklearn.linear_model._logistic"')
PROGRAM = '"__class__": "Popen", "__module__": "subprocess"'


@dataclass(frozen=True)
class Intruder:
    """A user who tampers with a model file or a record.

    Attributes:
        id: Name for reports.
        does: Change that makes Train run.
        job: Job of Train that fails.
        code: Exit code of the job's command.
        says: Text that the job's log must contain.
    """

    id: str
    does: Callable[[Contributor], None]
    job: str
    code: int
    says: str


def tamper(site: Contributor) -> None:
    """Change one bit of the champion's model file in the store, and have Train look at it."""

    def change(folder: Path) -> None:
        content = (folder / MODEL).read_bytes()
        (folder / MODEL).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    _in_the_store(site, change)
    (site.clone / "NOTES.md").write_text("Words.\n")
    site.push("Write words")


def forge(site: Contributor) -> None:
    """Put a program into a model file, with a manifest that fits it, and have Train compare it."""
    digests = []

    def change(folder: Path) -> None:
        _replace_class(folder / MODEL)
        manifest = json.loads((folder / MANIFEST).read_text())
        content = (folder / MODEL).read_bytes()
        manifest[MODEL] = {"bytes": len(content), "sha256": f"sha256:{hashlib.sha256(content).hexdigest()}"}
        text = json.dumps(manifest, indent=2, sort_keys=True) + "\n"
        (folder / MANIFEST).write_text(text)
        digests.append(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}")

    _in_the_store(site, change)
    inputs = {"version": "1", "digest": digests[0]}
    site.request("POST", "/actions/workflows/train.yml/dispatches", ref="main", inputs=inputs)


def add_untrusted_type(site: Contributor) -> None:
    """Train a pipeline with a function that is not in trusted_types."""
    changes.untrusted_type(site.clone)
    site.push("Double")


def rewrite_lineage(site: Contributor) -> None:
    """Let the champion's record name a commit that was never merged, whose rules and code would then count."""
    record = site.clone / "registry" / "production.json"
    document = json.loads(record.read_text())
    document["lineage"]["commit"] = site.run("git", "commit-tree", "-m", "A back door", "HEAD^{tree}").strip()
    record.write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
    site.push("Tidy up")


INTRUDERS = (
    Intruder("a rewritten lineage", rewrite_lineage, "compare", 11, "pins: lineage.commit is"),
    Intruder("a tampered model file", tamper, "train", 11, f"{MODEL} was changed after it was written"),
    Intruder("a forged model file", forge, "compare", 11, "contains types that are not allowed: subprocess.Popen"),
    Intruder(
        "an unknown type",
        add_untrusted_type,
        "train",
        3,
        "a model file may not contain: tumour_screening.features.twice",
    ),
)


def _in_the_store(site: Contributor, change: Callable[[Path], None]) -> None:
    """Change the files of the champion on the store's branch, and push."""
    place = site.clone.with_name("store")
    site.run("git", "clone", "--quiet", "--branch", STORE, site.hub.remote, str(place))
    (manifest,) = place.rglob(MANIFEST)
    change(manifest.parent)
    for command in (["add", "--all"], ["commit", "--quiet", "--message", "Tidy up"], ["push", "--quiet"]):
        site.run("git", "-C", str(place), *command)


def _replace_class(file: Path) -> None:
    """Replace the estimator's class in the file by one that runs programs."""
    with zipfile.ZipFile(file) as old:
        parts = {name: old.read(name) for name in old.namelist()}
    text, count = ESTIMATOR.subn(PROGRAM, parts["schema.json"].decode())
    assert count == 1, text[:2000]
    with zipfile.ZipFile(file, "w") as new:
        for name, content in {**parts, "schema.json": text.encode()}.items():
            new.writestr(name, content)
