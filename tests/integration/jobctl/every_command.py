"""One call of each command, for tests that hold for all of them."""

CALLS: dict[str, list[str]] = {
    "run": ["run", "--json", "busybox"],
    "submit": ["submit", "--name", "new", "busybox"],
    "sweep": ["sweep", "-d", "--set", "swept", "--each", "n=1..2", "busybox", "{n}"],
    "ls": ["ls", "-a"],
    "sets": ["sets", "-o", "json"],
    "top": ["top", "--once"],
    "stats": ["stats"],
    "show": ["show", "ended"],
    "explain": ["explain", "ended"],
    "logs": ["logs", "-f", "--json", "ended"],
    "attach": ["attach", "ended"],
    "exec": ["exec", "ended", "true"],
    "wait": ["wait", "ended"],
    "bump": ["bump", "waiting"],
    "pause": ["pause", "waiting"],
    "resume": ["resume", "waiting"],
    "group": ["group", "ls"],
    "retry": ["retry", "ended"],
    "cancel": ["cancel", "cancelled"],
    "rm": ["rm", "removed"],
    "prune": ["prune", "--dry-run", "--older-than", "0s"],
    "cp": ["cp", "ended:x", "-"],
    "fetch": ["fetch", "ended"],
    "events": ["events", "ended"],
    "deliveries": ["deliveries", "ended"],
    "replay": ["replay", "--job", "ended"],
    "daemon": ["daemon", "status"],
    "doctor": ["doctor"],
    "version": ["version"],
    "validate": ["validate", "-f", "-"],
    "verify": ["verify", "--key-file", "key", "-H", "X-Signature-256: sha256=0", "-"],
    "listen": ["listen", "--port", "0", "-n", "1"],
    "completion": ["completion", "bash"],
}
"""The jobs `waiting`, `cancelled` and `removed` wait, and the job `ended` has ended."""

READING = ("validate", "verify")
"""These read standard input and need no daemon."""
WITHOUT_DAEMON = (*READING, "listen", "completion")
