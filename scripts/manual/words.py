"""What the fields of a job file mean, in words: the part of job.5 that no code says.

Owns the words alone; that each field has some, and no others are here, is checked in `structs.py`.
"""

from jobd.wire.validation import limits

JOB_FIELDS = {
    "id": f"name of the job, at most {limits.MAX_ID} letters, digits, '-' and '_'; jobctl makes one when it is absent",
    "image": "container image",
    "meta": f"texts that every event carries, at most {limits.MAX_META}",
    "command": "a text is a shell line that takes the entrypoint's place; a list is the entrypoint's arguments",
    "entrypoint": "program and first arguments, instead of the image's own",
    "cpu": "limit in cores, at most the daemon's MAX_CPUS (64); 0 is the default",
    "memory": f"limit in MB, {limits.MIN_MEMORY_MB} to the daemon's MAX_MEMORY (65536); 0 is the default",
    "environment": "variables of the command",
    "timeoutSeconds": "longest run of the command in seconds, at most the daemon's MAX_TIMEOUT (86400); 0 is the default",
    "workspace": "absolute path of the working directory, where the job's files are",
    "artifacts": f"what is moved in before and out after the command, at most {limits.MAX_ARTIFACTS}; see ARTIFACTS",
    "outputs": f"files and folders that the client fetches after the end, at most {limits.MAX_OUTPUTS}; see OUTPUTS",
    "callback": "where the job's events are posted; see CALLBACK",
    "labels": f"texts to filter by, at most {limits.MAX_LABELS}",
    "pids": "limit of processes; 0 is the default",
    "user": "uid[:gid] or name that the command runs as; default: the image's",
    "pull": "when the image is pulled",
    "platform": "os[/architecture[/variant]] of the image",
    "runtime": "the engine's runtime",
    "secrets": "name: text; each is a file in /run/secrets, in memory, that the command's user alone can read",
    "readOnly": "the command can write to its workspace and to a /tmp in memory alone",
    "capDrop": "capabilities that are taken away, such as SETUID, or ALL; NET_RAW always is",
    "capAdd": "capabilities that are given; refused unless jobd runs with ALLOW_CAP_ADD",
    "retries": f"further attempts after a failure, at most {limits.MAX_RETRIES}; each begins anew, after a pause that doubles",
    "retryOn": "exit codes and reasons to repeat after; empty: any failure before the outputs",
}
OUTPUT_FIELDS = {
    "path": "path in the workspace; a job whose command succeeded without it is output-failed",
    "keep": "jobd keeps a copy in its state folder until the job's record goes (HISTORY_RETENTION), however short the workspace is kept",
}
CALLBACK_FIELDS = {
    "url": "http(s) URL; localhost is the machine that jobd runs on; without one there is no callback",
    "events": "types to post; empty: all",
    "key": "secret that signs each event: whsec_ and base64, or any text; while it is rotated several, the newest first: whsec_NEW whsec_OLD",
    "batch": "what has piled up is posted as one array (application/cloudevents-batch+json)",
}
ARTIFACT_FIELDS = {
    "id": "name of the artifact, unique in its job",
    "depends": "another artifact's id, or job: run after it",
    "when": "after which end of the command",
    "optional": "a missing source is no failure",
    "sha256": "hex digest that the content must have",
    "maxBytes": "largest size that is taken",
    "mode": "octal permissions, for instance 0644",
    "subdir": "only this folder of the archive",
    "format": "of the archive",
    "recursive": "also what is in folders",
    "excludes": "globs to leave out; see GLOBS",
}
GLOBS = (
    (
        "A glob without a / is one on the name of a file or folder at any depth; one with a / is one on its whole path below in. A / at the end "
        "means folders alone. What is in a folder that is left out is left out too. * takes any characters but /, also none, and ** is the same; "
        "? takes one, [a-z_] one of these, [^a-z] and [!a-z] one that is none of these; \\ before a character takes it as itself, and \\xHH is a byte that is "
        "no UTF-8, which counts as one character."
    ),
    "What no name can match (/a, ./a, a//b, a [ without its ]) is refused.",
)
IN_OUT = {
    "download": ("http(s) URL; a 200 alone is the file", "file in the workspace"),
    "write": ("the text", "file in the workspace"),
    "unarchive": ("tar.gz, tar or zip in the workspace", "folder in the workspace"),
    "upload": (
        "file in the workspace",
        "http(s) URL, by PUT as application/octet-stream; done at a 2xx that was said after all of the file had arrived",
    ),
    "read": ("file in the workspace; its content goes into the event", ""),
    "archive": ("file or folder in the workspace", "archive in the workspace"),
    "list": (
        "folder in the workspace; the names in it go into the event, folders with a / at their end; of a file, its own name",
        "",
    ),
}

EXAMPLE = """\
image: python:3-slim
command: [python, count.py]
memory: 256
artifacts:
  - {id: program, type: download, in: "https://example.org/count.py", out: count.py}
  - {id: result, type: upload, in: counts.csv, out: "https://example.org/counts.csv", depends: job}
"""
