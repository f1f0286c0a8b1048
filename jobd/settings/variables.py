"""All settings of jobd in one table: variable, flag, default and help. Flags, manual and documentation are generated from it.

Source: docs/configuration.md, "The daemon".
"""

from dataclasses import dataclass

from jobd.wire.host_alias import HOST_ALIAS


@dataclass(frozen=True, slots=True)
class Variable:
    """One setting. `default` is the text as a user would write it; `flag` is jobd's equivalent option; `reloads`: a running jobd takes a
    new value on SIGHUP.
    """

    name: str
    default: str
    help: str
    flag: str | None = None
    reloads: bool = False


VARIABLES: tuple[Variable, ...] = (
    Variable("PORT", "8080", "TCP port of the API; 0 takes a free one", "--port"),
    Variable("JOBD_HOST", "127.0.0.1", "address that the API's TCP port is bound to", "--host"),
    Variable(
        "TLS_CERT_FILE", "", "PEM certificate for TLS on the API's TCP port", "--tls-cert", reloads=True
    ),
    Variable(
        "TLS_KEY_FILE",
        "",
        "PEM key of the certificate, which no other user may read; default: in the same file",
        "--tls-key",
        reloads=True,
    ),
    Variable(
        "JOBD_NAMES",
        "",
        "comma list of names by which clients reach this daemon, beside the loopback names and its address",
        "--names",
    ),
    Variable("METRICS_PORT", "9090", "TCP port of GET /metrics; 0 takes a free one", "--metrics-port"),
    Variable("METRICS_HOST", "127.0.0.1", "address that the metrics port is bound to", "--metrics-host"),
    Variable(
        "API_KEY_FILE",
        "",
        "file with the API key for TCP, which no other user may read; unset: one is made in the state folder",
        "--api-key-file",
        reloads=True,
    ),
    Variable("JOBD_NO_AUTH", "false", "true: no API key over TCP; for loopback only", "--no-auth"),
    Variable(
        "JOBD_SOCKET",
        "",
        "path of the Unix socket; default: jobd.sock in the runtime or state folder",
        "--socket",
    ),
    Variable(
        "JOBD_STATE_DIR",
        "",
        "folder of the database, the key and uploaded files; default: the platform's",
        "--state-dir",
    ),
    Variable(
        "SHUTDOWN_DRAIN_WAIT",
        "5s",
        "how long jobd keeps serving after SIGTERM, with /readyz 503, before it stops; 0s: not at all",
        reloads=True,
    ),
    Variable(
        "SIDECAR_IMAGE", "job-sidecar:latest", "image of the sidecar; built or pulled when it is missing"
    ),
    Variable(
        "JOB_RETENTION",
        "15m",
        "how long containers and workspace are kept after a job's end, counted while the machine is on",
        reloads=True,
    ),
    Variable(
        "HISTORY_RETENTION",
        "168h",
        "how long records, events and logs are kept after a job's end, counted while the machine is on",
        reloads=True,
    ),
    Variable(
        "MAINTENANCE_INTERVAL",
        "1m",
        "pause between two rounds of maintenance: retention, and a check of all jobs",
        reloads=True,
    ),
    Variable(
        "CALLBACK_PROXY_URL",
        f"http://{HOST_ALIAS}:8080",
        "where sidecars report to when jobd cannot read their output (the port follows PORT); empty: sidecars call back directly",
    ),
    Variable("EXTRA_HOSTS", "", "comma list of host:ip or host:host-gateway for worker and sidecar"),
    Variable(
        "MAX_CONCURRENT_JOBS",
        "",
        "jobs that run at once, further jobs wait; default: 4 per core",
        "--max-concurrent-jobs",
        reloads=True,
    ),
    Variable(
        "SANDBOX_POOL",
        "auto",
        "most network sandboxes (small containers that let jobs start faster) at once; auto: as many as jobs run at once, at most 32; off: none",
    ),
    Variable(
        "JOBD_ENGINE", "docker", "what runs the jobs: docker, a container engine; or kubernetes, a cluster"
    ),
    Variable(
        "KUBERNETES_CONTEXT", "", "context of the kubeconfig that names the cluster; empty: its current one"
    ),
    Variable(
        "KUBERNETES_NAMESPACE",
        "",
        "namespace of the jobs' Pods; empty: the context's, or that of jobd's own Pod",
    ),
    Variable(
        "KUBERNETES_PULL_SECRETS",
        "",
        "comma list of Secrets of that namespace with credentials of registries",
    ),
    Variable(
        "ENGINE_ERROR_LIMIT",
        "15m",
        "how long jobd repeats a call that the engine answers with an error that may pass, such as a full disk; then the job fails",
    ),
    Variable("MAX_QUEUED_JOBS", "10000", "jobs that may wait; more are answered with 429", reloads=True),
    Variable("MAX_TIMEOUT", "24h", "longest timeout that a job may ask for, up to a year", reloads=True),
    Variable(
        "MAX_MEMORY", "64g", "most memory that a job may ask for, with its unit: m, g or t", reloads=True
    ),
    Variable("MAX_CPUS", "64", "most cores that a job may ask for", reloads=True),
    Variable(
        "GPU_DEVICES",
        "",
        "comma list of the GPUs that jobs may use, as the engine names them: 0,1; a job holds a GPU alone; empty: none",
    ),
    Variable(
        "LOG_MAX_BYTES",
        "67108864",
        "bytes of log that are kept for one job; further lines are dropped and marked",
    ),
    Variable("MAX_UPLOAD_BYTES", "4294967296", "largest upload of local files with one job, in bytes"),
    Variable(
        "KEPT_OUTPUTS_MAX_BYTES",
        "10737418240",
        "bytes of outputs that are kept for detached jobs in the state folder, all together; 0: none are kept",
    ),
    Variable(
        "EGRESS_POLICY",
        "local",
        "where callbacks may go: local, or strict[,CIDR...] for public addresses and the CIDRs",
    ),
    Variable(
        "ALLOW_CAP_ADD",
        "false",
        "true: jobs may ask for more capabilities (capAdd)",
        "--allow-cap-add",
        reloads=True,
    ),
    Variable(
        "ALLOW_MOUNTS",
        "",
        "comma list of folders of this machine that every client may mount, for any user of a container; empty: a caller of the Unix socket"
        " may mount what the caller may use",
        "--allow-mounts",
    ),
    Variable(
        "ALLOW_DEVICES",
        "",
        "comma list of devices, or folders of devices, that jobs may ask for: /dev/fuse,/dev/dri; empty: none",
        "--allow-devices",
        reloads=True,
    ),
    Variable("LOG_LEVEL", "info", "debug, info, warning or error", "--log-level", reloads=True),
    Variable(
        "LOG_FORMAT",
        "auto",
        "text for people, json for programs, or auto: text on a terminal, json elsewhere",
        "--log-format",
        reloads=True,
    ),
    Variable(
        "LOG_FILE",
        "",
        "file for the log instead of standard error; 8 MiB, and the 8 MiB before in the same name with .1",
        "--log-file",
    ),
    Variable(
        "DISPATCHER_BUFFER_SIZE", "10000", "undelivered events held in memory; further events wait on disk"
    ),
    Variable("DISPATCHER_WORKERS", "10", "deliveries under way at once"),
    Variable("DISPATCHER_HTTP_TIMEOUT", "10s", "longest time for one delivery attempt"),
    Variable(
        "DISPATCHER_MAX_RETRIES", "3", "retries after a failed attempt, before the delivery is requeued"
    ),
    Variable("DISPATCHER_INITIAL_BACKOFF", "100ms", "upper bound of the first pause between attempts"),
    Variable("DISPATCHER_MAX_BACKOFF", "5s", "upper bound of any pause between attempts"),
    Variable("DISPATCHER_BREAKER_THRESHOLD", "5", "failures in a row that open a host's circuit"),
    Variable("DISPATCHER_BREAKER_COOLDOWN", "30s", "time before an open circuit lets one probe through"),
    Variable("DISPATCHER_MAX_REQUEUES", "10", "requeues before a delivery is parked"),
    Variable("CALLBACK_TIMEOUT", "30s", "sidecar: longest time for one direct callback"),
    Variable("UPLOAD_TIMEOUT", "5m", "sidecar: longest time for one upload attempt"),
    Variable("UPLOAD_RETRIES", "3", "sidecar: retries of an upload"),
)
