"""Where people can look at the pictures of a training run: on the store's branch, or on MLflow's own pages."""

import os
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from gitops_ml import run
from gitops_ml.registry.store import ARTIFACTS, SERVER, BranchStore, Store


def pictures(store: Store, run_id: str, page: str) -> dict[str, str]:
    """Addresses, by the pictures' names.

    Args:
        store: Where the run is.
        run_id: MLflow's run.
        page: The repository's page on the forge.
    """
    if not isinstance(store, BranchStore):
        server = urlsplit(os.environ[SERVER])
        address = f"{server.scheme}://{server.hostname}" + (f":{server.port}" if server.port else "")
        return {"on MLflow's page of the run": f"{address}/#/runs/{run_id}"} if server.hostname else {}
    tip = store.branch.refresh()
    listed = store.branch.git("ls-tree", "-r", "--name-only", tip, "--", f"{ARTIFACTS}/").splitlines() if tip else []
    paths = [PurePosixPath(path) for path in listed]
    drawn = [path for path in paths if run_id in path.parts and run.PLOTS in path.parts]
    # A commit's own address keeps showing what was reviewed, whatever is pushed later.
    return {path.stem.replace("_", " "): f"{page}/blob/{tip}/{path}" for path in drawn}
