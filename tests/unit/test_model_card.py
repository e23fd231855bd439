"""The model card: its text with and without the owner's texts, and the escaping of text from data."""

from pathlib import Path
from typing import Any

import pytest

from gitops_ml.config import CardConfig
from gitops_ml.forge.model_card import find_empty_keys, render_model_card
from gitops_ml.registry.record import PromotionMetric, Record
from unit.example_comparisons import BAD, LINEAGE, REPORTS, count_elements, hostile_comparison

GOLDEN = Path(__file__).parent / "golden"
CARD = CardConfig(
    owner="The screening team, screening@example.org",
    intended_use="A second opinion for pathologists, on images that one of them has seen.",
    limitations="Not for people under 18: there are none in the data.",
    ethical_considerations="A tumour that is missed costs more than a false alarm; no model alone decides a treatment.",
    licence="CC BY 4.0",
)
RECORD = Record(
    environment="production", model="screening", version="2", release="1.1.0", digest="sha256:" + "a" * 64,
    image="ghcr.io/ada/screening@sha256:" + "b" * 64, run="r", classes=("benign", "malignant"),
    columns={"radius": "float64", "count": "int64", "kind": "str", "smoker": "bool", "seen": "datetime64[ns]"},
    figure=PromotionMetric(metric="roc_auc", value=0.95, baseline=0.5, champion=0.925), lineage=LINEAGE,
)  # fmt: skip
REGRESSION_RECORD = RECORD.model_copy(update={"classes": (), "image": None, "columns": {"bmi": "float64"}})
WITH_INTERVALS = REPORTS["better"].model_copy(update={"intervals": {"roc_auc": (0.9123, 0.98)}})
CARDS = {
    "better": (RECORD, WITH_INTERVALS, CARD),
    "first-empty": (RECORD, REPORTS["first"], CardConfig()),
    "regression": (REGRESSION_RECORD, REPORTS["regression"], CARD),
}


def render(name: str) -> str:
    """Return one of the cards."""
    record, comparison, card = CARDS[name]
    return render_model_card(record.model_dump(mode="json"), comparison.model_dump(mode="json"), card)


@pytest.mark.parametrize("name", CARDS)
def test_card_equals_golden_file(name: str) -> None:
    """The file in golden/ is the card as people read it."""
    assert render(name) == (GOLDEN / f"card-{name}.md").read_text(encoding="utf-8")


def test_empty_keys_are_listed() -> None:
    """They are listed in the order of the file; white space is empty; the card names each key."""
    keys = ["owner", "intended_use", "limitations", "ethical_considerations", "licence"]
    assert find_empty_keys(CardConfig()) == keys
    assert find_empty_keys(CARD) == []
    assert find_empty_keys(CARD.model_copy(update={"owner": " \n"})) == ["owner"]
    assert [key for key in keys if f"write `{key}` under" in render("first-empty")] == keys


def test_text_from_data_is_escaped() -> None:
    """Hostile names of columns, labels and slices produce the same elements as harmless ones."""
    hostile: dict[str, Any] = hostile_comparison().model_dump(mode="json")
    hostile_record = RECORD.model_copy(update={"columns": {BAD: "float64"}, "classes": (BAD, "b")})
    harmless_record = RECORD.model_copy(update={"columns": {"word": "float64"}, "classes": ("word", "b")})
    harmless: dict[str, Any] = hostile_comparison().model_dump(mode="json")
    for part in harmless["slices"]:
        part["name"] = "word"
    for gate in harmless["gates"]:
        gate["message"] = "word"
    for version in (harmless["challenger"], harmless["champion"]):
        version["lineage"]["libraries"] = {}
    assert count_elements(render_model_card(hostile_record.model_dump(mode="json"), hostile, CARD)) == count_elements(
        render_model_card(harmless_record.model_dump(mode="json"), harmless, CARD)
    )
