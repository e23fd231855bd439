"""URLs of a training run's plots: files on the store's branch, or the page of the run on the MLflow server."""

import os
from pathlib import PurePosixPath

from gitops_ml import run
from gitops_ml.printable import show_addresses
from gitops_ml.registry.store import ARTIFACTS, SERVER, BranchStore, Store


def plot_urls(store: Store, run_id: str, page: str) -> dict[str, str]:
    """Return the URLs of a run's plots, by the plots' titles.

    Args:
        store: MLflow store that holds the run.
        run_id: MLflow's id of the run.
        page: URL of the repository's page on GitHub.
    """
    if not isinstance(store, BranchStore):
        address = show_addresses(os.environ[SERVER]).rstrip("/")
        is_page = address.startswith(("http://", "https://"))
        return {"on MLflow's page of the run": f"{address}/#/runs/{run_id}"} if is_page else {}
    tip = store.branch.refresh()
    listed = store.branch.git("ls-tree", "-r", "--name-only", tip, "--", f"{ARTIFACTS}/").splitlines() if tip else []
    paths = [PurePosixPath(path) for path in listed]
    plots = [path for path in paths if run_id in path.parts and run.PLOTS in path.parts]
    # The URL of a commit keeps showing what was reviewed, even after later pushes.
    return {path.stem.replace("_", " "): f"{page}/blob/{tip}/{path}" for path in plots}
