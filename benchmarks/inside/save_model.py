"""Save the fitted pipeline of a run as a plain MLflow model: python save_model.py RUN OUT."""

import sys
from pathlib import Path

import mlflow.sklearn

from gitops_ml.modelling.model_file import load_model
from gitops_ml.run import MODEL

mlflow.sklearn.save_model(load_model(Path(sys.argv[1]) / MODEL, ()), sys.argv[2], serialization_format="cloudpickle")
