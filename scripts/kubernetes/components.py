"""The command lines and configuration files of the cluster's components. All servers listen on 127.0.0.1, but for the kubelet, which
refuses that and listens on the bridge of the Pods.

Source: Kubernetes documentation, "Component tools".
"""

import json
from collections.abc import Callable, Mapping, Sequence

from scripts.kubernetes.build import program
from scripts.kubernetes.places import (
    API_PORT,
    BIN,
    BRIDGE,
    DEBIAN,
    ETCD_PORT,
    GATEWAY,
    KEYS,
    KUBELET_PORT,
    NODE,
    PAUSE_IMAGE,
    SERVICES,
    SOCKET,
    STATE,
    SUBNET,
)

_ETCD = f"http://127.0.0.1:{ETCD_PORT}"
_PEER = f"http://127.0.0.1:{ETCD_PORT + 1}"
_CONTAINERD = """
version = 2
root = "{state}/containerd/root"
state = "{state}/containerd/state"
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  netns_mounts_under_state_dir = true
  # Without CAP_SYS_RESOURCE no process can get a lower score than its parent has.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{debian}/usr/lib/cni"
    conf_dir = "{state}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
        BinaryName = "{runc}"
        Root = "{state}/runc"
"""


def _etcd() -> list[object]:
    return [
        DEBIAN / "usr/bin/etcd",
        *("--data-dir", STATE / "etcd/data", "--listen-client-urls", _ETCD, "--advertise-client-urls", _ETCD),
        *("--listen-peer-urls", _PEER, "--initial-advertise-peer-urls", _PEER),
        *("--initial-cluster", f"default={_PEER}", "--auto-compaction-retention", "1"),
        *("--logger", "zap", "--log-level", "warn"),
    ]


def _apiserver() -> list[object]:
    return [
        BIN / "kube-apiserver",
        *("--etcd-servers", _ETCD, "--bind-address", "127.0.0.1", "--secure-port", API_PORT),
        *("--advertise-address", GATEWAY, "--endpoint-reconciler-type", "none"),
        *("--service-cluster-ip-range", SERVICES, "--authorization-mode", "Node,RBAC"),
        *("--enable-admission-plugins", "NodeRestriction", "--client-ca-file", KEYS / "ca.crt"),
        *("--tls-cert-file", KEYS / "apiserver.crt", "--tls-private-key-file", KEYS / "apiserver.key"),
        *("--kubelet-client-certificate", KEYS / "apiserver-kubelet.crt"),
        *("--kubelet-client-key", KEYS / "apiserver-kubelet.key"),
        *(
            "--kubelet-certificate-authority",
            KEYS / "ca.crt",
            "--kubelet-preferred-address-types",
            "InternalIP",
        ),
        *("--service-account-issuer", "https://kubernetes.default.svc"),
        *("--service-account-key-file", KEYS / "accounts.pub"),
        *("--service-account-signing-key-file", KEYS / "accounts.key"),
        *("--profiling=false", "--v=1"),
    ]


def _controllers() -> list[object]:
    return [
        BIN / "kube-controller-manager",
        *("--kubeconfig", KEYS / "controllers.kubeconfig", "--leader-elect=false", "--secure-port=0"),
        *(
            "--use-service-account-credentials=true",
            "--service-account-private-key-file",
            KEYS / "accounts.key",
        ),
        *("--root-ca-file", KEYS / "ca.crt", "--flex-volume-plugin-dir", STATE / "volume-plugins"),
        *("--profiling=false", "--v=1"),
    ]


def _scheduler() -> list[object]:
    config = ("--kubeconfig", KEYS / "scheduler.kubeconfig", "--leader-elect=false", "--secure-port=0")
    return [BIN / "kube-scheduler", *config, "--profiling=false", "--v=1"]


def _containerd() -> list[object]:
    config = STATE / "containerd.toml"
    values = {
        "state": STATE,
        "socket": SOCKET,
        "pause": PAUSE_IMAGE,
        "debian": DEBIAN,
        "runc": program("runc"),
    }
    config.write_text(_CONTAINERD.format(**values))
    addresses = {
        "type": "host-local",
        "dataDir": str(STATE / "addresses"),
        "ranges": [[{"subnet": SUBNET, "gateway": GATEWAY}]],
    }
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "isDefaultGateway": True,
        "ipMasq": False,
    }
    plugins = [{**bridge, "ipam": addresses}, {"type": "portmap", "capabilities": {"portMappings": True}}]
    (STATE / "cni").mkdir(exist_ok=True)
    network = {"cniVersion": "1.0.0", "name": "jobd-test", "plugins": plugins}
    (STATE / "cni/10-jobd.conflist").write_text(json.dumps(network, indent=1))
    return [program("containerd"), "--config", config, "--log-level", "info"]


def _kubelet() -> list[object]:
    (STATE / "resolv.conf").write_text("")
    config = STATE / "kubelet.json"
    authentication = {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": str(KEYS / "ca.crt")},
    }
    eviction = {"memory.available": "100Mi", **dict.fromkeys(("nodefs.available", "imagefs.available"), "1%")}
    settings = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": GATEWAY,
        "port": KUBELET_PORT,
        "readOnlyPort": 0,
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "tlsCertFile": str(KEYS / "kubelet-server.crt"),
        "tlsPrivateKeyFile": str(KEYS / "kubelet-server.key"),
        "authentication": authentication,
        "authorization": {"mode": "Webhook"},
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "podLogsDir": str(STATE / "pod-logs"),
        "volumePluginDir": str(STATE / "volume-plugins"),
        # Nothing answers there: a look-up of a name fails at once.
        "resolvConf": str(STATE / "resolv.conf"),
        "clusterDNS": [GATEWAY],
        "clusterDomain": "cluster.local",
        "evictionHard": eviction,
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "serializeImagePulls": False,
        "registryPullQPS": 0,
        "eventRecordQPS": 0,
        "enableProfilingHandler": False,
        "enforceNodeAllocatable": ["pods"],
    }
    config.write_text(json.dumps(settings, indent=1))
    return [
        BIN / "kubelet",
        *("--config", config, "--kubeconfig", KEYS / "kubelet.kubeconfig", "--hostname-override", NODE),
        *("--node-ip", GATEWAY, "--root-dir", STATE / "kubelet", "--cert-dir", KEYS, "--v=2"),
    ]


COMPONENTS: Mapping[str, Callable[[], Sequence[object]]] = {
    "etcd": _etcd,
    "apiserver": _apiserver,
    "controllers": _controllers,
    "scheduler": _scheduler,
    "containerd": _containerd,
    "kubelet": _kubelet,
}
