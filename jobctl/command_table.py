"""The table of commands: names, aliases, and the module of each command.

Pure data; `parser.py` has the help and the errors, `plain_parser.py` reads ordinary command lines. A command module has one function with the
name in its row, `FORMATS` that the command can print, and optionally `SETTINGS` for the parser. The function's docstring is the help
text; `EXAMPLES` ends that text.
"""

import importlib
from types import ModuleType

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("jobs.run", "Run a job, stream its log, exit with its exit code."),
    "submit": ("jobs.submit", "Submit a job and print its id; the same as run -d."),
    "sweep": ("jobs.sweep", "Submit a job for each combination of values as one set."),
    "ls": ("views.ls", "List jobs."),
    "sets": ("views.sets", "List sets of jobs."),
    "top": ("views.top", "Watch the running and waiting jobs."),
    "stats": ("views.stats", "Show ended jobs in numbers: success, waiting, running."),
    "show": ("views.show", "Show the details of jobs."),
    "explain": ("views.explain", "Explain why a job waits or failed, and what helps."),
    "attach": ("jobs.attach", "Attach to the command of a running job."),
    "exec": ("jobs.exec", "Run a command beside a running job's own."),
    "logs": ("views.logs", "Print or follow the logs of jobs."),
    "wait": ("jobs.wait", "Wait until jobs have ended; exit with their exit code."),
    "bump": ("queue.bump", "Put waiting jobs before all others, or set their priority."),
    "pause": ("queue.pause", "Start no job until resume; or pause single jobs."),
    "resume": ("queue.resume", "Let jobs start again after pause."),
    "group": ("queue.group", "List, limit, pause, resume or remove groups of the queue."),
    "retry": ("jobs.retry", "Run ended jobs anew under new ids."),
    "cancel": ("jobs.cancel", "Cancel jobs and keep their records."),
    "rm": ("jobs.rm", "Remove jobs with their containers, files and logs."),
    "prune": ("jobs.prune", "Remove jobs that have ended."),
    "cp": ("files.cp", "Copy files out of a job's workspace."),
    "fetch": ("files.fetch", "Fetch the outputs of a detached job."),
    "validate": ("jobs.validate", "Check a job file without running it."),
    "events": ("events.events", "Print or follow the events of all jobs, or of one."),
    "deliveries": ("events.deliveries", "List the callback deliveries of a job."),
    "replay": ("events.replay", "Send callback deliveries again."),
    "verify": ("events.verify", "Check the signature of a received event."),
    "listen": ("events.listen", "Receive events on this machine, show and verify them."),
    "daemon": ("daemon.daemon", "Install, start and stop jobd, show its state and its log."),
    "doctor": ("daemon.doctor", "Check daemon, engine, image, disk and key; name remedies."),
    "completion": ("completion.completion", "Print the completion script of a shell."),
    "version": ("daemon.version", "Show the versions of jobctl, jobd and the engine."),
}
"""name -> (module beneath `jobctl.commands`, with a function of that name; summary)"""
HIDDEN = {
    "__images": ("completion.images", "List the images of recent jobs, for completion scripts."),
    "__paths": ("completion.paths", "List the paths of a workspace, for completion scripts."),
}
"""Commands for completion scripts."""
ALIASES = {
    "ps": "ls", "list": "ls", "inspect": "show", "stop": "cancel", "kill": "cancel", "delete": "rm",
}  # fmt: skip
"""Other names of commands. The manual lists them; the help and the list of commands do not."""
PRESETS: dict[str, tuple[str, ...]] = {"kill": ("--signal", "KILL")}
"""Arguments that an alias adds before the given ones."""
PRESET_FORMATS = {"inspect": "json"}
"""The default format of an alias."""
DESTRUCTIVE = frozenset({"cancel", "rm", "prune", "stop", "kill", "delete"})
HELP = "help"
DEFAULT = "ls"


def module_of(name: str) -> ModuleType:
    """Imports and returns the module of a command."""
    module_name, _ = COMMANDS.get(name) or HIDDEN[name]
    return importlib.import_module(f"jobctl.commands.{module_name}")


def formats_of(name: str) -> tuple[str, ...]:
    """Returns the formats that a command can print. Imports its module."""
    formats: tuple[str, ...] = module_of(name).FORMATS
    return formats
