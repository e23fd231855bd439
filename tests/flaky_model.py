"""A model that passes every gate, and predicts differently where it is deployed."""

from pathlib import Path

from hub_fixture import FEATURES

FLAKY = '''

class Flaky(BaseEstimator, TransformerMixin):
    """Negates its input in the production environment only."""

    def fit(self, rows: np.ndarray, labels: object = None) -> "Flaky":
        """Learn nothing."""
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Return the rows, negated in production."""
        return -rows if os.environ.get("GITOPS_ENVIRONMENT") == "production" else rows
'''


def make_flaky(clone: Path) -> None:
    """Make the pipeline predict differently in production than elsewhere, which no gate can detect."""
    file, estimator, toml = clone / FEATURES, clone / "src/tumour_screening/estimator.py", clone / "model.toml"
    imports = "import os\n\nimport numpy as np\nfrom sklearn.base import BaseEstimator, TransformerMixin\n"
    file.write_text(file.read_text().replace("from sklearn.compose", f"{imports}from sklearn.compose", 1) + FLAKY)
    text = estimator.read_text().replace("import features", "import Flaky, features")
    estimator.write_text(text.replace('features()), ("est', 'features()), ("flaky", Flaky()), ("est'))
    text = toml.read_text()
    assert "trusted_types = []" in text
    toml.write_text(text.replace("trusted_types = []", 'trusted_types = ["tumour_screening.features.Flaky"]'))
