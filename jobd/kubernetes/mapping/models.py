"""The parts of the API's objects that the adapter reads. Unknown fields are ignored.

Pure. Source: Kubernetes API v1, Pod, Status, NodeList.
"""

from typing import Literal

import msgspec


class Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """Base of all objects."""


class Metadata(Struct, frozen=True, kw_only=True):
    """An object's metadata."""

    name: str = ""
    uid: str = ""
    resource_version: str = ""
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    finalizers: list[str] = []


class Waiting(Struct, frozen=True, kw_only=True):
    """A container that does not run yet."""

    reason: str = ""
    message: str = ""


class Running(Struct, frozen=True, kw_only=True):
    """A container that runs."""

    started_at: str | None = None


class Terminated(Struct, frozen=True, kw_only=True):
    """A container that has ended, or could not be started."""

    exit_code: int = 0
    signal: int | None = None
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class ContainerStates(Struct, frozen=True, kw_only=True):
    """One of the three is set; none for a container of which the kubelet knows nothing yet."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(Struct, frozen=True, kw_only=True):
    """The kubelet's report of a container."""

    name: str
    state: ContainerStates = ContainerStates()
    last_state: ContainerStates = ContainerStates()
    restart_count: int = 0
    started: bool | None = None


class Condition(Struct, frozen=True, kw_only=True):
    """A condition of a Pod."""

    type: str
    status: str = ""
    reason: str = ""
    message: str = ""
    last_transition_time: str | None = None


class PodStatus(Struct, frozen=True, kw_only=True):
    """A Pod's status."""

    phase: str = ""
    reason: str = ""
    message: str = ""
    conditions: list[Condition] = []
    init_container_statuses: list[ContainerStatus] = []
    container_statuses: list[ContainerStatus] = []


class SecurityContext(Struct, frozen=True, kw_only=True):
    """The user of a container."""

    run_as_user: int | None = None
    run_as_group: int | None = None


class VolumeMount(Struct, frozen=True, kw_only=True):
    """Where a container has a volume."""

    name: str = ""
    mount_path: str = ""


class Container(Struct, frozen=True, kw_only=True):
    """A container of a Pod's spec."""

    name: str
    image: str = ""
    stdin: bool = False
    security_context: SecurityContext | None = None
    volume_mounts: list[VolumeMount] = []


class Gate(Struct, frozen=True, kw_only=True):
    """A scheduling gate."""

    name: str = ""


class PodSpec(Struct, frozen=True, kw_only=True):
    """A Pod's spec."""

    node_name: str = ""
    scheduling_gates: list[Gate] = []
    init_containers: list[Container] = []
    containers: list[Container] = []
    active_deadline_seconds: int | None = None


class Pod(Struct, frozen=True, kw_only=True):
    """A Pod."""

    metadata: Metadata
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class ListMetadata(Struct, frozen=True, kw_only=True):
    """The metadata of a list."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class PodList(Struct, frozen=True, kw_only=True):
    """A list of Pods."""

    metadata: ListMetadata = ListMetadata()
    items: list[Pod] = []


class WatchEvent(Struct, frozen=True, kw_only=True):
    """One event of a watch; `object` is a Pod, or a Status for ERROR."""

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR"]
    object: msgspec.Raw


class Cause(Struct, frozen=True, kw_only=True):
    """A cause in a Status."""

    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(Struct, frozen=True, kw_only=True):
    """The details of a Status."""

    causes: list[Cause] = []
    retry_after_seconds: int = 0


class Status(Struct, frozen=True, kw_only=True):
    """The API's answer to a request that it did not carry out, and the result of an exec."""

    status: str = ""
    message: str = ""
    reason: str = ""
    code: int = 0
    details: StatusDetails | None = None


class Version(Struct, frozen=True, kw_only=True):
    """The answer of `/version`."""

    git_version: str = ""
    platform: str = ""


class NodeStatus(Struct, frozen=True, kw_only=True):
    """What a node has for Pods."""

    allocatable: dict[str, str] = {}


class NodeSpec(Struct, frozen=True, kw_only=True):
    """Whether a node takes new Pods."""

    unschedulable: bool = False


class Node(Struct, frozen=True, kw_only=True):
    """A node."""

    metadata: Metadata
    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class NodeList(Struct, frozen=True, kw_only=True):
    """A list of nodes."""

    items: list[Node] = []


class ResourceRule(Struct, frozen=True, kw_only=True):
    """Verbs that the asking user may use on resources."""

    verbs: list[str] = []
    api_groups: list[str] = []
    resources: list[str] = []
    resource_names: list[str] = []


class RulesStatus(Struct, frozen=True, kw_only=True):
    """All rules of the asking user in a namespace; `incomplete`: there may be others."""

    resource_rules: list[ResourceRule] = []
    incomplete: bool = False


class RulesReview(Struct, frozen=True, kw_only=True):
    """The answer of a SelfSubjectRulesReview."""

    status: RulesStatus = RulesStatus()


class AccessStatus(Struct, frozen=True, kw_only=True):
    """Whether the asking user may do something."""

    allowed: bool = False


class AccessReview(Struct, frozen=True, kw_only=True):
    """The answer of a SelfSubjectAccessReview."""

    status: AccessStatus = AccessStatus()
