"""The rules of docs/development/words.md that a program can check; test_words.py applies them."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

# Words, without regard to case, and the words to use. Letters on either side make another word, underscores do not.
DIALECT = {
    "said": "predicted, recorded, or the noun of the value",
    "told": "reported, labeled, or the noun of the value",
    "whoever|whomever": "the caller, the user, the owner of ...",
    "nobody|no one": "no user, no process, or a passive sentence",
    "somebody|anybody": "a user, a person, a process",
    "anew": "again",
    "unheard": "untested",
    "hear out|hears out|hear it|hears it|hear them|hears them": "smoke test",
    "heard": "received, smoke-tested",
    "rival|rivals": "challenger or proposed version",
    "stranger|strangers": "unexpected file, untrusted type, unknown user",
    "mend|mends|mended|mending": "fix",
    "surely": "at this confidence level",
    "machinery": "library",
    "forfeit|forfeits|forfeited": "incomparable",
    "contender|contenders|candidate|candidates": "challenger",
    "checkpoint|checkpoints": "model version",
    "production model|best model": "champion",
    "cohort|cohorts": "slice",
    "guard": "gate",
}
_BETTER = {word: better for words, better in DIALECT.items() for word in words.split("|")}
_FIRST = {word.partition(" ")[0] for word in _BETTER}
_DIALECT = re.compile(rf"(?<![a-z])(?:{'|'.join(_BETTER)})(?![a-z])")

FIRST_WORDS = set(
    re.findall(r"\w+", "What Whether Whoever How Of Its If In From To As Where When Nobody Why Who Whose Which That")
)
ENTRY_WORDS = set(re.findall(r"\w+", "Of What Whether As Whoever Its How"))

# Imperatives that say nothing about the value that comes back. Some are nouns too: "Record of ..." is a noun phrase.
VERBS = set(
    re.findall(
        r"\w+",
        """
        Add Append Apply Ask Assemble Bring Build Call Cast Check Choose Clone Close Collect Combine Commit Compare
        Compute Convert Copy Count Create Decide Delete Deploy Describe Download Draw Evaluate Execute Extract Fetch
        Find Fit Format Generate Get Give Handle Hash Import Insert Judge Keep Let List Load Look Make Mark Match
        Measure Merge Move Name Open Parse Pick Plot Post Predict Prepare Print Promote Pull Push Put Raise Read
        Receive Record Refuse Register Remove Render Replace Report Request Resolve Restore Roll Run Sample Save Score
        Search Select Send Serialize Serve Set Show Sort Split Start Stop Store Sum Take Tell Test Train Translate Try
        Turn Update Upload Use Validate Verify Wait Warn Weigh Weight Write
        """,
    )
)
# Bases outside the library whose methods a subclass does not override, but adds to.
OPEN_BASES = set(
    re.findall(
        r"\w+",
        """
        object BaseModel Protocol Generic NamedTuple TypedDict Enum StrEnum IntEnum Exception ValueError RuntimeError
        str int float dict list tuple ABC
        """,
    )
)
# Decorators of functions whose docstring is a text for users, or is inherited.
DOCUMENTED_ELSEWHERE = (
    "property",
    "validator",
    "serializer",
    "setter",
    "overload",
    "override",
    "fixture",
    "click.",
    "check(",
)


def faults_of_words(name: str, text: str, exempt: Iterable[str] = ()) -> list[str]:
    """Places where a text holds a word of the dialect; links to decision records do not count.

    Args:
        name: File name for the messages.
        text: The file's text.
        exempt: Regular expressions of what may stand in this file.
    """
    for pattern in (r"\b\d{4}-[a-z-]+\.md\b", *exempt):
        text = re.sub(pattern, "", text)
    text = text.lower()
    if _FIRST.isdisjoint(re.findall("[a-z]+", text)):  # much faster than the search
        return []
    return [
        f"{name}:{number}: {hit.group()!r}: write {_BETTER[hit.group()]!r}"
        for number, line in enumerate(text.splitlines(), 1)
        for hit in _DIALECT.finditer(line)
    ]


Function = ast.FunctionDef | ast.AsyncFunctionDef
Documented = ast.Module | ast.ClassDef | Function


@dataclass(frozen=True)
class Module:
    """A parsed module of the library.

    Attributes:
        name: Path inside the library.
        tree: Its syntax tree.
    """

    name: str
    tree: ast.Module

    @property
    def stem(self) -> str:
        """The module's name; a package's is its folder's."""
        path = Path(self.name)
        return path.parent.name if path.stem in {"__init__", "__main__"} else path.stem

    def place(self, node: Documented) -> str:
        """The file and line of a definition, and its name."""
        name = "module" if isinstance(node, ast.Module) else node.name
        return f"{self.name}:{getattr(node, 'lineno', 1)}: {name}"

    def classes(self) -> Iterator[ast.ClassDef]:
        """All classes that do not begin with an underscore."""
        return (
            node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        )


def modules(library: Path) -> list[Module]:
    """Parse every module of a package."""
    return [
        Module(file.relative_to(library).as_posix(), ast.parse(file.read_text(encoding="utf-8")))
        for file in sorted(library.rglob("*.py"))
    ]


def faults_of_first_lines(module: Module) -> list[str]:
    """Docstrings whose first line is neither an imperative nor a noun phrase, and entries that are no noun phrase."""
    faults = []
    for node in ast.walk(module.tree):
        if isinstance(node, Documented) and (docstring := ast.get_docstring(node)):
            first = _first_word(docstring)
            if first in FIRST_WORDS:
                faults.append(f"{module.place(node)}: the docstring begins with {first!r}: write {_better(first)}")
            for section in ("Attributes", "Args"):
                for name, text in entries(docstring, section).items():
                    word = _first_word(text)
                    if word in ENTRY_WORDS or text[:1].islower() or not text:
                        faults.append(f"{module.place(node)}: {section}: {name}: {word!r}: write a noun phrase")
    return faults


def _better(word: str) -> str:
    return {
        "Whether": "'Return whether ...'",
        "How": "'Number of ...' or 'Return ...'",
    }.get(word, "an imperative ('Return ...') or a noun phrase")


def entries(docstring: str, section: str) -> dict[str, str]:
    """The entries of a section of a Google-style docstring: the text of each name.

    Args:
        docstring: A docstring without its indentation.
        section: Title of the section, such as "Args".
    """
    block = re.search(rf"^{section}:\n((?:(?: +.*)?(?:\n|\Z))+)", docstring, re.MULTILINE)
    found: dict[str, str] = {}
    for line in block[1].splitlines() if block else []:
        if entry := re.match(r"    ([\w*, `]+?)(?: \(.*?\))?:(?: (.*))?$", line):
            found |= {name.strip(" *`"): entry[2] or "" for name in entry[1].split(",")}
    return found


def faults_of_names(library: list[Module]) -> list[str]:
    """Modules and classes that share their name with another one."""
    places: dict[tuple[str, str], list[str]] = defaultdict(list)
    for module in library:
        if not module.name.startswith("commands/") and not module.name.endswith("__main__.py"):
            places["module", module.stem].append(module.name)
        for node in module.classes():
            places["class", node.name].append(f"{module.name}:{node.lineno}")
    return [
        f"{where[0]}: {kind} {name!r} is also in {', '.join(where[1:])}: give each its own name"
        for (kind, name), where in places.items()
        if len(where) > 1
    ]


class Signatures:
    """Finds public functions whose docstrings lack their parameters or their result."""

    def __init__(self, library: list[Module]) -> None:
        self._library = library
        self._classes = {node.name: node for module in library for node in ast.walk(module.tree)
                         if isinstance(node, ast.ClassDef)}  # fmt: skip
        self._protocols = {
            method.name
            for node in self._classes.values()
            if "Protocol" in _bases(node)
            for method in node.body
            if isinstance(method, Function)
        }

    def faults(self) -> list[str]:
        """All of them."""
        return [f"{module.place(node)}: {fault}" for module in self._library
                for node in self._public(module) for fault in _faults_of_sections(node)]  # fmt: skip

    def _public(self, module: Module) -> Iterator[Function]:
        if any(part.startswith("_") and not part.startswith("__") for part in Path(module.name).parts):
            return
        for node in module.tree.body:
            if isinstance(node, Function) and not _is_exempt(node, module):
                yield node
        for owner in module.classes():
            for node in owner.body:
                if isinstance(node, Function) and not _is_exempt(node, module) and not self._overrides(owner, node):
                    yield node

    def _overrides(self, owner: ast.ClassDef, method: Function) -> bool:
        """Return whether a base class, a Protocol or another program defines the method."""
        if "Protocol" in (bases := _bases(owner)):
            return False
        return method.name in self._protocols or any(self._defines(base, method.name) for base in bases)

    def _defines(self, base: str, method: str) -> bool:
        if base not in self._classes:
            return base not in OPEN_BASES
        node = self._classes[base]
        return any(isinstance(each, Function) and each.name == method for each in node.body) or any(
            self._defines(above, method) for above in _bases(node)
        )


def _faults_of_sections(node: Function) -> Iterator[str]:
    docstring = ast.get_docstring(node) or ""
    names = [each.arg for each in ast.walk(node.args) if isinstance(each, ast.arg) and each.arg not in {"self", "cls"}]
    documented = entries(docstring, "Args")
    if names and not documented:
        yield f"add `Args:` with {', '.join(names)}"
    elif missing := [name for name in names if name not in documented]:
        yield f"`Args:` lacks {', '.join(missing)}"
    if unknown := [name for name in documented if name not in names]:
        yield f"`Args:` has {', '.join(unknown)}, which is no parameter"
    if _returns(node) and not _names_the_result(docstring):
        yield "add `Returns:`, or begin the docstring with 'Return' or with a noun phrase of the value"


def _returns(node: Function) -> bool:
    return node.returns is not None and ast.unparse(node.returns) not in {"None", "NoReturn", "Never"}


def _names_the_result(docstring: str) -> bool:
    """Return whether a docstring has `Returns:`, or a first line that is about the value."""
    if re.search(r"^(?:Returns|Yields):$", docstring, re.MULTILINE):
        return True
    words = re.findall(r"[\w'`]+", docstring.partition("\n")[0])
    noun = any(pair[0] in VERBS and pair[1] in {"of", "that"} for pair in pairwise(words[:2]))
    return noun or not words or words[0] not in VERBS


def _is_exempt(node: Function, module: Module) -> bool:
    decorators = [ast.unparse(each) for each in node.decorator_list]
    return (
        node.name.startswith("_")
        or (node.name == "command" and module.name.startswith("commands/"))
        or any(mark in decorator for mark in DOCUMENTED_ELSEWHERE for decorator in decorators)
    )


def _bases(node: ast.ClassDef) -> list[str]:
    """The names of the base classes, without modules and type parameters."""
    return [ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in node.bases]


def _first_word(text: str) -> str:
    return (re.match(r"[A-Za-z]*", text) or [""])[0]
