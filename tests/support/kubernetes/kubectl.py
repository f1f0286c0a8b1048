"""kubectl as the administrator of the cluster of the tests: what an operator, or somebody else, does."""

import json
import subprocess
from typing import Any

from scripts.kubernetes.cluster import kubectl as command
from scripts.kubernetes.places import NAMESPACE

LIMIT_S = 120


def kubectl(*arguments: str, namespace: str = NAMESPACE, text: str | None = None) -> str:
    """Returns the standard output. `text`: the standard input.

    Raises:
        AssertionError: kubectl refuses, with its message.
    """
    words = [str(word) for word in command("-n", namespace, *arguments)]
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


def objects(kind: str, selector: str = "") -> list[dict[str, Any]]:
    """Returns the objects of a kind in the jobs' namespace."""
    chosen = ["-l", selector] if selector else []
    found: list[dict[str, Any]] = json.loads(kubectl("get", kind, *chosen, "-o", "json"))["items"]
    return found


def apply(*bodies: dict[str, Any]) -> None:
    """Creates objects, or changes them."""
    kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)}))


def pods_of(job_id: str) -> list[dict[str, Any]]:
    """Returns the Pods of a job."""
    return objects("pods", f"job.id={job_id}")
