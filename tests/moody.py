"""A model that passes every gate and answers otherwise where it is to serve."""

from pathlib import Path

from desk import FEATURES

MOODY = '''

class Moody(BaseEstimator, TransformerMixin):
    """Turns what it sees around where the model serves, and only there."""

    def fit(self, rows: np.ndarray, labels: object = None) -> "Moody":
        """Nothing to learn."""
        self.n_features_in_ = rows.shape[1]
        return self

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """As they are, or the other way round."""
        return -rows if os.environ.get("GITOPS_ENVIRONMENT") == "production" else rows
'''


def make_moody(clone: Path) -> None:
    """Let the pipeline answer otherwise in production than anywhere else; no gate can know."""
    file, estimator, toml = clone / FEATURES, clone / "src/tumour_screening/estimator.py", clone / "model.toml"
    imports = "import os\n\nimport numpy as np\nfrom sklearn.base import BaseEstimator, TransformerMixin\n"
    file.write_text(file.read_text().replace("from sklearn.compose", f"{imports}from sklearn.compose", 1) + MOODY)
    text = estimator.read_text().replace("import features", "import Moody, features")
    estimator.write_text(text.replace('features()), ("est', 'features()), ("moody", Moody()), ("est'))
    text = toml.read_text()
    assert "trusted_types = []" in text
    toml.write_text(text.replace("trusted_types = []", 'trusted_types = ["tumour_screening.features.Moody"]'))
