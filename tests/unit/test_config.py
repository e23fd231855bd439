"""model.toml: valid configurations, and the message for each kind of error."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

import gitops_ml
from gitops_ml import config
from gitops_ml.config import Config, parse_config
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
    "time with a share": (SPLIT, '[split]\nmethod = "time"\ncolumn = "day"\nholdout = 0.2\n'),
    "whole number where a number is wanted": ("roc_auc = 0.6", "roc_auc = 1"),
    "search": ("[evaluation]", "[training.search.parameters]\nestimator__C = [1, 2]\n\n[evaluation]"),
    "comment": ("[split]", "# why\n[split]"),
    "regression": (
        'task = "classification"\n',
        'task = "regression"\n',
    ),
}

# text to replace, replacement, and part of the message
REFUSED = {
    "unknown key": ("holdout = 0.4", "hold_out = 0.4", "[split] hold_out is unknown. Perhaps you meant 'holdout'."),
    "unknown key, far off": ("[split]", "[split]\nzzz = 1", "[split] zzz is unknown. Allowed here: method, column,"),
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
    "name of a target with a space": (
        "[gates]",
        '[targets."my env"]\n[gates]',
        "the name 'my env' must begin with a letter or a digit and have only letters, digits, '.', '_', '-'.",
    ),
    "empty name of a slice": ("[gates]", '[slices]\n"" = "x > 1"\n[gates]', "[slices]: the name '' must not be empty."),
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
    "a log in the clone": (
        "[gates]",
        '[log]\nsink = "log"\n[targets.production]\nkind = "process"\nport = 8080\n[gates]',
        "'log' is a folder of the clone, which servers of production do not have; set an absolute path or a URL.",
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
    "no split": (SPLIT, "", "[split] is missing. Rule that decides which rows are held out."),
    "no key": ('key = "id"', "", "[data] key is missing. Column that identifies a row for ever."),
    "time with a share and a cutoff": (
        SPLIT,
        '[split]\nmethod = "time"\ncolumn = "day"\nholdout = 0.2\ncutoff = 2026-01-01\n',
        '[split]: method = "time" needs either `holdout` (the share of the newest rows, such as 0.2) or `cutoff`',
    ),
    "time with neither": (
        SPLIT,
        '[split]\nmethod = "time"\ncolumn = "day"\n',
        '[split]: method = "time" needs either `holdout`',
    ),
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
        "[evaluation] metric: 'r2' is no metric of a classification; use one of roc_auc, average_precision,",
    ),
    "floor of the other task": (
        "roc_auc = 0.6",
        "rmse = 1",
        "[gates.floor]: 'rmse' is no metric of a classification; use one of roc_auc, average_precision,",
    ),
    "not TOML": ('"hash"', "hash", "model.toml is not TOML: Invalid value (at line 14, column 10)."),
    "a key twice": ('key = "id"', 'key = "id"\nkey = "x1"', "model.toml is not TOML: Cannot overwrite a value"),
}


def changed(old: str, new: str) -> str:
    """Return the sample's model.toml with one change."""
    assert old in MODEL_TOML
    text = MODEL_TOML.replace(old, new)
    return text.replace('"roc_auc"', '"r2"').replace("roc_auc =", "r2 =") if 'task = "regression"' in new else text


@pytest.mark.parametrize("change", SUPPORTED.values(), ids=SUPPORTED)
def test_a_valid_model_toml_is_parsed(change: tuple[str, str]) -> None:
    """Each supported text is parsed to a configuration."""
    assert config.parse_config(changed(*change)).project.name == "sample"


def test_keys_that_are_left_out_have_the_defaults_of_the_template() -> None:
    """The defaults are those that the generated model.toml shows."""
    defaults = config.parse_config(MODEL_TOML)
    assert defaults.data.max_mib == 1024
    assert defaults.gates.champion.policies == ("improve", "refresh")
    assert defaults.store.branch == "mlflow"


@pytest.mark.parametrize(("old", "new", "sentence"), REFUSED.values(), ids=REFUSED)
def test_an_invalid_model_toml_is_an_error(project: Project, old: str, new: str, sentence: str) -> None:
    """The exit code is 3; the message has file, table, key and the allowed values, without a traceback."""
    project.write("model.toml", changed(old, new))
    result = project.gitops("config")
    assert result.code == 3
    assert sentence in result.err
    assert result.err.startswith("Configuration: model.toml")
    assert len(result.err.splitlines()) == 2  # the problem, and the next step


def test_all_errors_are_listed_at_once() -> None:
    """A user can fix them together."""
    with pytest.raises(ConfigError) as caught:
        config.parse_config(MODEL_TOML.replace("holdout = 0.4", "holdout = 2.0").replace("= 100", "= 2"))
    assert [line.split(" is ")[0] for line in caught.value.problem.splitlines()] == [
        "model.toml: [split] holdout",
        "model.toml: [gates] resamples",
    ]


def test_a_file_that_is_not_text_is_an_error(project: Project) -> None:
    """A file that is not UTF-8 has exit code 3, and a message that says so."""
    (project.root / "model.toml").write_bytes(MODEL_TOML.encode("utf-16"))
    result = project.gitops("config")
    assert result.code == 3
    assert "Save it as text in UTF-8." in result.err


def test_a_folder_without_model_toml_is_an_error(project: Project) -> None:
    """The exit code is 3, and the message has the folder and the next step."""
    (project.root / "model.toml").unlink()
    result = project.gitops("config")
    assert result.code == 3
    assert f"There is no model.toml in {project.root.resolve()}" in result.err


def test_the_repository_is_found_from_a_subfolder(project: Project) -> None:
    """Commands work in every folder of the repository."""
    assert config.find_repository(project.root / "src" / "sample").root == project.root.resolve()


def test_config_prints_the_configuration(project: Project) -> None:
    """It is JSON, with defaults."""
    printed = json.loads(project.must("config").out)
    assert printed["gates"]["resamples"] == 100
    assert printed["store"]["retries"] == 30


def test_the_schema_file_is_up_to_date(project: Project) -> None:
    """Update it with: gitops config --schema > src/gitops_ml/data/model.schema.json"""
    assert project.must("config", "--schema").out == SCHEMA.read_text(encoding="utf-8")


def test_model_toml_names_the_schema() -> None:
    """The first line tells editors the path of the schema in the library that `make setup` installs."""
    first = (TEMPLATE / "model.toml").read_text(encoding="utf-8").splitlines()[0]
    site_packages = "./.venv/lib/python<<cookiecutter.python_version>>/site-packages/"
    assert first == f"#:schema {site_packages}{SCHEMA.relative_to(Path(gitops_ml.__file__).parents[1]).as_posix()}"


def test_every_key_has_a_description_in_the_schema() -> None:
    """Editors show it."""
    undescribed = [
        f"{name}.{key}"
        for name, table in config.json_schema()["$defs"].items()
        for key, field in table["properties"].items()
        if "description" not in field and not {"$ref", "default"} & set(field)
    ]
    assert undescribed == []


def _tables(model: type[BaseModel]) -> Iterator[tuple[str, BaseModel]]:
    for name, field in model.model_fields.items():
        if isinstance(field.default, BaseModel):
            yield f"{model.__name__}.{name}", field.default
            yield from _tables(type(field.default))


@pytest.mark.parametrize(
    ("name", "default"), _tables(Config), ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_empty_table_means_the_same_as_none(name: str, default: BaseModel) -> None:
    """A key has one default, whether or not its table is written."""
    assert type(default).model_validate({}) == default, name


# the metric, a table, whether its margin is accepted
RELATIVE = {
    "an error in bikes": ("mae", "[gates.champion]\nrefresh_margin = 3.0", False),
    "a share of an error": ("mae", "[gates.champion]\nrefresh_margin = 0.03", True),
    "more than all of the baseline's error": ("rmse", "[gates.baseline]\nmargin = 1.0", False),
    "improve by more than all of it": ("rmse", "[gates.champion]\nmargin = 1.0", False),
    "r2 may be any number": ("r2", "[gates.champion]\nmargin = 3.0", True),
}


@pytest.mark.parametrize(("metric", "table", "accepted"), RELATIVE.values(), ids=RELATIVE)
def test_a_margin_in_the_unit_of_an_error_is_refused(metric: str, table: str, accepted: bool) -> None:
    """The margin of a metric without an upper limit is a share; 3 would let any challenger pass."""
    text = MODEL_TOML.replace('"classification"', '"regression"').replace('"roc_auc"', f'"{metric}"')
    text = text.replace("[gates.floor]\nroc_auc = 0.6", table)
    if accepted:
        parse_config(text)
    else:
        with pytest.raises(ConfigError, match=f"is a share of the other version's {metric}, such as"):
            parse_config(text)
