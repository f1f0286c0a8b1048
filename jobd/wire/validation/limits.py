"""The limits of a job spec: lengths, counts and amounts.

Source: man/job.5; Docker Engine API, ContainerCreate; execve(2), "Limits on size of arguments and environment".
"""

MAX_BODY_BYTES = 1 << 20
MAX_TEXT_BYTES = 128 * 1024 - 1
"""The length of one argument or variable: the kernel refuses a longer one, and the engine's error does not say so."""
ID_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$"
MAX_ID = 128
MAX_META, MAX_META_KEY, MAX_META_VALUE = 32, 64, 256
MAX_LABELS = 32
MAX_CPU = 4096
MIN_MEMORY_MB, MAX_MEMORY_MB = 6, 16 << 20
MAX_TIMEOUT_S = 366 * 86400
"""The limits of every daemon. The settings MAX_CPUS (64), MAX_MEMORY (64g) and MAX_TIMEOUT (24h) set lower ones."""
MAX_ARTIFACTS = 64
MAX_OUTPUTS = 64
MAX_CALLBACK_EVENTS = 16
MAX_KEYS, MAX_KEY = 4, 4096
MAX_PIDS = 4_194_304
MAX_RETRIES, MAX_RETRY_ON = 10, 32
MIN_PRIORITY, MAX_PRIORITY = -100, 100
GROUP_PATTERN = r"^[a-zA-Z0-9][a-zA-Z0-9_.-]*$"
MAX_GROUP = 64
MAX_AFTER = 64
MAX_GPUS = 64
MAX_URL = 8192
MAX_PATH = 4096
MAX_IMAGE = 512
MAX_SECRETS, MAX_SECRET_BYTES = 32, 64 * 1024
MAX_STOP_S = 3600
MAX_MOUNTS, MAX_TMPFS, MAX_TMPFS_OPTIONS = 32, 16, 256
MAX_SHM_MB = 16 << 20
MAX_HOSTNAME, MAX_NETWORK = 63, 128
MAX_PORTS, MIN_HOST_PORT, MAX_PORT = 64, 1024, 65535
MAX_EXTRA_HOSTS, MAX_HOST_ENTRY, MAX_DNS = 64, 300, 8
MAX_ULIMIT = (1 << 63) - 1
MAX_DEVICES = 32
