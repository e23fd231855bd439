"""Report of an update: its changes, with reasons. The code of the new library writes it, and the older one reads it.

The text in JSON is part of the contract between the two (`gitops_ml.updating.__main__`): a newer library may add keys.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from gitops_ml import library


@dataclass(frozen=True)
class ReportItem:
    """One line of a report.

    Attributes:
        name: Path of a file, or name of a gate or a question.
        reason: Phrase that says why it changes, or why it does not; empty if the section says it.
        lines: Numbers of added and removed lines, such as "+3 -1"; empty if unknown.
    """

    name: str
    reason: str = ""
    lines: str = ""

    @property
    def text(self) -> str:
        """The line in plain text."""
        shown = self.name if self.name.isprintable() else repr(self.name)
        return f"- {shown}{f' ({self.lines})' if self.lines else ''}{f': {self.reason}' if self.reason else ''}"


@dataclass(frozen=True)
class ReportSection:
    """Lines about one kind of change.

    Attributes:
        title: Heading without a colon at its end.
        items: The lines.
    """

    title: str
    items: tuple[ReportItem, ...]


@dataclass(frozen=True)
class UpdateReport:
    """An update of a repository.

    Attributes:
        earlier: Version that main pins, or "the copy of 0.1".
        version: The new version.
        training: Sentence that says whether the update retrains, and why.
        retrains: True if it does.
        conflicts: Paths of files with conflict markers.
        sections: Changes, and files that stay as they are, in the order of the text.
        main: Commit that the update starts from.
        tree: Git's id of the files after the update.
    """

    earlier: str
    version: str
    training: str
    retrains: bool
    conflicts: tuple[str, ...]
    sections: tuple[ReportSection, ...]
    main: str
    tree: str

    @property
    def subject(self) -> str:
        """Title of the commit and of the pull request."""
        return f"Update {library.NAME} from {self.earlier} to {self.version}"

    @property
    def message(self) -> str:
        """The report in plain text."""
        blocks = ["\n".join([f"{section.title}:", *(item.text for item in section.items)]) for section in self.sections]
        return "\n\n".join([self.subject, self.training, *blocks])

    def to_json(self) -> str:
        """Return the report as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "UpdateReport":
        """Return the report that a library wrote; keys that this version does not know are ignored.

        Args:
            text: The JSON of `to_json`.
        """
        document: dict[str, Any] = json.loads(text)
        sections = tuple(
            ReportSection(section["title"], tuple(ReportItem(item["name"], item["reason"], item["lines"])
                                                  for item in section["items"]))
            for section in document["sections"]
        )  # fmt: skip
        return cls(
            earlier=document["earlier"], version=document["version"], training=document["training"],
            retrains=document["retrains"], conflicts=tuple(document["conflicts"]), sections=sections,
            main=document["main"], tree=document["tree"],
        )  # fmt: skip
