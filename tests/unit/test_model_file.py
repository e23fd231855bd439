"""Model files: only types that the repository trusts are loaded."""

import importlib
import io
import json
import os
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator
from copy import copy
from functools import partial
from operator import attrgetter, methodcaller
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import skops.io
from sklearn.base import BaseEstimator
from sklearn.cluster import Birch
from sklearn.datasets import fetch_openml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import DistanceMetric, make_scorer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import Bunch

from gitops_ml.errors import ConfigError, IntegrityError
from gitops_ml.modelling import model_file
from gitops_ml.modelling.trusted_types import COMPILED, SKLEARN_TYPES
from unit import sklearn_models

ROWS = np.random.default_rng(0).normal(size=(60, 2))
LABELS = np.where(ROWS[:, 0] > 0, "yes", "no")

UNTRUSTED = '''
from pathlib import Path

from sklearn.base import BaseEstimator


class Untrusted(BaseEstimator):
    """Write a file when the object is loaded."""

    def __init__(self, trace=""):
        self.trace = trace

    def fit(self, rows, labels):
        return self

    def predict(self, rows):
        return [0.0] * len(rows)

    def __setstate__(self, state):
        Path(state["trace"]).write_text("loaded")
        super().__setstate__(state)
'''
TYPE = "untrusted.Untrusted"


@pytest.fixture
def untrusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline with an untrusted type, which writes a file when it is loaded."""
    (tmp_path / "untrusted.py").write_text(UNTRUSTED)
    monkeypatch.syspath_prepend(tmp_path)
    estimator: Any = importlib.import_module("untrusted").Untrusted
    yield Pipeline([("estimator", estimator(str(tmp_path / "trace")).fit(ROWS, LABELS))])
    del sys.modules["untrusted"]


# All estimators with their defaults take ten seconds: the quick tests fit those whose types differ.
MODELS = [
    *[pytest.param(name, marks=pytest.mark.slow) for name in sklearn_models.default_names()],
    *sklearn_models.variant_names(),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One path for hundreds of models."""
    return tmp_path_factory.mktemp("models") / "model.skops"


@pytest.mark.parametrize("name", MODELS)
def test_models_of_scikit_learn_are_trusted(file: Path, name: str) -> None:
    """The loaded model of each estimator predicts, or transforms, exactly as before."""
    model, rows = sklearn_models.fitted_model(name)
    model_file.save_model(model, file, ())
    loaded = model_file.load_model(file, ())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for method in ("predict", "predict_proba", "transform"):
            if hasattr(model, method):
                before, after = (getattr(each, method)(rows) for each in (model, loaded))
                assert sklearn_models.are_equal(before, after), method


@pytest.mark.slow
def test_the_trusted_types_are_those_of_the_pinned_scikit_learn() -> None:
    """The list has the types that the models above are made of, and no other.

    After a new version of scikit-learn, skops, SciPy or NumPy: read the code of each new type, then add it to
    trusted_types.py if it does nothing that its docstring excludes; remove names that no longer exist.
    """
    generated = sklearn_models.generated_types()
    assert sorted(generated - SKLEARN_TYPES) == [], "new types, to be reviewed"
    assert sorted(SKLEARN_TYPES - generated) == [], "types that no model is made of"


# Functions and classes that restore a state in Python, read before they were trusted: an empty method, and attributes.
RESTORING = {Bunch.__setstate__, BaseEstimator.__setstate__}


def test_a_trusted_type_runs_no_code_of_its_own_when_it_is_loaded() -> None:
    """A class in Python has no method that restores its state, but for the two that were read."""
    for name in SKLEARN_TYPES - sklearn_models.OLDER:
        module, _, attribute = name.rpartition(".")
        value = getattr(importlib.import_module(module), attribute)
        assert module.split(".")[0] in {"sklearn", "scipy", "numpy"} or name == "builtins.object", name
        if isinstance(value, type) and module not in COMPILED:
            restoring = getattr(value, "__setstate__", None)
            assert not isinstance(restoring, FunctionType) or restoring in RESTORING, name


ATTACKS: dict[str, Callable[[Path], Any]] = {
    "a function of the system": lambda trace: FunctionTransformer(os.system, kw_args={}),
    "a call with arguments": lambda trace: FunctionTransformer(partial(os.mkdir, str(trace))),
    "a method by its name": lambda trace: FunctionTransformer(methodcaller("mkdir")),
    "an attribute by its name": lambda trace: FunctionTransformer(attrgetter("__class__")),
    "a method of an object": lambda trace: FunctionTransformer(trace.mkdir),
    "a built-in function": lambda trace: FunctionTransformer(eval),
    "a function that reads files": lambda trace: FunctionTransformer(np.load),
    "a function that downloads": lambda trace: FunctionTransformer(fetch_openml),
    "a distance that calls a function": lambda trace: KNeighborsClassifier(metric=os.path.join).set_params(
        metric=DistanceMetric.get_metric("pyfunc", func=os.path.join)),
    "a score that calls a function": lambda trace: make_scorer(os.system),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS)
def test_a_call_in_a_file_is_not_loaded(tmp_path: Path, attack: Callable[[Path], Any]) -> None:
    """No trusted type brings a call of the attacker's choice, whatever the file names."""
    skops.io.dump(attack(tmp_path / "trace"), tmp_path / "model.skops")
    with pytest.raises(IntegrityError, match="It was not loaded"):
        model_file.load_model(tmp_path / "model.skops", ())
    assert not (tmp_path / "trace").exists()


UNSAVABLE: dict[str, tuple[Any, str]] = {
    "a lambda": (FunctionTransformer(lambda rows: rows), "Write it with `def`"),
    "a partial function": (FunctionTransformer(partial(np.round, decimals=1)), "Write a function of your own"),
    "a type of skops' own list": (Birch(), "UnsupportedTypeException: Objects of type Birch are not supported"),
}


@pytest.mark.parametrize(("step", "advice"), UNSAVABLE.values(), ids=UNSAVABLE)
def test_a_pipeline_that_cannot_be_saved_is_refused_unfitted(step: Any, advice: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(ConfigError) as caught:
        model_file.check_savable(Pipeline([("step", step)]), ())
    assert advice in f"{caught.value.problem}\n{caught.value.next_step}"


def test_a_model_that_holds_its_own_method_is_refused_with_a_sentence() -> None:
    """Histogram gradient boosting with `scoring` does; skops would recurse for ever."""
    model = HistGradientBoostingClassifier(max_iter=2, early_stopping=True, scoring="roc_auc").fit(ROWS, LABELS)
    with pytest.raises(ConfigError, match="holds one of its own methods"):
        model_file.check_savable(Pipeline([("estimator", model)]), ())


def test_an_untrusted_type_is_not_saved(tmp_path: Path, untrusted: Pipeline) -> None:
    """Training fails, before a deployment would; the message names the type, and the key that trusts it."""
    with pytest.raises(ConfigError) as caught:
        model_file.save_model(untrusted, tmp_path / "model.skops", ())
    assert TYPE in caught.value.problem
    assert f'under [serving] in model.toml: trusted_types = ["{TYPE}"]' in caught.value.next_step


def test_the_advice_keeps_the_types_that_are_trusted_already(untrusted: Pipeline) -> None:
    """The line can be pasted, and is then accepted."""
    with pytest.raises(ConfigError) as caught:
        model_file.check_savable(untrusted, ("own.Type",))
    assert f'trusted_types = ["own.Type", "{TYPE}"]' in caught.value.next_step
    model_file.check_savable(untrusted, ("own.Type", TYPE))


def test_an_untrusted_type_is_not_loaded(tmp_path: Path, untrusted: Pipeline) -> None:
    """The file is refused before an object is created."""
    skops.io.dump(untrusted, tmp_path / "model.skops")
    with pytest.raises(IntegrityError, match=f"not allowed: {TYPE}. It was not loaded"):
        model_file.load_model(tmp_path / "model.skops", ())
    assert not (tmp_path / "trace").exists()


def test_a_trusted_type_is_loaded(tmp_path: Path, untrusted: Pipeline) -> None:
    """The same file, with its type in `trusted_types`."""
    model_file.save_model(untrusted, tmp_path / "model.skops", (TYPE,))
    model_file.load_model(tmp_path / "model.skops", (TYPE,))
    assert (tmp_path / "trace").read_text() == "loaded"


def test_only_the_named_type_is_trusted(tmp_path: Path, untrusted: Pipeline) -> None:
    """Names of the module or of another type do not count."""
    skops.io.dump(untrusted, tmp_path / "model.skops")
    with pytest.raises(IntegrityError):
        model_file.load_model(tmp_path / "model.skops", ("untrusted.Other", "untrusted"))


def test_a_file_that_unpacks_to_gigabytes_is_not_loaded(tmp_path: Path) -> None:
    """Three gigabytes of zeros are three megabytes as a model file; the sizes are read, and nothing is unpacked."""
    file = tmp_path / "model.skops"
    skops.io.dump(Pipeline([("estimator", KNeighborsClassifier().fit(ROWS, LABELS))]), file)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.npy", bytes(2**26))
        part = archive.filelist[-1]
        for number in range(1, 48):  # all share the bytes of the first
            archive.filelist.append(copy(part))
            archive.filelist[-1].filename = f"{number}.npy"
    assert file.stat().st_size < 2**22
    began = time.process_time()
    with pytest.raises(IntegrityError, match=r"unpacks to 3,072 MiB, \d+ times its size"):
        model_file.load_model(file, ())
    assert time.process_time() - began < 1


@pytest.mark.parametrize("place", ["schema.json", "0.npz"])
def test_other_bombs_are_not_loaded(tmp_path: Path, place: str) -> None:
    """The description of the objects, and an archive in the archive, are bounded too."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data.npy", "w") as part:
        for _ in range(20):
            part.write(bytes(2**24))
    file = tmp_path / "model.skops"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(place, content.getvalue() if place == "0.npz" else b" " * 2**27)
    with pytest.raises(IntegrityError, match="It was not loaded"):
        model_file.load_model(file, ())


def test_a_model_that_would_not_be_loaded_is_not_saved(tmp_path: Path) -> None:
    """An array of 300 MB of zeros is refused when it is written."""
    model = Pipeline([("estimator", KNeighborsClassifier().fit(ROWS, LABELS))])
    model.named_steps["estimator"].zeros_ = np.zeros(2**25 + 2**22)
    with pytest.raises(ConfigError, match="unpacks to 288 MiB"):
        model_file.save_model(model, tmp_path / "model.skops", ())
    assert not (tmp_path / "model.skops").exists()


def _saved(folder: Path) -> Path:
    """Write a good model file."""
    file = folder / "model.skops"
    model_file.save_model(Pipeline([("model", KNeighborsClassifier())]).fit(ROWS, LABELS), file, ())
    return file


def _rewrite(file: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Change the parts of a model file."""
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    change(parts)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def _with_schema(**changes: Any) -> Callable[[Path], None]:
    """Return a function that changes the root of a model file's schema.json."""

    def change(parts: dict[str, bytes]) -> None:
        parts["schema.json"] = json.dumps({**json.loads(parts["schema.json"]), **changes}).encode()

    return lambda file: _rewrite(file, change)


def _with_text(text: str) -> Callable[[Path], None]:
    """Return a function that replaces a model file's schema.json."""
    return lambda file: _rewrite(file, lambda parts: parts.update({"schema.json": text.encode()}))


def _without_arrays(parts: dict[str, bytes]) -> None:
    for name in [name for name in parts if name.endswith(".npy")]:
        del parts[name]


def _with_bad_arrays(parts: dict[str, bytes]) -> None:
    for name in [name for name in parts if name.endswith(".npy")]:
        parts[name] = (
            b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999,), }"
        )


def _replace_by_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


BAD_FILES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "no zip": lambda file: file.write_bytes(b"not a zip" * 100),
    "cut": lambda file: file.write_bytes(file.read_bytes()[:-100]),
    "changed in the middle": lambda file: file.write_bytes(file.read_bytes().replace(b"PK\x03\x04", b"PK\x03\x05")),
    "no schema": lambda file: _rewrite(file, lambda parts: parts.pop("schema.json")),
    "a schema that is no JSON": _with_text("{"),
    "a schema that is a list": _with_text("[]"),
    "a schema that is a number": _with_text("NaN"),
    "a schema that is deep": _with_text("[" * 100_000),
    "a schema with a huge number": _with_text('{"protocol": ' + "9" * 6000 + "}"),
    "an empty schema": _with_text("{}"),
    "another protocol": _with_schema(protocol="x"),
    "another loader": _with_schema(__loader__="NoSuchNode"),
    "no content": _with_schema(content=None),
    "content of another type": _with_schema(content=[1, 2]),
    "another class": _with_schema(__class__=1),
    "a missing module": _with_schema(__module__="sklearn.nosuch"),
    "a missing class": _with_schema(__class__="NoSuch", __module__="sklearn.pipeline"),
    "no arrays": lambda file: _rewrite(file, _without_arrays),
    "an array of another size": lambda file: _rewrite(file, _with_bad_arrays),
    "missing": lambda file: file.unlink(),
    "a folder": _replace_by_folder,
    "a dictionary": lambda file: skops.io.dump({"a": 1}, file),
    "an estimator that is no pipeline": lambda file: skops.io.dump(KNeighborsClassifier(), file),
}


@pytest.mark.parametrize("damage", BAD_FILES.values(), ids=BAD_FILES)
def test_a_damaged_model_file_is_refused(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """A job can write any bytes, and the digest is that of these bytes; a sentence says that they are no model."""
    file = _saved(tmp_path)
    damage(file)
    with pytest.raises(IntegrityError) as caught:
        model_file.load_model(file, ())
    assert "model.skops" in caught.value.problem
    assert len(caught.value.problem) < 1000
