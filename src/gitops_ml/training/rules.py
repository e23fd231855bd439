"""What it means to loosen a rule: which way each key of [gates] is looser, and the stricter of two sets of rules."""

from typing import Any

from gitops_ml.config import Config, Gates
from gitops_ml.training.metrics import LESS_IS_BETTER

# A larger number lets more pass ...
MORE = frozenset({
    "champion.refresh_margin", "signature.breaking", "holdout.changed", "labels.changed", "duplicates.share",
    "leakage.alone", "jump.share", "slices.margin", "slices.minimum_rows", "fairness.demographic_parity",
    "fairness.equal_opportunity", "fairness.equalized_odds", "fairness.error", "fairness.minimum_rows",
    "calibration.ece", "calibration.margin", "flips.worse", "determinism.tolerance", "latency.p95_ms", "latency.times",
    "size.file_mib", "size.memory_mib",
})  # fmt: skip
# ... or a smaller one.
LESS = frozenset({
    "confidence", "resamples", "minimum_rows", "baseline.margin", "champion.margin", "champion.refresh_share",
    "slices.depth",
})  # fmt: skip
# One name more in the list lets more pass, or one less.
LONGER = frozenset({"off", "champion.policies"})
SHORTER = frozenset({"fairness.attributes"})


def loosened(before: Config, after: Config) -> dict[str, str]:
    """What lets more pass than it did, by its key in model.toml: in words, from what to what."""
    then, now = _flat(before), _flat(after)
    found = {key: f"{_said(then.get(key))} → {_said(now.get(key))}"
             for key in {**then, **now} if _looser(key, then.get(key), now.get(key))}  # fmt: skip
    if before.evaluation.metric != after.evaluation.metric:
        found["evaluation.metric"] = f"{before.evaluation.metric} → {after.evaluation.metric}"
    if before.data.positive != after.data.positive:
        found["data.positive"] = f"{before.data.positive} → {after.data.positive}"
    gone = {name: condition for name, condition in before.slices.items() if after.slices.get(name) != condition}
    found |= {f"slices.{name}": f"{condition} → {_said(after.slices.get(name))}" for name, condition in gone.items()}
    return dict(sorted(found.items()))


def stricter(before: Config, after: Config) -> Config:
    """Today's configuration, with the rules of before wherever they let less pass."""
    then, now = _flat(before), _flat(after)
    kept = {key: then.get(key) for key in {**then, **now} if _looser(key, then.get(key), now.get(key))}
    for key in LONGER & set(kept):
        both = [each for each in _names(now[key]) if each in _names(then[key])]
        kept[key] = both or then[key]
    for key in SHORTER & set(kept):
        kept[key] = [*_names(then[key]), *(each for each in _names(now[key]) if each not in then[key])]
    document = after.model_dump(mode="json")
    for key, value in kept.items():
        _put(document["gates"], key.removeprefix("gates.").split("."), value)
    document["slices"] = {**document["slices"], **before.slices}
    return after.model_copy(update={"gates": Gates.model_validate(document["gates"]), "slices": document["slices"]})


def _names(value: object) -> list[object]:
    """A list of names, or none."""
    return list(value) if isinstance(value, list | tuple) else []


def _flat(config: Config) -> dict[str, Any]:
    """Every key of [gates], with its tables' names before it; a floor is a key too."""
    found: dict[str, Any] = {}

    def walk(table: dict[str, Any], path: str) -> None:
        for name, value in table.items():
            if isinstance(value, dict):
                walk(value, f"{path}{name}.")
            else:
                found[f"{path}{name}"] = value

    walk(config.gates.model_dump(mode="json"), "")
    return found


def _looser(key: str, then: Any, now: Any) -> bool:
    if then == now:
        return False
    if key.startswith("floor."):
        if then is None or now is None:
            return now is None
        return bool(now > then) if key.removeprefix("floor.") in LESS_IS_BETTER else bool(now < then)
    if key in LONGER:
        return bool(set(now or ()) - set(then or ()))
    if key in SHORTER:
        return bool(set(then or ()) - set(now or ()))
    return bool(now > then) if key in MORE else bool(now < then)


def _put(table: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value


def _said(value: object) -> str:
    return "nothing" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
