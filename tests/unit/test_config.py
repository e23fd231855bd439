"""model.toml: what it may say, and the sentence for each way to say something else."""

import json
from pathlib import Path

import pytest

import gitops_ml
from gitops_ml import config
from gitops_ml.errors import ConfigError
from unit.sample import DATA, MODEL_TOML, TEMPLATE, Project

SCHEMA = DATA / "model.schema.json"
SPLIT = '[split]\nmethod = "hash"\ncolumn = "id"\nholdout = 0.4\n'
PATH = 'path = "data/rows.csv"'

SUPPORTED = {
    "as it comes": ("", ""),
    "group": ('method = "hash"', 'method = "group"'),
    "time": (SPLIT, '[split]\nmethod = "time"\ncolumn = "day"\ncutoff = 2026-01-01\n'),
    "query": (PATH, 'query = "SELECT 1"'),
    "whole number where a number is wanted": ("roc_auc = 0.6", "roc_auc = 1"),
    "search": ("[evaluation]", "[training.search.parameters]\nestimator__C = [1, 2]\n\n[evaluation]"),
    "comment": ("[split]", "# why\n[split]"),
    "regression": (
        'task = "classification"\n',
        'task = "regression"\n',
    ),
}

# what is replaced, by what, and what the sentence says
REFUSED = {
    "unknown key": ("holdout = 0.4", "hold_out = 0.4", "[split] hold_out is unknown. Perhaps you meant 'holdout'."),
    "unknown key, far off": ("[split]", "[split]\nzzz = 1", "[split] zzz is unknown. Known here: method, column,"),
    "unknown table": ("[gates]", "[gate]", "[gate] is unknown. Perhaps you meant 'gates'."),
    "unknown nested key": (
        "[gates.floor]",
        "[gates.champion]\nmargins = 1\n[gates.floor]",
        "[gates.champion] margins is unknown. Perhaps you meant 'margin'.",
    ),
    "unknown metric": (
        "roc_auc = 0.6",
        "accuraci = 0.6",
        "[gates.floor] accuraci is unknown. Perhaps you meant 'accuracy'.",
    ),
    "text wanted": ('target = "label"', "target = 3", "[data] target is 3, but should be text in quotes."),
    "number wanted": ("holdout = 0.4", 'holdout = "0.4"', "[split] holdout is '0.4', but should be a number."),
    "whole number wanted": ("= 100", "= 100.5", "[gates] resamples is 100.5, but should be a whole number."),
    "true is no number": ("= 100", "= true", "[gates] resamples is True, but should be a whole number."),
    "table wanted": ("[project]", "store = 3\n[project]", "[store] is 3, but should be a table."),
    "list wanted": (
        "[evaluation]",
        "[training.search.parameters]\nestimator__C = 1\n[evaluation]",
        "[training.search.parameters] estimator__C is 1, but should be a list.",
    ),
    "a log that nobody finds": (
        "[gates]",
        '[log]\nsink = "log"\n[targets.production]\nkind = "process"\nport = 8080\n[gates]',
        "'log' would be a folder of the clone, and production serves elsewhere; name an absolute one, or an address.",
    ),
    "empty text": ('key = "id"', 'key = ""', "[data] key is '', but must not be empty."),
    "below the range": ("= 100", "= 2", "[gates] resamples is 2, but should be greater than or equal to 100."),
    "above the range": ("holdout = 0.4", "holdout = 1.4", "[split] holdout is 1.4, but should be less than 1."),
    "percent for a share": ("= 100", "= 100\nconfidence = 95", "[gates] confidence is 95, but should be less than 1."),
    "no such choice": ('"hash"', '"random"', "[split] method is 'random', but should be 'hash', 'group' or 'time'."),
    "no such policy": (
        "[gates.floor]",
        '[gates.champion]\npolicies = ["improv"]\n[gates.floor]',
        "[gates.champion] policies is 'improv', but should be 'improve' or 'refresh'.",
    ),
    "no split": (SPLIT, "", "[split] is missing. Which rows are held out; declared, never guessed."),
    "no key": ('key = "id"', "", "[data] key is missing. The column that names a row for ever."),
    "time without cutoff": ('"hash"', '"time"', '[split]: method = "time" needs `cutoff` (a date such as 2026-01-01)'),
    "hash without holdout": ("holdout = 0.4", "", '[split]: method = "hash" needs `holdout` (a share such as 0.3)'),
    "cutoff in quotes": (
        SPLIT,
        '[split]\nmethod = "time"\ncolumn = "day"\ncutoff = "2026-01-01"\n',
        "[split] cutoff is '2026-01-01', but should be a date such as 2026-01-01, without quotes.",
    ),
    "both path and query": (
        PATH,
        f'{PATH}\nquery = "SELECT 1"',
        "[data]: needs either `path` or `query`, and not both",
    ),
    "neither path nor query": (PATH, "", "[data]: needs either `path` or `query`, and not both"),
    "metric of the other task": (
        'metric = "roc_auc"',
        'metric = "r2"',
        "[evaluation] metric: 'r2' does not measure a classification; roc_auc, average_precision,",
    ),
    "floor of the other task": (
        "roc_auc = 0.6",
        "rmse = 1",
        "[gates.floor]: 'rmse' does not measure a classification; roc_auc, average_precision,",
    ),
    "not TOML": ('"hash"', "hash", "model.toml is not TOML: Invalid value (at line 14, column 10)."),
    "a key twice": ('key = "id"', 'key = "id"\nkey = "x1"', "model.toml is not TOML: Cannot overwrite a value"),
}


def changed(old: str, new: str) -> str:
    """The sample's model.toml with one change."""
    assert old in MODEL_TOML
    text = MODEL_TOML.replace(old, new)
    return text.replace('"roc_auc"', '"r2"').replace("roc_auc =", "r2 =") if 'task = "regression"' in new else text


@pytest.mark.parametrize("change", SUPPORTED.values(), ids=SUPPORTED)
def test_what_model_toml_may_say_is_read(change: tuple[str, str]) -> None:
    """Each supported text becomes a configuration."""
    assert config.parse(changed(*change)).project.name == "sample"


def test_what_is_left_out_has_the_default_that_model_toml_shows() -> None:
    """Every key that the generated file shows as a default has that value here."""
    defaults = config.parse(MODEL_TOML)
    assert defaults.data.max_mib == 1024
    assert defaults.gates.champion.policies == ("improve", "refresh")
    assert defaults.store.branch == "mlflow"


@pytest.mark.parametrize(("old", "new", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_model_toml_may_not_say_is_a_sentence(project: Project, old: str, new: str, sentence: str) -> None:
    """Exit code 3, with file, table and key, and what is allowed; no traceback."""
    project.write("model.toml", changed(old, new))
    result = project.gitops("config")
    assert result.code == 3
    assert sentence in result.err
    assert result.err.startswith("Configuration: model.toml")
    assert len(result.err.splitlines()) == 2  # what is wrong, and what to do


def test_all_mistakes_are_listed_at_once() -> None:
    """Nobody mends a file key by key."""
    with pytest.raises(ConfigError) as caught:
        config.parse(MODEL_TOML.replace("holdout = 0.4", "holdout = 2.0").replace("= 100", "= 2"))
    assert [line.split(" is ")[0] for line in caught.value.what.splitlines()] == [
        "model.toml: [split] holdout",
        "model.toml: [gates] resamples",
    ]


def test_a_file_that_is_not_text_is_a_sentence(project: Project) -> None:
    """A file that is not UTF-8 has exit code 3, and says so."""
    (project.root / "model.toml").write_bytes(MODEL_TOML.encode("utf-16"))
    result = project.gitops("config")
    assert result.code == 3
    assert "It must be a text file in UTF-8." in result.err


def test_a_folder_without_model_toml_is_a_sentence(project: Project) -> None:
    """Exit code 3, with the folder that was searched and what to do."""
    (project.root / "model.toml").unlink()
    result = project.gitops("config")
    assert result.code == 3
    assert f"There is no model.toml in {project.root.resolve()}" in result.err


def test_a_folder_inside_the_repository_finds_it(project: Project) -> None:
    """Commands work wherever a person stands."""
    assert config.find(project.root / "src" / "sample").root == project.root.resolve()


def test_config_prints_what_is_in_force(project: Project) -> None:
    """Defaults included, as JSON."""
    said = json.loads(project.must("config").out)
    assert said["gates"]["resamples"] == 100
    assert said["store"]["retries"] == 30


def test_the_schema_for_editors_is_that_of_the_models(project: Project) -> None:
    """Write it anew with: gitops config --schema > src/gitops_ml/data/model.schema.json"""
    assert project.must("config", "--schema").out == SCHEMA.read_text(encoding="utf-8")


def test_model_toml_names_the_schema() -> None:
    """Its first line is what editors look for: the schema of the library that `make setup` installs."""
    first = (TEMPLATE / "model.toml").read_text(encoding="utf-8").splitlines()[0]
    installed = "./.venv/lib/python<<cookiecutter.python_version>>/site-packages/"
    assert first == f"#:schema {installed}{SCHEMA.relative_to(Path(gitops_ml.__file__).parents[1]).as_posix()}"


def test_every_key_says_in_the_schema_what_it_is_for() -> None:
    """An editor shows it; a key without a description would show nothing."""
    silent = [
        f"{name}.{key}"
        for name, table in config.schema()["$defs"].items()
        for key, described in table["properties"].items()
        if "description" not in described and not {"$ref", "default"} & set(described)
    ]
    assert silent == []
