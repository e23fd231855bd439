"""The model card: word for word, with what people say and without, and nothing of it is markup that came from data."""

from pathlib import Path
from typing import Any

import pytest

from gitops_ml.config import Card
from gitops_ml.forge.card import missing, render
from gitops_ml.registry.record import Figure, Record
from unit.reports import BAD, LINEAGE, REPORTS, hostile, shape

GOLDEN = Path(__file__).parent / "golden"
SAID = Card(
    owner="The screening team, screening@example.org",
    intended_use="A second opinion for pathologists, on images that one of them has seen.",
    limitations="Not for people under 18: there are none in the data.",
    ethical_considerations="A tumour that is missed costs more than a false alarm; no model alone sends anybody home.",
    licence="CC BY 4.0",
)
RECORD = Record(
    environment="production", model="screening", version="2", release="1.1.0", digest="sha256:" + "a" * 64,
    image="ghcr.io/ada/screening@sha256:" + "b" * 64, run="r", classes=("benign", "malignant"),
    columns={"radius": "float64", "count": "int64", "kind": "str", "smoker": "bool", "seen": "datetime64[ns]"},
    figure=Figure(metric="roc_auc", value=0.95, baseline=0.5, champion=0.925), lineage=LINEAGE,
)  # fmt: skip
NUMBER = RECORD.model_copy(update={"classes": (), "image": None, "columns": {"bmi": "float64"}})
SURE = REPORTS["better"].model_copy(update={"intervals": {"roc_auc": (0.9123, 0.98)}})
CARDS = {
    "better": (RECORD, SURE, SAID),
    "first-unsaid": (RECORD, REPORTS["first"], Card()),
    "regression": (NUMBER, REPORTS["regression"], SAID),
}


def card(name: str) -> str:
    """One of the cards."""
    record, comparison, said = CARDS[name]
    return render(record.model_dump(mode="json"), comparison.model_dump(mode="json"), said)


@pytest.mark.parametrize("name", CARDS)
def test_the_card_of_a_version(name: str) -> None:
    """The file in golden/ is what a person reads."""
    assert card(name) == (GOLDEN / f"card-{name}.md").read_text(encoding="utf-8")


def test_what_nobody_has_said_is_named() -> None:
    """By its key, in the order of the file; white space says nothing."""
    keys = ["owner", "intended_use", "limitations", "ethical_considerations", "licence"]
    assert missing(Card()) == keys
    assert missing(SAID) == []
    assert missing(SAID.model_copy(update={"owner": " \n"})) == ["owner"]
    assert [key for key in keys if f"write `{key}` under" in card("first-unsaid")] == keys


def test_text_from_data_is_no_markup() -> None:
    """Whatever columns, labels and slices are called, the page has the elements that it has with harmless names."""
    document: dict[str, Any] = hostile().model_dump(mode="json")
    bad = RECORD.model_copy(update={"columns": {BAD: "float64"}, "classes": (BAD, "b")})
    tame = RECORD.model_copy(update={"columns": {"word": "float64"}, "classes": ("word", "b")})
    harmless: dict[str, Any] = hostile().model_dump(mode="json")
    for part in harmless["slices"]:
        part["name"] = "word"
    for gate in harmless["gates"]:
        gate["message"] = "word"
    for side in (harmless["challenger"], harmless["champion"]):
        side["lineage"]["libraries"] = {}
    assert shape(render(bad.model_dump(mode="json"), document, SAID)) == shape(
        render(tame.model_dump(mode="json"), harmless, SAID)
    )
