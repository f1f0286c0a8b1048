"""The descriptions of the fields of a job file, for job.5. `structs.py` checks that each field has one."""

from jobd.wire.validation import limits

JOB_FIELDS = {
    "id": f"name of the job, at most {limits.MAX_ID} letters, digits, '-' and '_'; jobctl generates one where it is absent",
    "image": "container image",
    "meta": f"texts that every event contains, at most {limits.MAX_META}",
    "command": "a text is a shell line that replaces the entrypoint; a list has the entrypoint's arguments",
    "entrypoint": "program and first arguments, instead of the image's own",
    "cpu": "limit in cores, at most the daemon's MAX_CPUS (64); 0 is the default",
    "memory": f"limit in MB, {limits.MIN_MEMORY_MB} to the daemon's MAX_MEMORY (65536); 0 is the default",
    "environment": "environment variables of the command",
    "timeoutSeconds": "time limit of the command in seconds, at most the daemon's MAX_TIMEOUT (86400); 0 is the default",
    "workspace": "absolute path of the working directory, where the job's files are",
    "artifacts": f"files to transfer before and after the command, at most {limits.MAX_ARTIFACTS}; see ARTIFACTS",
    "outputs": f"files and folders that the client fetches after the job's end, at most {limits.MAX_OUTPUTS}; see OUTPUTS",
    "callback": "the receiver of the job's events; see CALLBACK",
    "labels": f"texts to filter by, at most {limits.MAX_LABELS}",
    "pids": "limit of processes and threads; 0 is the default",
    "user": "uid[:gid] or name that the command runs as; default: the image's",
    "pull": "when the image is pulled",
    "platform": "os[/architecture[/variant]] of the image",
    "runtime": "the engine's runtime",
    "secrets": "name: text; each is a file in /run/secrets, in memory, that only the command's user can read",
    "readOnly": "the command can write only to its workspace and to a /tmp in memory",
    "capDrop": "capabilities to drop, such as SETUID, or ALL; NET_RAW is always dropped",
    "capAdd": "capabilities to add; refused unless jobd runs with ALLOW_CAP_ADD",
    "retries": f"further attempts after a failure, at most {limits.MAX_RETRIES}; each starts from the beginning, after a delay that doubles",
    "priority": f"waiting jobs with a higher one start first, {limits.MIN_PRIORITY} to {limits.MAX_PRIORITY}; equal ones in the order of their submission",
    "group": f"name of the job's group, at most {limits.MAX_GROUP} letters, digits, '-', '_' and '.'; a group may have a limit of running jobs",
    "set": f"id of the set that the job belongs to, at most {limits.MAX_GROUP} characters as a group's name; none where it is empty",
    "after": f"earlier jobs that must end before this one starts, at most {limits.MAX_AFTER}; see DEPENDENCIES",
    "gpus": f"number of GPUs that the job holds alone, at most {limits.MAX_GPUS} and those of the daemon's GPU_DEVICES; all for every one",
    "stdin": "the command has a standard input, which jobctl run -i or jobctl attach feeds; without retries",
    "tty": "the command has a terminal, whose output is one stream; without retries",
    "attach": "the command starts once a client is attached, or half a minute after it could have started; jobctl run -i and -t set it",
    "init": "a small init is process 1 of the container, so that signals without a handler end the command; false: the command is process 1",
    "stopSignal": "the first signal of a cancel, and of a command whose time is over",
    "stopTimeoutSeconds": f"seconds between that signal and SIGKILL, 0 to {limits.MAX_STOP_S}; 0 kills at once",
    "workingDir": "absolute path of the working directory, where that is not the workspace",
    "mounts": f"files and folders of this machine, at most {limits.MAX_MOUNTS}; see MOUNTS",
    "tmpfs": f"path: options of a folder in memory, at most {limits.MAX_TMPFS}; options such as size=64m,mode=1777 may be empty; counts as the job's memory",
    "shmSize": "size of /dev/shm in MB; 0 is the engine's default, 64",
    "hostname": "host name of the container; default: the engine's",
    "network": "none; bridge, the engine's own; or the name of a network of the engine, in which containers reach each other; default: a network of jobd without traffic between jobs",
    "ports": f"ports of the command that are open on this machine, at most {limits.MAX_PORTS}; see PORTS",
    "extraHosts": f"entries name:address of the hosts file, at most {limits.MAX_EXTRA_HOSTS}; the address host-gateway is this machine",
    "dns": f"addresses of name servers, at most {limits.MAX_DNS}; default: those of the engine",
    "ulimits": "limits of the command's processes; see LIMITS OF PROCESSES",
    "devices": f"devices of this machine, at most {limits.MAX_DEVICES}; refused unless jobd runs with ALLOW_DEVICES; see DEVICES",
    "retryOn": "exit codes and reasons to retry after; empty: any failure before the outputs",
}
MOUNT_FIELDS = {
    "source": "absolute path of a file or folder of the engine's machine, which must exist; jobd resolves links and ..",
    "target": "absolute path in the container, outside of the workspace and of other mounts",
    "readOnly": "the command cannot write to it",
}
MOUNTS = (
    (
        "jobd mounts what the caller may use: over the Unix socket it knows the caller, and checks owner, mode and access list of the source "
        "for reading (and writing, unless readOnly), and the right to search every folder on the way. The command then runs as the caller: "
        "user is the caller's uid and gid, and nothing else is accepted, unless the caller is root. Over TCP, and for other users of the container, only folders "
        "below ALLOW_MOUNTS of the daemon are mounted. jobd checks again before it creates and before it starts the container. jobd's own state folder and "
        "socket, those of the engine, and folders that contain them, are never mounted."
    ),
    "A job with mounts gets no capabilities (capAdd), and files are copied out of its workspace alone.",
)
PORT_FIELDS = {
    "containerPort": "port of the command",
    "hostPort": f"port of this machine, {limits.MIN_HOST_PORT} to {limits.MAX_PORT}; the job fails to start where it is in use",
    "hostIp": "address of this machine on which the port is open; 0.0.0.0: on every one",
    "protocol": "protocol of the port",
}
ULIMIT_FIELDS = {
    "name": "core, cpu, data, fsize, locks, memlock, msgqueue, nofile, nproc, rss, sigpending or stack, as in setrlimit(2)",
    "soft": "the limit; -1 is none",
    "hard": "how far the command may raise the limit; -1 is without end",
}
DEVICE_FIELDS = {
    "source": "path of the device on this machine",
    "target": "path of the device in the container",
    "permissions": "some of r (read), w (write) and m (mknod)",
}
DEPENDENCY_FIELDS = {
    "job": "id of the earlier job; jobd refuses an id without a job",
    "on": "how it must end: completed; failed; or any end. If it ends otherwise, this job ends as cancelled, with the reason dependency",
}
OUTPUT_FIELDS = {
    "path": "path in the workspace; where the command succeeds without it, the job fails with output-failed",
    "keep": "jobd keeps a copy in its state directory until it removes the job's record (HISTORY_RETENTION), independent of the workspace",
}
CALLBACK_FIELDS = {
    "url": "http(s) URL; localhost is the machine that jobd runs on; without a URL there is no callback",
    "events": "event types to send; empty: all",
    "key": "secret that signs each event: whsec_ and base64, or any text; during a rotation several, the newest first: whsec_NEW whsec_OLD",
    "batch": "sends waiting events as one array (application/cloudevents-batch+json)",
}
ARTIFACT_FIELDS = {
    "id": "name of the artifact, unique in its job",
    "depends": "another artifact's id, or job: run after it",
    "when": "the end of the command after which the artifact runs",
    "optional": "a missing source is no failure",
    "sha256": "expected hex digest of the content",
    "maxBytes": "largest accepted size",
    "job": "id of the earlier job; see FILES OF AN EARLIER JOB",
    "mode": "octal permissions, for instance 0644",
    "subdir": "the only folder of the archive to extract",
    "format": "format of the archive",
    "recursive": "also lists subfolders",
    "excludes": "globs to leave out; see GLOBS",
}
GLOBS = (
    (
        "A glob without a / matches the name of a file or folder at any depth; a glob with a / matches the whole path below in. A glob with a "
        "trailing / matches only folders. The content of an excluded folder is excluded too. * and ** match any number of characters but /; "
        "? matches one character, [a-z_] one of these, [^a-z] and [!a-z] any other one; \\ makes the next character literal, and \\xHH is a "
        "byte that is no UTF-8, which counts as one character."
    ),
    "A glob that no name can match (/a, ./a, a//b, a [ without its ]) is refused.",
)
IN_OUT = {
    "download": ("http(s) URL; only a 200 has the file", "file in the workspace"),
    "write": ("the text", "file in the workspace"),
    "unarchive": ("tar.gz, tar or zip in the workspace", "folder in the workspace"),
    "upload": (
        "file in the workspace",
        "http(s) URL, by PUT as application/octet-stream; succeeds with a 2xx after the server has received the whole file",
    ),
    "read": ("file in the workspace; the event gets its content", ""),
    "archive": ("file or folder in the workspace", "archive in the workspace"),
    "list": (
        "folder in the workspace; the event gets the paths in it, folders with a trailing /; for a file, its name",
        "",
    ),
    "job": (
        "file or folder in the workspace of the job job; . is all of it",
        "file or folder in the workspace; a file goes into a folder with a trailing /",
    ),
}
EARLIER_JOB = (
    (
        "An artifact of the type job copies files out of an earlier job's workspace, on the engine. Links are copied as links and never followed; "
        "a FIFO, socket or device, and a path that does not exist, fail the input. This job waits for the completion of the earlier job, as with after, "
        "and is cancelled if that job has ended otherwise; if after names the job too, the condition there counts (ID:any)."
    ),
    (
        "jobd keeps the workspace until this job has ended, longer than JOB_RETENTION if needed, and refuses to remove the earlier job meanwhile. "
        "A job whose workspace is removed already is refused at the submission. A repeated attempt copies the files again."
    ),
)

SEVERAL_JOBS = (
    (
        "A file may have several jobs, which jobctl run -f, submit -f and validate read: jobs is a mapping of names to jobs, set optionally the id of "
        "their set, and names that begin with x- are ignored, so that YAML anchors have a place. jobctl submits the jobs as one set, each with the id "
        "SET-NAME; the API accepts no such file. Flags of jobctl are over the fields of each job; those about one job (IMAGE, --sh, --entrypoint, "
        "--name, --after) are refused."
    ),
    (
        "In such a file, after has names of the file: NAME, NAME:any or NAME:failed. jobctl submits a job after those that it waits for, whatever "
        "their order in the file, and refuses unknown names and jobs that wait for each other. An artifact of the type job may name a job of the "
        "file too, but none with a matrix; any other text is the id of an earlier job."
    ),
    (
        "matrix makes several jobs of one: a mapping of names to lists of values, or to a text as of jobctl sweep --each, such as 1..5. There is a job "
        "for each combination, with the id SET-NAME-INDEX, or SET-INDEX in a file of one job. In its texts {NAME} becomes the value of NAME, {set} the set's id and {index} the "
        "number of the job from 1; {{NAME}} is the text {NAME}, and all other braces are text. An after with its name waits for all of its jobs. Secrets "
        "and the key of the callback have no placeholders. A set has at most 10000 jobs."
    ),
)
SEVERAL_EXAMPLE = """\
jobs:
  split:   {image: "tools:1", command: [split, --parts, "3"]}
  train:
    image: trainer:1
    command: [train, "--lr={lr}", "--part={part}"]
    matrix: {lr: [0.1, 0.01], part: 1..3}
    after: [split]
  report:  {image: "tools:1", command: [report], after: ["train:any"]}
"""

EXAMPLE = """\
image: python:3-slim
command: [python, count.py]
memory: 256
artifacts:
  - {id: program, type: download, in: "https://example.org/count.py", out: count.py}
  - {id: result, type: upload, in: counts.csv, out: "https://example.org/counts.csv", depends: job}
"""
