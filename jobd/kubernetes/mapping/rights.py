"""Which rights jobd needs in its namespace, and which of them it does not have. Pure.

`deploy/kubernetes/base/rights.yaml` grants exactly these; a test compares the two.

Source: Kubernetes documentation, "Authorization".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobd.kubernetes.mapping.models import ResourceRule

ANY = "*"


@dataclass(frozen=True, slots=True)
class Right:
    """One verb on one resource of the core group. `without`: what fails without it."""

    resource: str
    verb: str
    without: str


NEEDED: Sequence[Right] = (
    Right("pods", "list", "jobd finds none of its Pods, and no job runs"),
    Right("pods", "create", "no job starts"),
    Right("pods", "get", "no job runs"),
    Right("pods", "watch", "jobd sees the end of a job by asking, seconds later"),
    Right("pods", "patch", "no job starts or can be stopped"),
    Right("pods", "delete", "no Pod of an ended or cancelled job is removed"),
    Right("pods/log", "get", "jobs have no log"),
    Right(
        "pods/exec", "create", "jobs with files, outputs or secrets do not start, and jobctl exec and cp fail"
    ),
    Right(
        "pods/exec", "get", "jobs with files, outputs or secrets do not start, and jobctl exec and cp fail"
    ),
    Right("pods/attach", "create", "jobs with artifacts or secrets do not start"),
    Right("pods/attach", "get", "jobs with artifacts or secrets do not start"),
)


def missing(rules: Iterable[ResourceRule], needed: Iterable[Right] = NEEDED) -> list[Right]:
    """Returns the needed rights that no rule grants."""
    granted = [rule for rule in rules if not rule.resource_names and _has(rule.api_groups, "")]
    return [right for right in needed if not any(_grants(rule, right) for rule in granted)]


def sentences(rights: Iterable[Right], namespace: str) -> tuple[str, ...]:
    """Returns a sentence for each resource with missing rights."""
    by_loss: dict[tuple[str, str], list[str]] = {}
    for right in rights:
        by_loss.setdefault((right.resource, right.without), []).append(right.verb)
    return tuple(
        f"jobd has no right to {' and '.join(found)} {resource} in namespace {namespace}: {without}"
        for (resource, without), found in by_loss.items()
    )


def _grants(rule: ResourceRule, right: Right) -> bool:
    return _has(rule.verbs, right.verb) and _has(rule.resources, right.resource)


def _has(names: Sequence[str], name: str) -> bool:
    _, _, part = name.partition("/")
    return name in names or ANY in names or (bool(part) and f"{ANY}/{part}" in names)
