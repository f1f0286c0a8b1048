"""The commands as a table: name -> module and summary. Only the one that runs is imported.

Owns the table, the other names of commands, and the flags that every command takes. A command module holds one function, named in
its row, `FORMATS` that it can print, and optionally `SETTINGS` for the parser; the function's docstring is the help, `EXAMPLES` its
end.
"""

import importlib
import signal
from collections.abc import Callable
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from jobctl.completion.suggestion import nearest
from jobctl.connection.session import FORMATS, Session
from jobctl.errors import Left, Misuse

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Run a job, stream its log, exit with its code."),
    "submit": ("submit", "Submit a job and print its id; the same as run -d."),
    "ls": ("ls", "List jobs."),
    "top": ("top", "Watch jobs: what runs, what waits and for what."),
    "show": ("show", "Show all that is known about jobs."),
    "explain": ("explain", "Say why a job waits or failed, and what to do about it."),
    "logs": ("logs", "Print or follow the logs of jobs."),
    "wait": ("wait", "Wait until jobs have ended; exit with their code."),
    "cancel": ("cancel", "End jobs and keep their records."),
    "rm": ("rm", "Remove jobs with all that belongs to them."),
    "prune": ("prune", "Remove jobs that have ended."),
    "cp": ("cp", "Copy files out of a job's workspace."),
    "fetch": ("fetch", "Fetch the outputs of a detached job."),
    "validate": ("validate", "Check a job file without running it."),
    "events": ("events", "Print or follow the events of all jobs."),
    "deliveries": ("deliveries", "List the callback deliveries of a job."),
    "replay": ("replay", "Send callback deliveries again."),
    "verify": ("verify", "Check the signature of a received event."),
    "listen": ("listen", "Receive events here, show and verify them."),
    "doctor": ("doctor", "Check daemon, engine, image, disk and key; say what helps."),
    "completion": ("completion", "Print the completion script of a shell."),
    "version": ("version", "Show the versions of jobctl, jobd and the engine."),
}
"""name -> (module in `jobctl.commands`, which holds a function of that name; summary)"""
HIDDEN = {
    "__images": ("images", "List the images of recent jobs, for completion scripts."),
    "__paths": ("paths", "List the paths of a workspace, for completion scripts."),
}
"""Commands that people do not type."""
ALIASES = {
    "ps": "ls", "list": "ls", "inspect": "show", "stop": "cancel", "kill": "cancel", "delete": "rm",
}  # fmt: skip
"""Other names of commands, which help, completion and the list of commands leave to the manual."""
PRESETS: dict[str, tuple[str, ...]] = {"kill": ("--signal", "KILL")}
"""Arguments that an alias puts before those that are given."""
PRESET_FORMATS = {"inspect": "json"}
"""The format of an alias where none is asked for."""
DESTRUCTIVE = frozenset({"cancel", "rm", "prune", "stop", "kill", "delete"})
HELP = "help"
DEFAULT = "ls"

_HELP = """Run container jobs on this machine.

Without a command, lists the jobs that are under way."""

_EXAMPLES = """\b
Examples:
  jobctl run busybox echo hello
  jobctl run -m 512m --in data=./data --out result.csv=. python:3-slim python data/main.py
  jobctl ls -a
  jobctl logs -f @last

Other names: ps and list are ls, inspect is show -o json, stop is cancel, kill is cancel --signal KILL, delete is rm.
"jobctl help COMMAND" is "jobctl COMMAND --help".

Where the daemon is: --host, else JOBCTL_HOST, the context file, the user's socket, the system's socket."""


def global_options() -> list[TyperOption]:
    """Returns the flags that may stand before the command as well as after it."""

    def keep(name: str) -> Callable[..., Any]:
        def callback(ctx: Any, value: Any) -> Any:
            session = ctx.find_object(Session)
            if value not in (None, False) and session is not None:
                setattr(session, name, value)
            return value

        return lambda ctx, param, value: callback(ctx, value)

    def output(ctx: Any, param: Any, value: str | None) -> str | None:
        if value is not None and value not in FORMATS:
            raise Misuse(f"-o {value!r} is not a format", hint=f"use one of {', '.join(FORMATS)}")
        keep("output")(ctx, param, value)
        return value

    return [
        TyperOption(
            param_decls=["--host"], metavar="URL", callback=keep("host"), expose_value=False,
            help="The daemon: unix:///path or http://host:port.",
        ),
        TyperOption(
            param_decls=["-o", "--output"], metavar="FORMAT", callback=output, expose_value=False,
            help="table, wide, json, yaml or name; what a command cannot print it refuses.",
        ),
        TyperOption(
            param_decls=["--json"], is_flag=True, default=False, callback=keep("json"), expose_value=False,
            help="The same as -o json.",
        ),
    ]  # fmt: skip


def formats_of(name: str) -> tuple[str, ...]:
    """Returns the formats that a command can print; imports its module."""
    formats: tuple[str, ...] = importlib.import_module(f"jobctl.commands.{COMMANDS[name][0]}").FORMATS
    return formats


class CheckedCommand(TyperCommand):
    """A command that runs only where it can print the format that is asked for."""

    formats: tuple[str, ...] = ()

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. Raises Misuse: it cannot print that format."""
        session = ctx.find_object(Session)
        if session is not None:
            session.check_format(self.formats)
        return super().invoke(ctx)


def load(name: str) -> TyperCommand:
    """Returns the parser and function of one command; imports its module."""
    module_name, summary = COMMANDS.get(name) or HIDDEN[name]
    module = importlib.import_module(f"jobctl.commands.{module_name}")
    function: Callable[..., Any] = getattr(module, name.removeprefix("__"))
    examples = getattr(module, "EXAMPLES", "")
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(
        name=name,
        cls=CheckedCommand,
        short_help=summary,
        epilog="\b\nExamples:\n" + examples.strip("\n") if examples else None,
        context_settings={"help_option_names": ["-h", "--help"], **getattr(module, "SETTINGS", {})},
    )(function)
    command = cast(CheckedCommand, get_command(app))
    command.formats = module.FORMATS
    command.params.extend(cast(Any, global_options()))
    return command


class CommandTable(TyperGroup):
    """The root command, which imports no command before it is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The names in the table's order, which is the help's."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Imports the command `cmd_name`; an unknown one is refused, with its likeliest neighbour where one is near."""
        name = ALIASES.get(cmd_name, cmd_name)
        if name not in COMMANDS and name not in HIDDEN:
            near = nearest(cmd_name, [*COMMANDS, *ALIASES], DESTRUCTIVE)
            hint = f"did you mean: jobctl {near}" if near else "jobctl --help lists them"
            raise Misuse(f"there is no command {cmd_name!r}", hint=hint)
        session = ctx.find_object(Session)
        if session is not None:
            session.command = name
            session.preset_format = PRESET_FORMATS.get(cmd_name, "")
        return load(name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Returns the name, the command and its arguments; `help` is what --help is."""
        if args[0] == HELP:
            if not args[1:]:
                typer.echo(ctx.get_help())
                ctx.exit()
            return ALIASES.get(args[1], args[1]), self.get_command(ctx, args[1]), ["--help"]
        name, command, rest = super().resolve_command(ctx, args)
        return ALIASES.get(args[0], name), command, [*PRESETS.get(args[0], ()), *rest]

    def invoke(self, ctx: Any) -> Any:
        """Runs the command; a reader of stdout that went away becomes `Left`, which the parser would hide."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise Left(signal.SIGPIPE, "") from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The summaries from the table, without an import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])


def root() -> CommandTable:
    """Returns the command `jobctl`; alone, it lists the jobs that are under way."""
    app = typer.Typer(
        cls=CommandTable, add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )  # fmt: skip

    def jobctl(ctx: typer.Context) -> Any:
        if ctx.invoked_subcommand is None:
            session = ctx.find_object(Session)
            assert session is not None
            session.command = DEFAULT
            command = load(DEFAULT)
            with command.make_context(DEFAULT, [], parent=ctx) as inner:
                return command.invoke(inner)
        return None

    app.callback(invoke_without_command=True, help=_HELP, epilog=_EXAMPLES)(jobctl)
    command = cast(CommandTable, get_command(app))
    command.params.extend(cast(Any, [*global_options(), _version_option()]))
    return command


def _version_option() -> TyperOption:
    def show(ctx: Any, param: Any, value: bool) -> None:
        if value:
            from jobctl.commands.version import own_version

            typer.echo(f"jobctl {own_version()}")
            ctx.exit()

    return TyperOption(
        param_decls=["--version"], is_flag=True, default=False, is_eager=True, callback=show, expose_value=False,
        help="The version of jobctl; jobctl version shows that of jobd too.",
    )  # fmt: skip
