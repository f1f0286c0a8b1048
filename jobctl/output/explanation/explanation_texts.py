"""The texts of `jobctl explain`: the state and the remedies for each reason, phase, exit code and recognized error. Pure data.

`explanation.py` chooses the texts and fills them in.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OfEngine:
    """A remedy with the engine's own tools: the daemon gives its text under the name `problem`. `otherwise`: for a daemon without it."""

    problem: str
    otherwise: str


Template = tuple[str, tuple[str | OfEngine, ...]]
"""The state, and the remedies; `{names}` are filled in. A remedy with `{other}` is repeated for each job that the text names."""


REMEDIES: dict[str, Template] = {
    "exit-code": (
        "the command ended with exit code {code}",
        ("read the last lines of the log: jobctl logs --tail 50 {id}", "copy the job's files: jobctl cp {id}:. ./{id}-files"),
    ),
    "timeout": (
        "jobd ended the job: it ran longer than its limit of {limit} s",
        ("allow more time: --timeout 2h (timeoutSeconds in a job file)", "read the last lines of the log: jobctl logs --tail 50 {id}"),
    ),
    "oom-killed": (
        "the kernel killed the command: it needed more than the job's {memory} MiB of memory{peak}",
        ("allow more memory: -m {more_memory}m (memory in a job file)",),
    ),
    "image-not-found": (
        "the engine could not get the image {image}",
        (OfEngine("image-not-found", "check the name and tag, and the login to its registry"),
         "use an image that exists only on this machine: --pull never"),
    ),
    "input-failed": (
        "an input failed, so the command was not started",
        (OfEngine("input-failed", "check the URLs from inside a container"),),
    ),
    "output-failed": (
        "the command succeeded, but an output failed",
        ("repeat only the outputs: jobctl retry --outputs {id}",
         "copy the job's files while the workspace exists: jobctl cp {id}:. ./{id}-files"),
    ),
    "output-too-large": (
        "the command succeeded, but jobd has no room to keep an output",
        ("copy the file while the workspace exists: jobctl cp {id}:PATH .",
         "allow more: KEPT_OUTPUTS_MAX_BYTES, then restart jobd; then: jobctl retry --outputs {id}", "see how much jobd keeps: jobctl doctor"),
    ),
    "refused-by-engine": (
        "the engine refused to create the container",
        ("correct what the engine's message names", "check the engine: jobctl doctor"),
    ),
    "engine-error": (
        "the engine answered with errors until jobd gave up (ENGINE_ERROR_LIMIT)",
        ("check the engine: jobctl doctor", "run the job again when the engine works: jobctl retry {id}; or submit it with --retries 3"),
    ),
    "start-failed": (
        "the engine could not start the command",
        ("check that the image contains the command: jobctl run --entrypoint /bin/sh {image} -c 'command -v NAME'",
         "use --sh for a shell line", "check the image's architecture: --platform"),
    ),
    "dependency": (
        "the job was not started: a job that it waits for ended otherwise than required",
        ("see why that job ended so: jobctl explain {other}", "run both jobs again: jobctl retry {other} {id}",
         "let the job wait for another one: jobctl retry {id} --after ID"),
    ),
    "cancelled": ("the job was cancelled{by}{why}", ()),
    "lost": (
        "the job was lost: its container or the engine disappeared, so the exit code is unknown",
        ("check the engine: jobctl doctor", "run the job again if that is safe: jobctl retry {id}"),
    ),
}  # fmt: skip

INPUT_OF_FILES: Template = (
    "an input failed, so the command was not started",
    (
        "correct what the error names, then run the job again: jobctl run, or jobctl retry {id} if the job itself is right",
    ),
)
NOT_WRITTEN: Template = (
    "the command succeeded, but an output is not where the job names it",
    (
        "correct the path of the output, or let the command write there; a relative path begins at the workspace",
        "copy the job's files while the workspace exists: jobctl cp {id}:. ./{id}-files",
    ),
)
KILLED: Template = (
    "the command was killed (SIGKILL, exit code 137), neither by jobd nor for its memory limit of {memory} MiB",
    (OfEngine("killed", "look for another cause, for instance the kernel out of memory (dmesg | grep -i oom)"),
     "look for a process of the job that sent the signal: jobctl logs --tail 50 {id}"),
)  # fmt: skip
BY_SIGNAL: Template = (
    "the command was ended by {signal} (exit code {code}), which jobd did not send",
    ("read the last lines of the log: jobctl logs --tail 50 {id}",),
)
CODES: dict[int, Template] = {
    126: (
        "the job's shell found a command that is not executable (exit code 126)",
        ("make the file executable: chmod +x, or run it with its interpreter: sh FILE",
         "see which command: jobctl logs --tail 50 {id}"),
    ),
    127: (
        "the job's shell did not find a command (exit code 127)",
        ("check that the image contains the command: jobctl run --sh 'command -v NAME' {image}",
         "see which command: jobctl logs --tail 50 {id}"),
    ),
    137: KILLED,
}  # fmt: skip
FORK_ERRORS = ("can't fork", "cannot fork", "fork: retry", "fork: resource temporarily unavailable", "unable to start new thread",
                "can't create thread", "resource temporarily unavailable")  # fmt: skip
FORK_LIMIT: Template = (
    "the job seems to have reached its limit of {pids} processes and threads",
    ("allow more: --pids-limit {more_pids} (pids in a job file)",),
)
ARCHITECTURE_ERROR = "exec format error"
ARCHITECTURE: Template = (
    "the program seems to be built for another architecture than this machine's",
    ("use an image for this machine, or select the image's platform: --platform",),
)

PHASES: dict[str, Template] = {
    "queued": (
        "the job is queued",
        ("see the running jobs: jobctl ls",),
    ),
    "pulling": (
        "jobd prepares the image {image} and the containers",
        ("use an image that this machine has already: --pull missing",),
    ),
    "inputs": ("the sidecar transfers the inputs", ("see each input: jobctl show {id}",)),
    "running": (
        "the job is running",
        ("follow its log: jobctl logs -f {id}", "cancel it: jobctl cancel {id}"),
    ),
    "outputs": (
        "the command has ended, and the sidecar transfers the outputs",
        ("see each output: jobctl show {id}",),
    ),
}

PAUSED: Template = (
    "the job is paused: its command stands still, and so does its timeout",
    ("resume the job: jobctl resume {id}",),
)

WAITS: tuple[Template, ...] = (
    ("the (?:completion|failure|end) of job '", ("see what job {other} does or waits for: jobctl explain {other}",)),
    ("the end of other jobs", ("see which jobs: jobctl show {id}",)),
    ("the job to be resumed", ("resume the job: jobctl resume {id}",)),
    ("the queue to be resumed", ("resume the queue: jobctl resume",)),
    ("group '.*' to be resumed", ("resume the group: jobctl group resume {group}",)),
    ("more than this machine has now",
     ("see what the job asks for: jobctl show {id}", "cancel the job, and submit it with less: -m, --cpus or --gpus")),
    ("a free place in group '",
     ("see the running jobs: jobctl ls", "allow more jobs of the group at once: jobctl group set {group} --max N")),
    ("a free place(?:: number 1 |$)",
     ("see the running jobs: jobctl ls", "allow more jobs at once: MAX_CONCURRENT_JOBS, then restart jobd")),
    ("a free place",
     ("see the running and waiting jobs: jobctl ls", "let the job start before all others: jobctl bump {id}",
      "allow more jobs at once: MAX_CONCURRENT_JOBS, then restart jobd")),
    (r"\d+ GPUs?, of which ", ("see the running jobs: jobctl ls", "ask for fewer GPUs: --gpus (gpus in a job file)")),
    (r"\d+ MB of memory, of which ",
     ("see the running jobs: jobctl ls", "ask for less memory: -m (memory in a job file)")),
    (r"\S+ cores, of which ", ("see the running jobs: jobctl ls", "ask for fewer cores: --cpus (cpu in a job file)")),
    ("its turn",
     ("see the waiting jobs: jobctl ls --status accepted", "let the job start before all others: jobctl bump {id}")),
    ("the container engine to answer", ("check the engine: jobctl doctor",)),
    ("its containers to stop", ("end the job without a grace period: jobctl cancel --grace 0 {id}",)),
)  # fmt: skip
"""How `waitingFor` begins, as a regular expression, and the remedies; the first that matches counts."""

UNREADABLE: Template = (
    "the job's stored record is damaged, so its state is unknown; all other jobs go on",
    (
        OfEngine("unreadable", "read the log of the container job-{id}-worker with the engine's own tools"),
        "jobctl rm {id}",
        "jobctl doctor",
    ),
)
ENGINE_ERRS: Template = (
    "the engine answers with a temporary error, and jobd tries again for a while (ENGINE_ERROR_LIMIT)",
    ("check the engine: jobctl doctor", "cancel the job: jobctl cancel {id}"),
)
RETRYING: Template = (
    "the last attempt failed, and another attempt will follow",
    ("see why the attempt failed: jobctl logs --tail 50 {id}", "cancel the job: jobctl cancel {id}"),
)
