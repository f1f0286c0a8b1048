"""The table of the engine's error answers, by call, status and text. Pure; `failures.py` looks an answer up.

Owns whether an answer is final, passing or lost, and its words for the user. A final answer is about the job (its image,
command or workspace): a retry would fail again. A passing answer is about the machine (a full disk, no address range left, an
internal error of the engine): a retry may succeed. The rows were measured on a real engine; other answers are classified by
their status.

Source: Docker Engine API, error answers.
"""

from dataclasses import dataclass
from typing import Literal

Call = Literal["create", "fill", "start", "volume", "network", "pull", "inspect", "pause"]
Meaning = Literal["final", "passing", "lost"]
"""`final`: a retry fails again. `passing`: a retry may succeed. `lost`: the connection broke, the result is unknown."""

ANY: frozenset[Call] = frozenset()
MAKING: frozenset[Call] = frozenset({"create", "fill", "volume"})
RUNNING: frozenset[Call] = frozenset({"start"})
SERVER_ERRORS = range(500, 600)
ALL_ERRORS = range(400, 600)
SANDBOX_REMOVED = range(400, 401)
"""The status that stands for the engine's 404 about the container whose network another one joins, and for that text in an inspection."""


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of answer. `calls`: the calls with this answer (empty: all except a pull); `all_of`, `any_of`: parts of the text, in
    lower case. `words` may contain `{workspace}`, `{command}` and `{text}`, the engine's text without the runtime's prefixes.
    """

    name: str
    meaning: Meaning
    words: str
    remedy: str = ""
    calls: frozenset[Call] = ANY
    statuses: range = ALL_ERRORS
    any_of: tuple[str, ...] = ()
    all_of: tuple[str, ...] = ()
    exit_code: int = 128
    """The exit code of a failed start, as in a shell and in the engine."""

    def fits(self, call: Call, status: int, text: str) -> bool:
        """True if the row matches; `text` in lower case."""
        if status not in self.statuses or (self.calls and call not in self.calls):
            return False
        if call == "pull" and "pull" not in self.calls:
            return False
        return all(part in text for part in self.all_of) and (
            not self.any_of or any(part in text for part in self.any_of)
        )


_ANOTHER_WORKSPACE = "choose another path for the workspace"
_DISK_REMEDY = "free space on the engine's disk; docker system df shows the usage"

ROWS: tuple[Row, ...] = (
    Row(
        "no-space",
        "passing",
        "the engine's disk is full",
        _DISK_REMEDY,
        calls=frozenset({"create", "fill", "start", "volume", "network", "pull", "inspect", "pause"}),
        any_of=("no space left on device", "disk quota exceeded", "not enough space"),
    ),
    Row(
        "broke-off",
        "lost",
        "the engine aborted the call: {text}",
        statuses=SERVER_ERRORS,
        any_of=(
            "transport is closing",
            "connection is unavailable",
            "connection refused",
            "context canceled",
            "deadline exceeded",
            "shutting down",
            "ttrpc: closed",
            "unexpected eof",
        ),
    ),
    Row("unavailable", "lost", "the engine is not available: {text}", statuses=range(503, 504)),
    Row(
        "short-of-something",
        "passing",
        "the engine lacks a resource: {text}",
        "check what else runs on this machine",
        any_of=("too many open files", "cannot allocate memory"),
    ),
    # --- the command
    Row(
        "exec-denied",
        "final",
        "the command {command} is not executable: it is a folder, or its mode has no x for the job's user",
        calls=RUNNING,
        all_of=("exec: ",),
        any_of=("permission denied", "is a directory"),
        exit_code=126,
    ),
    Row(
        "exec-missing",
        "final",
        "the command {command} does not exist in the image",
        calls=RUNNING,
        all_of=("exec: ",),
        any_of=("executable file not found", "no such file or directory", "not a directory"),
        exit_code=127,
    ),
    Row(
        "exec-name-too-long",
        "final",
        "the name of the command {command} is too long for a file",
        calls=RUNNING,
        all_of=("exec: ", "file name too long"),
        exit_code=127,
    ),
    Row(
        "exec-format",
        "final",
        "the command is for another architecture, or a script without #! at its start",
        calls=RUNNING,
        any_of=("exec format error",),
        exit_code=126,
    ),
    Row(
        "no-such-user",
        "final",
        "the image does not know the job's user or group: {text}",
        "give user as numbers, for example 1000:1000",
        calls=RUNNING,
        any_of=("unable to find user", "unable to find group", "no matching entries in"),
    ),
    Row(
        "memory-too-low",
        "final",
        "the memory limit is too low to start the container",
        "raise memory",
        calls=RUNNING,
        any_of=("memory limit too low", "container init was oom-killed"),
    ),
    Row(
        "user-out-of-range",
        "final",
        "the user's uid or gid is out of the engine's range, 0 to 2147483647",
        "give user as smaller numbers, for example 1000:1000",
        calls=RUNNING,
        any_of=("uids and gids must be in range",),
    ),
    # --- the workspace
    Row(
        "workspace-cannot-be-made",
        "final",
        "the workspace {workspace} cannot be a folder: the image has a file at that path or a parent path",
        _ANOTHER_WORKSPACE,
        calls=frozenset({"create"}),
        any_of=("not a directory", "cannot mkdir", "file exists"),
    ),
    Row(
        "workspace-not-mounted",
        "final",
        "the workspace {workspace} cannot be mounted: the image has a file at that path or a parent path",
        _ANOTHER_WORKSPACE,
        calls=RUNNING,
        all_of=("mount", "not a directory"),
    ),
    Row(
        "device-hidden",
        "final",
        "the workspace {workspace} hides a device that every container needs",
        _ANOTHER_WORKSPACE,
        calls=RUNNING,
        any_of=("error reopening /dev/null",),
    ),
    Row(
        "name-too-long",
        "final",
        "a name in the workspace's path {workspace}, or in a file's path, is longer than 255 bytes",
        "choose shorter names",
        calls=MAKING,
        any_of=("file name too long",),
    ),
    Row(
        "workspace-links",
        "final",
        "the path of the workspace {workspace} has a loop of symbolic links in the image",
        _ANOTHER_WORKSPACE,
        calls=MAKING,
        any_of=("too many levels of symbolic links", "too many links"),
    ),
    Row(
        "workspace-not-filled",
        "final",
        "the workspace {workspace} cannot be filled: {text}",
        "the path may be a link or a file in the image; " + _ANOTHER_WORKSPACE,
        calls=frozenset({"fill"}),
        any_of=("cannot overwrite", "not a directory", "invalid argument"),
    ),
    # --- the network, ports, mounts
    Row(
        "port-taken",
        "final",
        "a port that the job opens on this machine is in use: {text}",
        "choose another port: -p HOST:PORT (hostPort in a job file)",
        calls=RUNNING,
        any_of=("port is already allocated", "address already in use", "ports are not available"),
    ),
    Row(
        "network-missing",
        "final",
        "the engine does not have the network of the job: {text}",
        "create it: docker network create NAME; or leave out --network",
        calls=frozenset({"create", "start"}),
        statuses=range(404, 405),
        all_of=("network", "not found"),
    ),
    Row(
        "mount-source-missing",
        "final",
        "a folder that the job mounts was removed: {text}",
        "make the folder, and run the job again",
        calls=frozenset({"create", "start"}),
        any_of=("bind source path does not exist",),
    ),
    # --- the machine
    Row(
        "no-address-range",
        "passing",
        "the engine has no address range left for a network: {text}",
        "docker network prune frees the address ranges of unused networks",
        calls=frozenset({"network"}),
        any_of=("address pool", "fully subnetted", "overlaps with other"),
    ),
    Row("image-gone", "final", "{text}", calls=frozenset({"create"}), statuses=range(404, 405), any_of=("image",)),
    Row(
        "sandbox-gone",
        "passing",
        "the network sandbox of the job is gone",
        calls=RUNNING,
        any_of=(
            "cannot join network of a non running container",
            "/ns/net: no such file or directory",  # the sandbox ended during the start
        ),
    ),
    Row(
        "start-broke-off",
        "passing",
        "the start of the container broke off: {text}",
        calls=RUNNING,
        any_of=("final child's pid from pipe",),  # also where a sandbox ends during the start
    ),
    Row(
        "sandbox-removed",
        "passing",
        "the network sandbox of the job is gone",
        calls=RUNNING,
        statuses=SANDBOX_REMOVED,
        any_of=("no such container",),
    ),
    Row(
        "container-gone",
        "final",
        "the container was removed before it was started",
        calls=RUNNING,
        statuses=range(404, 405),
        any_of=("no such container",),
    ),
    Row("not-paused", "final", "the engine cannot pause or resume the container: {text}", calls=frozenset({"pause"})),
    # --- all other answers, by status
    Row("pull-failed", "final", "{text}", calls=frozenset({"pull"})),
    Row("not-started", "final", "the engine could not start the container: {text}", calls=RUNNING),
    Row("too-many-requests", "passing", "the engine gets too many requests: {text}", statuses=range(429, 430)),
    Row("unexplained", "passing", "the engine answered with an error: {text}", calls=frozenset({"inspect"})),
    Row("engine-error", "passing", "the engine answered with an error: {text}", statuses=SERVER_ERRORS),
    Row("refused", "final", "{text}", statuses=range(400, 500)),
)  # fmt: skip
"""The first matching row applies; one row always matches."""
