"""Remedies with Kubernetes' own commands, by problem: `GET /v1/version` returns them, `jobctl` shows them.

`jobctl` fills in `{image}` and `{id}`.
"""

from collections.abc import Mapping, Sequence

REMEDIES: Mapping[str, Sequence[str]] = {
    "engine-unreachable": ("check the cluster and the credentials: kubectl get pods",),
    "engine-problem": (
        "kubectl apply -f deploy/kubernetes/base/rights.yaml grants all rights that jobd needs",
    ),
    "image-not-found": (
        "check the name and tag: {image}",
        "a private registry needs a Secret in the namespace, named in KUBERNETES_PULL_SECRETS",
    ),
    "input-failed": ("check the URLs from inside a Pod; there localhost is the Pod itself",),
    "killed": ("kubectl describe pod -l job.id={id} says what ended it",),
    "unreadable": ("kubectl logs -l job.id={id} -c worker",),
}
