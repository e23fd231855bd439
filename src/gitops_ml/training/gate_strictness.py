"""Strictness of the gates' settings: which direction loosens each setting, and the strictest of two configurations."""

from typing import Any

from gitops_ml.config import LOWER_IS_BETTER, Config, GatesConfig

# Settings that let more versions pass when they are larger ...
LOOSER_IF_LARGER = frozenset({
    "champion.refresh_margin", "signature.breaking", "holdout.changed", "labels.changed", "duplicates.share",
    "leakage.alone", "jump.share", "slices.margin", "slices.minimum_rows", "fairness.demographic_parity",
    "fairness.equal_opportunity", "fairness.equalized_odds", "fairness.error", "fairness.minimum_rows",
    "calibration.ece", "calibration.margin", "flips.worse", "determinism.tolerance", "latency.p95_ms", "latency.times",
    "latency.baseline_times", "size.file_mib", "size.memory_mib",
})  # fmt: skip
# ... or smaller.
LOOSER_IF_SMALLER = frozenset({
    "confidence", "resamples", "minimum_rows", "baseline.margin", "champion.margin", "champion.refresh_share",
    "slices.depth",
})  # fmt: skip
# Lists that let more versions pass when they are longer, or shorter.
LOOSER_IF_LONGER = frozenset({"off", "champion.policies", "leakage.known"})
LOOSER_IF_SHORTER = frozenset({"fairness.attributes"})


def find_loosened_settings(before: Config, after: Config) -> dict[str, str]:
    """Return the settings that let more versions pass than before, by key, as "before → after".

    Args:
        before: Earlier configuration.
        after: Later configuration.
    """
    earlier, later = _flatten(before), _flatten(after)
    loosened = {key: f"{_show(earlier.get(key))} → {_show(later.get(key))}"
                for key in {**earlier, **later} if _is_looser(key, earlier.get(key), later.get(key))}  # fmt: skip
    if before.evaluation.metric != after.evaluation.metric:
        loosened["evaluation.metric"] = f"{before.evaluation.metric} → {after.evaluation.metric}"
    if before.data.positive != after.data.positive:
        loosened["data.positive"] = f"{before.data.positive} → {after.data.positive}"
    changed_slices = {
        name: condition for name, condition in before.slices.items() if after.slices.get(name) != condition
    }
    loosened |= {
        f"slices.{name}": f"{condition} → {_show(after.slices.get(name))}" for name, condition in changed_slices.items()
    }
    return dict(sorted(loosened.items()))


def combine_strictest(before: Config, after: Config) -> Config:
    """Return the later configuration with the earlier settings where those let fewer versions pass.

    Args:
        before: Earlier configuration.
        after: Later configuration.
    """
    earlier, later = _flatten(before), _flatten(after)
    kept = {key: earlier.get(key) for key in {**earlier, **later} if _is_looser(key, earlier.get(key), later.get(key))}
    for key in LOOSER_IF_LONGER & set(kept):
        allowed_by_both = [each for each in _as_list(later[key]) if each in _as_list(earlier[key])]
        # A version needs one policy at least.
        kept[key] = allowed_by_both or (earlier[key] if key == "champion.policies" else [])
    for key in LOOSER_IF_SHORTER & set(kept):
        kept[key] = [*_as_list(earlier[key]), *(each for each in _as_list(later[key]) if each not in earlier[key])]
    document = after.model_dump(mode="json")
    for key, value in kept.items():
        _set_value(document["gates"], key.removeprefix("gates.").split("."), value)
    document["slices"] = {**document["slices"], **before.slices}
    return after.model_copy(
        update={"gates": GatesConfig.model_validate(document["gates"]), "slices": document["slices"]}
    )


def _as_list(value: object) -> list[object]:
    """Return a list of names; an empty list for None."""
    return list(value) if isinstance(value, list | tuple) else []


def _flatten(config: Config) -> dict[str, Any]:
    """Return every setting of [gates] by its dotted key; each floor is a setting too."""
    flat: dict[str, Any] = {}

    def walk(table: dict[str, Any], path: str) -> None:
        for name, value in table.items():
            if isinstance(value, dict):
                walk(value, f"{path}{name}.")
            else:
                flat[f"{path}{name}"] = value

    walk(config.gates.model_dump(mode="json"), "")
    return flat


def _is_looser(key: str, earlier: Any, later: Any) -> bool:
    if earlier == later:
        return False
    if earlier is None or later is None:  # a floor, or a limit that may be left out
        return later is None
    if key.startswith("floor."):
        return bool(later > earlier) if key.removeprefix("floor.") in LOWER_IS_BETTER else bool(later < earlier)
    if key in LOOSER_IF_LONGER:
        return bool(set(later or ()) - set(earlier or ()))
    if key in LOOSER_IF_SHORTER:
        return bool(set(earlier or ()) - set(later or ()))
    return bool(later > earlier) if key in LOOSER_IF_LARGER else bool(later < earlier)


def _set_value(table: dict[str, Any], path: list[str], value: Any) -> None:
    for name in path[:-1]:
        table = table[name]
    table[path[-1]] = value


def _show(value: object) -> str:
    return "nothing" if value is None else ", ".join(map(str, value)) if isinstance(value, list) else str(value)
