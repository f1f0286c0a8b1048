"""What the Kubernetes adapter needs of jobd's settings. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class KubernetesSettings:
    """`instance` names this jobd in the labels of its Pods. `pull_secrets`: the names of the Secrets with registry credentials.
    `log_max_bytes` is jobd's own limit for a job's log; the node's kubelet has another.
    """

    instance: str
    sidecar_image: str
    pull_secrets: tuple[str, ...] = ()
