"""Write the kustomizations of a version, in a generated repository's own Python: `manifests.py ROOT ROLLOUT TOML`.

One for the cluster, one for the pod of the smoke test, one for Argo CD; their folders are printed as JSON.
"""

import json
import sys
from pathlib import Path

from gitops_ml import config
from gitops_ml.deploying.target import Rollout
from gitops_ml.deploying.targets import argocd
from gitops_ml.deploying.targets.kubernetes import Kubernetes

root, rollout, toml = Path(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3]
repository = config.Repository(root, config.parse_config(toml))
wanted = Rollout(**{**rollout, "files": Path(rollout["files"])})
target = Kubernetes(repository, wanted.environment)
synced = root / argocd.argocd_kustomization_path(wanted.environment)
synced.parent.mkdir(parents=True, exist_ok=True)
synced.write_text(argocd.render_argocd_kustomization(wanted, repository), encoding="utf-8")
folders = {"serving": target.write(wanted), "next": target.write(wanted, for_smoke_test=True), "argocd": synced.parent}
print(json.dumps({name: str(folder) for name, folder in folders.items()}))
